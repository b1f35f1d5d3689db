#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace tessera {

/// What the first lines of a run say.
struct RunFacts {
  int64_t epochs = 0, training_rows = 0, validation_rows = 0;
  int64_t validation_interval = 1;  ///< epochs
  std::string device;
  std::vector<std::pair<std::string, double>> loss_weights;  ///< of the terms that are on
};

/// The block before the first epoch and the one after the last, without a final line break. Both
/// begin with a title between rules of 70 "=".
std::string run_header(const RunFacts& facts);
/// seconds  of training, all sessions together
/// metrics  the final ones, each on a line of its own with 4 decimals
std::string run_footer(double seconds, const std::map<std::string, double>& metrics);

}  // namespace tessera
