#include "tessera/checkpoint.h"

#include <bit>
#include <charconv>
#include <chrono>
#include <cstring>
#include <filesystem>

#include <fmt/chrono.h>
#include <nlohmann/json.hpp>

#include "tessera/files.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

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

/// Feature names: their numbers, until data sets bring names.
json feature_names(int64_t count) {
  json names = json::array();
  for (int64_t f = 0; f < count; ++f) names.push_back("feature_" + std::to_string(f));
  return names;
}

ParameterGroup* groups_of(DenseVqVae& model, int i) {
  return i == 0 ? &model.model_group() : &model.codebook_group();
}

template <class T>
std::vector<T> read_values(const SafetensorsFile& file, const std::string& name, int64_t size) {
  require(file.contains(name), ErrorKind::Config, file.path(), ": holds no tensor ", name,
          ", which the configured model has; resume with the config that started the run");
  require(file.has_checksum(name), ErrorKind::Data, file.path(), ": ", name,
          " has no checksum in the metadata; the file was not written by tessera");
  const HostArray array = file.read(name);
  require(array.dtype == dtype_of<T>() && array.size() == size, ErrorKind::Config, file.path(), ": ",
          name, " is ", to_string(array.dtype), " ", shape_text(array.shape),
          ", the configured model has ", size,
          " values; resume with the config that started the run");
  const auto values = array.values<T>();
  return {values.begin(), values.end()};
}

void read_tensors(const SafetensorsFile& file, DenseVqVae& model) {
  for (NamedTensor& named : model.tensors())
    named.tensor.write(read_values<float>(file, named.name, named.tensor.size()));
}

const std::string& text_of(const SafetensorsFile& file, const std::string& key) {
  const auto found = file.metadata().find(key);
  require(found != file.metadata().end(), ErrorKind::Data, file.path(),
          ": is not a tessera checkpoint (no ", key, " in its metadata)");
  return found->second;
}

uint64_t number_of(const SafetensorsFile& file, const std::string& key) {
  const std::string& text = text_of(file, key);
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  require(error == std::errc() && end == text.data() + text.size(), ErrorKind::Data, file.path(),
          ": metadata ", key, " is ", text, ", not a number");
  return value;
}

Normalizer read_normalizer(const SafetensorsFile& file, int64_t features) {
  Normalizer normalizer;
  normalizer.kind = text_of(file, "normalizer");
  if (normalizer.kind == "standard") {
    normalizer.mean = read_values<float>(file, "normalizer/mean", features);
    normalizer.scale = read_values<float>(file, "normalizer/scale", features);
  }
  return normalizer;
}

Config read_config(const SafetensorsFile& file) {
  const std::string& format = text_of(file, "format");
  require(format == "1", ErrorKind::Data, file.path(), ": has format ", format,
          ", this version reads format 1; use a newer tessera");
  try {
    return config_from_json(text_of(file, "config"), file.path());
  } catch (const Error& error) {  // the file is at fault, not the user's config
    throw Error(ErrorKind::Data, error.what());
  }
}

/// Whether a resumed run may differ in this, `key: old -> new`. What may not is what says which
/// tensors there are and which rows a step sees.
bool may_change(const std::string& change) {
  for (const char* fixed : {"model.", "quantizer.kind:", "quantizer.codebook_size:",
                            "data.validation_fraction:", "data.max_samples:",
                            "data.normalization:", "training.batch_size:", "training.seed:"})
    if (change.starts_with(fixed)) return false;
  return true;
}

}  // namespace

DenseOptions dense_options(const Config& config) {
  return {.input_size = config.model.input_size,
          .encoder_sizes = config.model.encoder_sizes,
          .decoder_sizes = config.model.decoder_sizes,
          .embedding_dim = config.model.embedding_dim,
          .codebook_size = config.quantizer.codebook_size,
          .activation = config.model.activation};
}

