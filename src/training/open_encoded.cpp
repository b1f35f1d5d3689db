#include "training/open_encoded.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "training/prepare_encoders.h"

namespace tessera {
namespace {

/// Grids are of the shape that the model was trained on.
void check_raw(const EncoderInputs& inputs, const RawInputs& raw, const std::string& path) {
  for (const EncodedFamilyInput& family : inputs.families) {
    const FamilyShape& shape = family.shape;
    if (shape.channels > 0) {
      const std::vector<int64_t>& grid = raw.grid_shape();
      require(grid.size() == 3 && grid[0] == shape.channels && grid[1] == shape.grid.height &&
                  grid[2] == shape.grid.width,
              ErrorKind::Data, path, ": its grids are ",
              grid.size() == 3 ? fmt::format("{} x {} x {}", grid[0], grid[1], grid[2]) : "missing",
              ", the model was trained on ", shape.channels, " x ", shape.grid.height, " x ",
              shape.grid.width);
    }
  }
}

}  // namespace

EncodedRows open_encoded_rows(const TrainedModel& trained, const std::string& path,
                              std::optional<int64_t> max_rows, Unfilled unfilled) {
  const EncoderInputs& inputs = trained.features.inputs;
  RawSelection wanted = raw_selection(trained.config);
  wanted.keep_unfilled = unfilled == Unfilled::Keep;
  for (const std::string& name : wanted.series) {
    const auto family = std::ranges::find(inputs.families, name,
                                          [](const auto& input) { return input.shape.name; });
    TESSERA_CHECK(family != inputs.families.end(), trained.path, " has no inputs of ", name);
    wanted.series_features.push_back(family->shape.series_names);
  }
  RawFeatures opened = open_raw_features(path, wanted, max_rows);
  check_raw(inputs, *opened.raw, path);
  FeatureMatrix columns = std::move(opened.columns);
  if (!inputs.cleaning.kept.empty()) {
    try {
      columns = apply_cleaning(columns, inputs.cleaning);
    } catch (const Error& error) {
      throw Error(error.kind(), path + ": " + error.what());
    }
    for (size_t i = 0; i < columns.values.size(); ++i)
      if (!std::isfinite(columns.values[i])) [[unlikely]]
        fail(ErrorKind::Data, path, ": row ", static_cast<int64_t>(i) / columns.cols(),
             ", feature ", columns.names[i % columns.names.size()],
             " is missing or not finite, and the model was trained without cleaning; fill it");
  }
  return {inputs, std::move(columns), opened.raw, trained.model->device()};
}

}  // namespace tessera
