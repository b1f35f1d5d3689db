#include "tessera/checkpoint.h"

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstring>

#include <fmt/chrono.h>
#include <nlohmann/json.hpp>

#include "tessera/files.h"
#include "training/checkpoint_metadata.h"

namespace tessera {
namespace {

using nlohmann::json;

static_assert(std::is_trivially_copyable_v<RunProgress>);
static_assert(std::endian::native == std::endian::little, "checkpoints are little-endian");

std::string utc_now() {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(
                         std::chrono::system_clock::now())));
}

/// Arrays copied from the device, kept until they are written.
class Arrays {
 public:
  template <class T>
  void add(const std::string& name, std::vector<int64_t> shape, const std::vector<T>& values) {
    arrays_.push_back({name, HostArray::from_values<T>(std::move(shape), values)});
  }
  std::vector<ArrayView> views() const {
    std::vector<ArrayView> views;
    for (const auto& [name, array] : arrays_) views.push_back(view_of(name, array));
    return views;
  }

 private:
  std::vector<std::pair<std::string, HostArray>> arrays_;
};

template <class T>
std::vector<uint8_t> bytes_of(const T& value) {
  std::vector<uint8_t> bytes(sizeof(T));
  std::memcpy(bytes.data(), &value, sizeof(T));
  return bytes;
}

std::vector<int64_t> table_rows(const VqTable& table) {
  std::vector<int64_t> rows;
  int64_t id = 0;
  for (const kernels::VqGroup& group : table.groups())
    rows.insert(rows.end(), {group.codebook_begin, group.codebook_size, group.dim, id++});
  return rows;
}

/// Names of columns that have none: their numbers.
std::string numbered_names(int64_t count) {
  json names = json::array();
  for (int64_t f = 0; f < count; ++f) names.push_back("feature_" + std::to_string(f));
  return names.dump();
}

void add_features(std::map<std::string, std::string>& metadata, const TrainingSnapshot& run) {
  if (run.features.empty()) {
    metadata["features"] = numbered_names(run.model.features());
    metadata["categories"] = R"([{"name": "all"}])";
    return;
  }
  metadata["features"] = names_json(run.features);
  metadata["categories"] = categories_json(run.features);
  metadata["preparation"] = preparation_json(run.features);
}

ModelFeatures read_features(const SafetensorsFile& file) {
  if (!file.metadata().contains("preparation")) return {};
  return features_from_json(metadata_text(file, "features"), metadata_text(file, "categories"),
                            metadata_text(file, "preparation"), file.path());
}

std::array<ParameterGroup*, 3> groups_of(Tokenizer& model) {
  return {&model.model_group(), &model.assignment_group(), &model.codebook_group()};
}

template <class T>
std::vector<T> read_values(const SafetensorsFile& file, const std::string& name, int64_t size) {
  require(file.contains(name) && file.has_checksum(name), ErrorKind::Data, file.path(), ": holds no ",
          name, " with a checksum; the file is damaged or was not written by tessera");
  const HostArray array = file.read(name);
  require(array.dtype == dtype_of<T>() && array.size() == size, ErrorKind::Data, file.path(), ": ",
          name, " is ", to_string(array.dtype), " ", shape_text(array.shape), ", its config asks for ",
          size, " values; the file is damaged");
  const auto values = array.values<T>();
  return {values.begin(), values.end()};
}

/// What a learned assignment is compared with, and how it was used last.
void add_assignment(Arrays& arrays, LearnedAssignment& learned) {
  arrays.add("assignment/hard", {learned.features()}, learned.hard());
  arrays.add("assignment/initial", {learned.features()}, learned.initial());
  arrays.add("assignment/epoch_logits", {learned.features(), learned.categories()},
             learned.epoch_logits());
  arrays.add<double>("assignment/temperature", {1}, {learned.temperature()});
}

void read_assignment(const SafetensorsFile& file, LearnedAssignment& learned, bool hard) {
  const int64_t features = learned.features();
  learned.begin_at(read_values<int32_t>(file, "assignment/initial", features));
  learned.write_epoch_logits(
      read_values<float>(file, "assignment/epoch_logits", features * learned.categories()));
  learned.set_evaluation(read_values<double>(file, "assignment/temperature", 1)[0], hard);
}