QuantizerOptions quantizer_options(const Config& config) {
  const QuantizerConfig& q = config.quantizer;
  return {.kind = q.kind,
          .estimator = q.estimator,
          .codebook_init = q.codebook_init,
          .ema_decay = q.ema_decay,
          .ema_epsilon = q.ema_epsilon,
          .dead_code = {.enabled = q.dead_code.policy != "none",
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
  for (int i = 0; i < 2; ++i) {
    ParameterGroup& group = *groups_of(run.model, i);
    if (group.empty()) continue;
    arrays.add("optimizer/" + group.name() + "/m", {group.size()}, group.first_moment().to_host());
    arrays.add("optimizer/" + group.name() + "/v", {group.size()}, group.second_moment().to_host());
  }
  const int64_t features = run.model.options().input_size;
  if (run.normalizer.kind == "standard") {
    arrays.add("normalizer/mean", {features}, run.normalizer.mean);
    arrays.add("normalizer/scale", {features}, run.normalizer.scale);
  }
  const StepState state = run.state.read();
  arrays.add("state", {sizeof(StepState)}, bytes_of(state));
  const std::vector<double> sums = run.state.read_sums();
  arrays.add("state/sums", {static_cast<int64_t>(sums.size())}, sums);
  arrays.add("state/progress", {sizeof(RunProgress)}, bytes_of(run.progress));

  const std::vector<ArrayView> views = arrays.views();
  write_safetensors(path, views,
                    {{"tessera_version", TESSERA_VERSION},
                     {"format", "1"},
                     {"config", to_json(run.config)},
                     {"features", feature_names(features).dump()},
                     {"categories", R"({"all": "every feature"})"},
                     {"crc32", checksums_json(views)},
                     {"normalizer", run.normalizer.kind},
                     {"step", std::to_string(state.step)},
                     {"epoch", std::to_string(state.epoch)},
                     {"created", utc_now()}});
}

void restore_checkpoint(const std::string& path, const TrainingSnapshot& run) {
  const SafetensorsFile file(path);
  const Config saved = read_config(file);
  for (const std::string& change : config_changes(saved, run.config))
    require(may_change(change), ErrorKind::Config, path, ": began with another config (", change,
            "); resume with the config that started the run");
  require(read_normalizer(file, run.config.model.input_size) == run.normalizer, ErrorKind::Config,
          path, ": the training data are not those the run began with (their normalization is "
          "another); resume with the same data");
  read_tensors(file, run.model);
  Quantizer& quantizer = run.model.quantizer();
  quantizer.usage().write(read_values<int64_t>(file, "quantizer/usage", quantizer.total_codes()));
  quantizer.write_resets(read_values<int64_t>(file, "quantizer/resets", 1)[0]);
  for (int i = 0; i < 2; ++i) {
    ParameterGroup& group = *groups_of(run.model, i);
    if (group.empty()) continue;
    const std::string prefix = "optimizer/" + group.name();
    group.first_moment().write(read_values<float>(file, prefix + "/m", group.size()));
    group.second_moment().write(read_values<float>(file, prefix + "/v", group.size()));
  }
  const auto state = read_values<uint8_t>(file, "state", sizeof(StepState));
  StepState step;
  std::memcpy(&step, state.data(), sizeof step);
  run.state.write(step);
  run.state.write_sums(
      read_values<double>(file, "state/sums", static_cast<int64_t>(run.state.read_sums().size())));
  const auto progress = read_values<uint8_t>(file, "state/progress", sizeof(RunProgress));
  std::memcpy(&run.progress, progress.data(), sizeof(RunProgress));
}

TrainedModel load_model(const std::string& path, Device device) {
  TrainedModel result;
  result.path = checkpoint_file(path);
  const SafetensorsFile file(result.path);
  result.config = read_config(file);
  result.model = std::make_unique<DenseVqVae>(dense_options(result.config),
                                              quantizer_options(result.config), device);
  read_tensors(file, *result.model);
  result.normalizer = read_normalizer(file, result.config.model.input_size);
  result.model->quantizer().usage().write(read_values<int64_t>(
      file, "quantizer/usage", result.model->quantizer().total_codes()));
  result.step = number_of(file, "step");
  result.epoch = number_of(file, "epoch");
  const std::string& checksums = text_of(file, "crc32");
  result.crc = crc32(std::as_bytes(std::span(checksums.data(), checksums.size())));
  return result;
}

std::string checkpoint_file(const std::string& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    require(fs::exists(path, error), ErrorKind::Data, path,
            ": no such checkpoint; give a .safetensors file or a run folder");
    return path;
  }
  for (const char* name : {"best.safetensors", "last.safetensors"})
    if (fs::exists(fs::path(path) / name, error)) return (fs::path(path) / name).string();
  std::vector<std::string> skipped;
  if (const auto newest = newest_checkpoint(path, skipped)) return *newest;
  fail(ErrorKind::Data, path, ": holds no checkpoint (best.safetensors or last.safetensors); train "
       "first, or give the run's folder");
}

std::optional<uint64_t> whole_checkpoint_step(const std::string& path, std::string* why) {
  try {
    const SafetensorsFile file(path);
    read_config(file);
    for (const std::string& name : file.names()) {
      require(file.has_checksum(name), ErrorKind::Data, path, ": ", name, " has no checksum");
      file.read(name);
    }
    return number_of(file, "step");
  } catch (const std::exception& error) {
    *why = error.what();
    return {};
  }
}

std::optional<std::string> newest_checkpoint(const std::string& folder,
                                             std::vector<std::string>& skipped) {
  std::optional<std::string> newest;
  uint64_t newest_step = 0;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    const bool is_last = name == "last.safetensors", is_best = name == "best.safetensors";
    const bool is_step = name.starts_with("step_") && name.ends_with(".safetensors");
    if (!is_last && !is_best && !is_step) continue;
    std::string why;
    const std::optional<uint64_t> step = whole_checkpoint_step(entry.path().string(), &why);
    if (!step) skipped.push_back(why);
    else if (!newest || *step > newest_step || (*step == newest_step && is_last)) {
      newest = entry.path().string();
      newest_step = *step;
    }
  }
  return newest;
}

}  // namespace tessera
