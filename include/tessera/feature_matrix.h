#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tessera {

/// Features of samples: one row per sample, one named column per feature, row-major. Columns of a
/// family stand together, families in the order of the config; names are unique.
struct FeatureMatrix {
  std::vector<std::string> names;     ///< of the columns: "initial/spatial_mean"
  std::vector<std::string> families;  ///< of the columns: "initial"
  int64_t rows = 0;
  std::vector<float> values;  ///< rows x cols(), row-major; NaN where a value is missing

  int64_t cols() const { return static_cast<int64_t>(names.size()); }
};

}  // namespace tessera