void read_tensors(const SafetensorsFile& file, Tokenizer& model) {
  for (NamedTensor& named : model.tensors())
    named.tensor.write(read_values<float>(file, named.name, named.tensor.size()));
}

Normalizer read_normalizer(const SafetensorsFile& file, int64_t features) {
  Normalizer normalizer;
  normalizer.kind = metadata_text(file, "normalizer");
  if (normalizer.has_numbers()) {
    normalizer.mean = read_values<float>(file, "normalizer/mean", features);
    normalizer.scale = read_values<float>(file, "normalizer/scale", features);
  }
  return normalizer;
}

/// Refuses a file whose config asks for more values than it holds, before memory is asked for.
void check_sizes(const SafetensorsFile& file, double values) {
  double stored = 0;
  for (const std::string& name : file.names()) stored += double(file.info(name).bytes);
  require(values * sizeof(float) <= stored, ErrorKind::Data, file.path(), ": its config describes ",
          values, " parameters, its tensors have ", stored, " bytes; the file is damaged");
}

/// Whether a resumed run may differ in this, `key: old -> new`. What may not is what says which
/// tensors there are and which rows a step sees.
bool may_change(const std::string& change) {
  for (const char* fixed : {"model.", "quantizer.kind:", "quantizer.codebook_size:",
                            "data.validation_fraction:", "data.max_samples:",
                            "data.normalization:", "losses.feature_weights:", "families",
                            "training.batch_size:", "training.seed:",
                            "training.category_assignment:"})
    if (change.starts_with(fixed)) return false;
  return true;
}

}  // namespace

QuantizerOptions quantizer_options(const Config& config) {
  const QuantizerConfig& q = config.quantizer;
  return {.kind = q.kind,
          .estimator = q.estimator,
          .codebook_init = q.codebook_init,
          .ema_decay = q.ema_decay,
          .ema_epsilon = q.ema_epsilon,
          .dead_code = {.enabled = q.dead_code.policy == "fixed",
                        .interval = q.dead_code.interval,
                        .threshold = q.dead_code.threshold,
                        .max_fraction = q.dead_code.max_fraction},
          .seed = static_cast<uint64_t>(config.training.seed),
          .batch_rows = config.training.batch_size};
}

void save_checkpoint(const std::string& path, const TrainingSnapshot& run) {
  Arrays arrays;
  for (NamedTensor& named : run.model.tensors())
    arrays.add(named.name, {named.tensor.rows(), named.tensor.cols()}, named.tensor.to_host());
  Quantizer& quantizer = run.model.quantizer();
  const std::vector<int64_t> table = table_rows(quantizer.table());
  arrays.add("quantizer/table", {static_cast<int64_t>(table.size()) / 4, 4}, table);
  arrays.add("quantizer/usage", {quantizer.total_codes()}, quantizer.usage().to_host());
  arrays.add<int64_t>("quantizer/resets", {1}, {quantizer.resets()});
  for (ParameterGroup* one : groups_of(run.model)) {
    ParameterGroup& group = *one;
    if (group.empty()) continue;
    arrays.add("optimizer/" + group.name() + "/m", {group.size()}, group.first_moment().to_host());
    arrays.add("optimizer/" + group.name() + "/v", {group.size()}, group.second_moment().to_host());
  }
  if (run.model.learned()) add_assignment(arrays, *run.model.learned());
  const int64_t features = run.model.features();
  if (run.normalizer.has_numbers()) {
    arrays.add("normalizer/mean", {features}, run.normalizer.mean);
    arrays.add("normalizer/scale", {features}, run.normalizer.scale);
  }
  const StepState state = run.state.read();
  arrays.add("state", {sizeof(StepState)}, bytes_of(state));
  const std::vector<double> sums = run.state.read_sums();
  arrays.add("state/sums", {static_cast<int64_t>(sums.size())}, sums);
  arrays.add("state/progress", {sizeof(RunProgress)}, bytes_of(run.progress));

  const std::vector<ArrayView> views = arrays.views();
  std::map<std::string, std::string> metadata = {{"tessera_version", TESSERA_VERSION},
                                                 {"format", "1"},
                                                 {"config", to_json(run.config)},
                                                 {"crc32", checksums_json(views)},
                                                 {"normalizer", run.normalizer.kind},
                                                 {"step", std::to_string(state.step)},
                                                 {"epoch", std::to_string(state.epoch)},
                                                 {"created", utc_now()}};
  add_features(metadata, run);
  write_safetensors(path, views, metadata);
}

