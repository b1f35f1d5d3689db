#pragma once

#include <span>
#include <string>

#include "tessera/category_layout.h"
#include "tessera/checkpoint.h"
#include "tessera/console.h"
#include "tessera/report/tokenizer_report.h"

namespace tessera {

/// Everything of a run that can be measured: its curves where it has metrics.jsonl, its model on rows.
///
/// checkpoint  a .safetensors file, or a run folder
/// data        rows to measure, as evaluation_rows; where it has to take rows that trained the model,
///             the report says so
/// Throws Error as load_model and evaluation_rows; Numeric where outputs are not finite.
TokenizerReport report_of_run(const std::string& checkpoint, const std::string& data, Device device,
                              Console& console);

/// Measures `model` on the rows of `subset` or, where it is empty, all of `set`: categories, numbers
/// with their definitions, distances and similarities. `layout` as measure_tokenizer.
void add_measurements(TokenizerReport& report, Tokenizer& model,
                      std::span<const CategoryLayout> layout, const Normalizer& normalizer,
                      const Dataset& set, const Buffer<int32_t>& subset);

}  // namespace tessera
