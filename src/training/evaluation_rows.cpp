#include "tessera/evaluation_rows.h"

#include <filesystem>
#include <numeric>

#include <fmt/format.h>

#include "tessera/load_features.h"
#include "training/open_encoded.h"

namespace tessera {
namespace {
namespace fs = std::filesystem;

/// Rows of `file` as the model reads them, before normalisation.
HostRows load_host_rows(const TrainedModel& model, const std::string& file,
                        const std::string& format, std::optional<int64_t> max_rows) {
  if (model.features.empty()) return load_rows(file, format, max_rows);
  FeatureMatrix matrix = model_rows(load_features(file, format, max_rows), model.features, file);
  return {.bytes = {},
          .values = std::move(matrix.values),
          .rows = matrix.rows,
          .cols = matrix.cols(),
          .row_shape = {matrix.cols()},
          .where = file};
}

Dataset load_set(const TrainedModel& model, const std::string& file, const std::string& format,
                 std::optional<int64_t> max_rows) {
  if (!model.features.inputs.empty()) {
    const EncodedRows rows = open_encoded_rows(model, file, max_rows, Unfilled::Drop);
    std::vector<int32_t> all(static_cast<size_t>(rows.rows()));
    std::iota(all.begin(), all.end(), 0);
    return rows.features(*model.model->encoders(), all);
  }
  HostRows rows = load_host_rows(model, file, format, max_rows);
  require(rows.cols == model.model->features(), ErrorKind::Data, file, ": ", rows.cols,
          " features a row, the model was trained on ", model.model->features());
  return {std::move(rows), model.normalizer, model.model->device()};
}

/// Of rows without names a folder holds a part to train on and one to test on.
std::string file_of(const TrainedModel& model, const std::string& path, Split split) {
  return model.features.empty() ? data_file(path, split) : path;
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
  const Device device = model.model->device();
  const DataConfig& config = model.config.data;
  if (!data.empty()) {
    const std::string file = file_of(model, data, Split::Test);
    Dataset set = load_set(model, file, "auto", {});
    const std::string which = fmt::format("all {} rows of", set.rows());
    return {std::move(set), {}, {}, file, which, false};
  }
  const std::string path = file_of(model, trained_path(model), Split::Train);
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
