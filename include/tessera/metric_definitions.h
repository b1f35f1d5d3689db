#pragma once

#include <span>
#include <string>
#include <string_view>

namespace tessera {

/// What a number that the program prints or writes means.
struct MetricDefinition {
  std::string_view name;  ///< as it is printed, and its key in metrics.jsonl and --json
  std::string_view unit;  ///< its unit, or the range of its values
  std::string_view text;  ///< its definition, with the formula
};

/// All of them, in the order in which they are printed.
std::span<const MetricDefinition> metric_definitions();

/// The definition of a key, or null. `train_<loss>` and `validation_<loss>` are that loss; of a path
/// such as `<category>/level_0/utilization` the last part decides.
const MetricDefinition* find_metric(std::string_view key);

/// The table as text, lines of at most 100 characters: what `tessera help metrics` prints.
std::string metric_definitions_text();

}  // namespace tessera
