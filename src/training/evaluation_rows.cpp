#include "tessera/evaluation_rows.h"

#include <filesystem>

#include <fmt/format.h>

#include "tessera/load_features.h"

namespace tessera {
namespace {
namespace fs = std::filesystem;

Dataset load_set(const TrainedModel& model, const std::string& path, const std::string& format,
                 std::optional<int64_t> max_rows) {
  FeatureMatrix matrix =
      model_rows(load_features(path, format, max_rows), model.features, path);
  HostRows rows{.bytes = {},
                .values = std::move(matrix.values),
                .rows = matrix.rows,
                .cols = matrix.cols(),
                .row_shape = {matrix.cols()},
                .where = path};
  return {std::move(rows), model.normalizer, model.model->device()};
}

}  // namespace

std::string trained_path(const TrainedModel& model) {
  const std::string& path = model.config.data.path;
  std::error_code error;
  if (fs::exists(path, error)) return path;
  const fs::path beside = fs::path(model.path).parent_path() / path;
  require(fs::exists(beside, error), ErrorKind::Data, path,
          ": the data this model was trained on is not here; name data with --data");
  return beside.string();
}

EvaluationRows evaluation_rows(const TrainedModel& model, const std::string& data) {
  TESSERA_CHECK(!model.features.empty(), "evaluation_rows: the model's rows have no names");
  const Device device = model.model->device();
  const DataConfig& config = model.config.data;
  if (!data.empty()) {
    Dataset set = load_set(model, data, "auto", {});
    const std::string which = fmt::format("all {} rows of", set.rows());
    return {std::move(set), {}, {}, data, which, false};
  }
  const std::string path = trained_path(model);
  Dataset set = load_set(model, path, config.format, config.max_samples);
  const TrainValidation split = split_rows(set.rows(), config.validation_fraction,
                                           static_cast<uint64_t>(model.config.training.seed));
  auto fit = Buffer<int32_t>::from_host(split.train, device);
  if (split.validation.empty()) {
    const std::string which = fmt::format("all {} rows of", set.rows());
    return {std::move(set), std::move(fit), {}, path, which, true};
  }
  return {std::move(set),
          std::move(fit),
          Buffer<int32_t>::from_host(split.validation, device),
          path,
          fmt::format("the {} validation rows of", split.validation.size()),
          false};
}

}  // namespace tessera
