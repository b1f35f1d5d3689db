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
/// data        rows to measure, all of them; empty: the rows that the run held out for validation, or,
///             where it held none out, those it trained on, which the report says
/// Throws Error as load_model and load_rows; Data for rows of another width; Numeric where outputs are
/// not finite.
TokenizerReport report_of_run(const std::string& checkpoint, const std::string& data, Device device,
                              Console& console);

/// Measures `model` on the rows of `subset` or, where it is empty, all of `set`: categories, numbers
/// with their definitions, distances and similarities. `layout` as measure_tokenizer.
void add_measurements(TokenizerReport& report, Tokenizer& model,
                      std::span<const CategoryLayout> layout, const Normalizer& normalizer,
                      const Dataset& set, const Buffer<int32_t>& subset);

}  // namespace tessera