void restore_checkpoint(const std::string& path, const TrainingSnapshot& run) {
  const SafetensorsFile file(path);
  const Config saved = metadata_config(file);
  for (const std::string& change : config_changes(saved, run.config))
    require(may_change(change), ErrorKind::Config, path, ": began with another config (", change,
            "); resume with the config that started the run");
  const ModelFeatures features = read_features(file);
  require(features.empty() == run.features.empty() &&
              (features.empty() || (categories_json(features) == categories_json(run.features) &&
                                    preparation_json(features) == preparation_json(run.features))),
          ErrorKind::Config, path,
          ": the training data are not those the run began with (their features, cleaning or "
          "categories are others); resume with the same data");
  require(read_normalizer(file, run.config.model.input_size) == run.normalizer, ErrorKind::Config,
          path, ": the training data are not those the run began with (their normalization is "
          "another); resume with the same data");
  const auto terms = static_cast<int64_t>(run.state.read_sums().size());
  require(file.info("state/sums").size() == terms,
          ErrorKind::Config, path, ": began with ", file.info("state/sums").size(),
          " loss terms, the config has ", terms,
          " (a weight of 0 takes a term out); resume with the config that started the run");
  read_tensors(file, run.model);
  Quantizer& quantizer = run.model.quantizer();
  quantizer.usage().write(read_values<int64_t>(file, "quantizer/usage", quantizer.total_codes()));
  quantizer.write_resets(read_values<int64_t>(file, "quantizer/resets", 1)[0]);
  for (ParameterGroup* one : groups_of(run.model)) {
    ParameterGroup& group = *one;
    if (group.empty()) continue;
    const std::string prefix = "optimizer/" + group.name();
    group.first_moment().write(read_values<float>(file, prefix + "/m", group.size()));
    group.second_moment().write(read_values<float>(file, prefix + "/v", group.size()));
  }
  if (run.model.learned()) read_assignment(file, *run.model.learned(), false);
  const auto state = read_values<uint8_t>(file, "state", sizeof(StepState));
  StepState step;
  std::memcpy(&step, state.data(), sizeof step);
  run.state.write(step);
  run.state.write_sums(read_values<double>(file, "state/sums", terms));
  // A file of an older version ends before the newer fields.
  const int64_t known = std::min<int64_t>(file.info("state/progress").size(), sizeof(RunProgress));
  const auto progress = read_values<uint8_t>(file, "state/progress", known);
  run.progress = {};
  std::memcpy(&run.progress, progress.data(), progress.size());
}

CheckpointDescription describe_checkpoint(const std::string& path) {
  const SafetensorsFile file(path);
  return {metadata_config(file), read_features(file)};
}

TrainedModel load_model(const std::string& path, Device device) {
  TrainedModel result;
  result.path = checkpoint_file(path);
  const SafetensorsFile file(result.path);
  result.config = metadata_config(file);
  result.features = read_features(file);
  check_sizes(file, tokenizer_size(result.config, result.features));
  result.model = make_tokenizer(result.config, result.features, device);
  read_tensors(file, *result.model);
  if (result.model->learned()) read_assignment(file, *result.model->learned(), true);
  result.normalizer = read_normalizer(file, result.config.model.input_size);
  result.model->quantizer().usage().write(read_values<int64_t>(
      file, "quantizer/usage", result.model->quantizer().total_codes()));
  result.step = metadata_number(file, "step");
  result.epoch = metadata_number(file, "epoch");
  const std::string& checksums = metadata_text(file, "crc32");
  result.crc = crc32(std::as_bytes(std::span(checksums.data(), checksums.size())));
  return result;
}

}  // namespace tessera
