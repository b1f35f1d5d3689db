// Encoders before training: what they read, where they begin, and the features they make.
#include "training/prepare_encoders.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "tessera/checkpoint.h"
#include "tessera/files.h"
#include "tessera/step.h"
#include "training/encoded_rows.h"
#include "training/raw_statistics.h"
#include "training/training_step.h"

namespace tessera {
namespace {

/// Families with what they have, of the cleaned columns and the raw parts.
std::vector<EncodedFamilyInput> families_of(const Config& config, const FeatureMatrix& columns,
                                            const RawInputs& raw) {
  std::vector<EncodedFamilyInput> families;
  for (const FamilyConfig& family : config.families) {
    const EncoderInfo* info = find_encoder(family.encoder);
    EncodedFamilyInput input;
    input.shape.name = family.name;
    if (info->reads_columns)
      for (int64_t c = 0; c < columns.cols(); ++c) {
        if (columns.families[static_cast<size_t>(c)] != family.name) continue;
        input.columns.push_back(static_cast<int32_t>(c));
        input.shape.column_names.push_back(
            columns.names[static_cast<size_t>(c)].substr(family.name.size() + 1));
      }
    input.shape.columns = static_cast<int64_t>(input.columns.size());
    if (info->reads_grids && !raw.grid_shape().empty()) {
      input.shape.channels = raw.grid_shape()[0];
      input.shape.grid = {static_cast<int32_t>(raw.grid_shape()[1]),
                          static_cast<int32_t>(raw.grid_shape()[2])};
    }
    if (info->reads_series)
      for (const RawSeries& series : raw.series())
        if (series.name == family.name) {
          input.shape.series_features = static_cast<int64_t>(series.features.size());
          input.shape.steps = series.steps;
          input.shape.series_names = series.features;
        }
    families.push_back(std::move(input));
  }
  return families;
}

/// Cleaning may leave a family nothing that its encoder could read.
void require_columns(const PreparedFeatures& prepared) {
  for (const EncodedFamilyInput& family : prepared.inputs.families) {
    const std::string prefix = family.shape.name + "/";
    std::vector<const RemovedFeature*> gone;
    for (const auto* list : {&prepared.excluded, &prepared.cleaning.removed})
      for (const RemovedFeature& feature : *list)
        if (feature.name.starts_with(prefix)) gone.push_back(&feature);
    require(family.shape.columns > 0 || family.shape.series_features > 0 || gone.empty(),
            ErrorKind::Data, "family ", family.shape.name, ": none of its ", gone.size(),
            " columns is left (", gone.empty() ? "" : gone.front()->name, ": ",
            gone.empty() ? "" : gone.front()->reason,
            "); change data.cleaning, or take the family out of families");
  }
}

/// Where the CNN of family `name` stands in a file: in the family of that name, else in the only one that
/// has a CNN.
std::string cnn_in(const SafetensorsFile& file, const std::string& name, const std::string& key) {
  const std::string all = "model/encoders/";
  std::vector<std::string> families;
  for (const std::string& tensor : file.names()) {
    const size_t end = tensor.find("/cnn/");
    if (!tensor.starts_with(all) || end == std::string::npos) continue;
    const std::string family = tensor.substr(all.size(), end - all.size());
    if (std::ranges::find(families, family) == families.end()) families.push_back(family);
  }
  if (std::ranges::find(families, name) != families.end()) return all + name + "/cnn/";
  require(families.size() == 1, ErrorKind::Config, key, ": ", file.path(), " has ", families.size(),
          " families with a CNN, none is called ", name,
          "; name a checkpoint of one with such a CNN");
  return all + families.front() + "/cnn/";
}

/// The checkpoint that the key of family `name` names, a file or a run folder.
std::string pretrained_file(const std::string& path, const std::string& name) {
  try {
    const std::string file = checkpoint_file(path);
    SafetensorsFile whole(file);
    return file;
  } catch (const Error& error) {
    fail(ErrorKind::Config, "families.", name,
         ".encoder_params.pretrained_cnn_path: ", error.what());
  }
}

/// Values of a CNN trained before, for family `name`.
void load_pretrained(StartingEncoders& start, const std::string& path, const std::string& name) {
  const std::string key = "families." + name + ".encoder_params.pretrained_cnn_path";
  const SafetensorsFile file(pretrained_file(path, name));
  std::vector<NamedTensor> tensors;
  for (Parameter& parameter : start.group.parameters())
    tensors.push_back({parameter.name, parameter.value});
  start.encoders->add_buffers(tensors);
  const std::string own = "encoders/" + name + "/cnn/", there = cnn_in(file, name, key);
  for (NamedTensor& named : tensors) {
    if (!named.name.starts_with(own)) continue;
    const std::string from = there + named.name.substr(own.size());
    require(file.contains(from), ErrorKind::Config, key, ": ", file.path(), " has no ", from,
            "; name a checkpoint of a model with the same CNN");
    const HostArray array = file.read(from);
    const std::vector<int64_t> shape = {named.tensor.rows(), named.tensor.cols()};
    require(array.shape == shape && array.dtype == DType::F32, ErrorKind::Config, key, ": ", from,
            " of ", file.path(), " is ", shape_text(array.shape), ", this CNN's is ",
            shape_text(shape),
            "; embedding_dim and the channels must be those it was trained with");
    named.tensor.write(array.values<float>());
  }
}

/// Steps that any series is looked at; 0: all.
int64_t most_steps(const Config& config, const EncoderInputs& inputs) {
  int64_t most = 0;
  for (size_t f = 0; f < config.families.size(); ++f) {
    const VariableLengthParams& lengths = config.families[f].encoder_params.variable_length;
    const FamilyShape& shape = inputs.families[f].shape;
    if (!lengths.enabled || shape.steps == 0) continue;
    require(lengths.min_timesteps <= shape.steps, ErrorKind::Config, "families.", shape.name,
            ".encoder_params.variable_length.min_timesteps is ", lengths.min_timesteps,
            ", the series have ", shape.steps, " steps; give at most that");
    most = lengths.max_timesteps;
  }
  return most;
}

/// What leaves an encoder's output as it is.
CleanedFeature untouched(const std::string& name) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  return {.name = name, .fill = 0, .low = -kInfinity, .high = kInfinity};  // none is missing
}

/// Outputs of the starting encoders for every row; given columns in their own units.
FeatureMatrix output_matrix(const PreparedFeatures& prepared, const EncodedRows& rows,
                            Console& console) {
  const FamilyEncoders& encoders = *prepared.encoders->encoders;
  std::vector<int32_t> all(static_cast<size_t>(rows.rows()));
  std::iota(all.begin(), all.end(), 0);
  FeatureMatrix matrix{.names = encoders.names(),
                       .families = encoders.families(),
                       .rows = rows.rows(),
                       .values = {}};
  matrix.values = rows.outputs(encoders, all, {}, [&](int64_t done) {
    console.live(fmt::format("Encoding {} of {} rows", done, all.size()), 30);
  });
  console.clear_live();
  const FeatureMatrix& columns = prepared.columns;
  for (size_t c = 0; c < matrix.names.size(); ++c) {
    if (encoders.is_encoded()[c]) continue;
    const auto from = std::ranges::find(columns.names, matrix.names[c]) - columns.names.begin();
    for (int64_t n = 0; n < matrix.rows; ++n)
      matrix.values[static_cast<size_t>(n * matrix.cols()) + c] =
          columns.values[static_cast<size_t>(n * columns.cols() + from)];
  }
  return matrix;
}

}  // namespace

std::vector<std::string> describe_encoders(const FamilyEncoders& encoders) {
  std::vector<std::string> lines;
  for (size_t f = 0; f < encoders.specs().size(); ++f) {
    const FamilySpec& spec = encoders.specs()[f];
    const FamilyShape& shape = spec.shape;
    if (spec.encoder == "identity") continue;
    std::string reads;
    if (shape.columns > 0) reads = fmt::format("{}D", shape.columns);
    if (shape.channels > 0)
      reads += fmt::format("{}grids {} x {} x {}", reads.empty() ? "" : " and ", shape.channels,
                           shape.grid.height, shape.grid.width);
    if (shape.series_features > 0)
      reads += fmt::format("series of {} x {}", shape.steps, shape.series_features);
    lines.push_back(fmt::format("  {}: {} -> {}D by {}{}", shape.name, reads,
                                encoders.output_columns(f), spec.encoder,
                                spec.params.trainable ? "" : " (not trained)"));
  }
  return lines;
}

bool uses_encoders(const Config& config) {
  return std::ranges::any_of(
      config.families, [](const FamilyConfig& family) { return family.encoder != "identity"; });
}

void check_pretrained(const Config& config) {
  for (const FamilyConfig& family : config.families)
    if (!family.encoder_params.pretrained_cnn_path.empty())
      pretrained_file(family.encoder_params.pretrained_cnn_path, family.name);
}

RawSelection raw_selection(const Config& config) {
  RawSelection wanted;
  for (const FamilyConfig& family : config.families) {
    const EncoderInfo* info = find_encoder(family.encoder);
    TESSERA_CHECK(info != nullptr, "no encoder ", family.encoder);
    if (info->reads_columns) wanted.families.push_back(family.name);
    if (info->reads_series) wanted.series.push_back(family.name);
    wanted.grids |= info->reads_grids;
  }
  return wanted;
}

void StartingEncoders::copy_to(Tokenizer& model) const {
  std::vector<NamedTensor> from;
  encoders->add_buffers(from);
  for (Parameter& parameter : const_cast<ParameterGroup&>(group).parameters())
    from.push_back({parameter.name, parameter.value});
  std::vector<NamedTensor> to = model.tensors();
  for (const NamedTensor& named : from) {
    const auto found = std::ranges::find(to, "model/" + named.name, &NamedTensor::name);
    TESSERA_CHECK(found != to.end(), "the model has no ", named.name);
    found->tensor.write(named.tensor.to_host());
  }
}

void encode_features(PreparedFeatures& prepared, const Config& config, Device device,
                     Console& console) {
  const auto seed = static_cast<uint64_t>(config.training.seed);
  prepared.columns = std::move(prepared.matrix);
  EncoderInputs& inputs = prepared.inputs;
  inputs.families = families_of(config, prepared.columns, *prepared.raw);
  inputs.cleaning = prepared.cleaning;
  require_columns(prepared);
  if (prepared.columns.cols() > 0)
    inputs.normalizer = fit_normalizer(config.data.normalization, prepared.columns, prepared.train);
  inputs.most_steps = most_steps(config, inputs);
  if (const int64_t missing = fit_raw_statistics(inputs, *prepared.raw, prepared.train))
    console.line(fmt::format("{} raw values are missing and count as the mean", missing));

  auto start = std::make_shared<StartingEncoders>();
  start->encoders =
      std::make_unique<FamilyEncoders>(family_specs(config, inputs), prepared.columns.cols(),
                                       std::vector<int32_t>{}, start->group, device, seed);
  start->group.allocate(device);
  const EncodedRows rows(inputs, prepared.columns, prepared.raw, device);
  rows.average_statistics(*start->encoders, prepared.train, lengths_in(config, 0));
  for (const FamilyConfig& family : config.families)  // with the statistics they were saved with
    if (!family.encoder_params.pretrained_cnn_path.empty())
      load_pretrained(*start, family.encoder_params.pretrained_cnn_path, family.name);
  prepared.encoders = start;
  for (const std::string& line : describe_encoders(*start->encoders)) console.line(line);

  prepared.matrix = output_matrix(prepared, rows, console);
  Cleaning outputs{.kept = {}, .removed = prepared.cleaning.removed};
  for (size_t c = 0; c < prepared.matrix.names.size(); ++c) {
    const std::string& name = prepared.matrix.names[c];
    const auto given = std::ranges::find(inputs.cleaning.kept, name, &CleanedFeature::name);
    outputs.kept.push_back(start->encoders->is_encoded()[c] ? untouched(name) : *given);
  }
  prepared.cleaning = std::move(outputs);
  require(std::ranges::all_of(prepared.matrix.values, [](float x) { return std::isfinite(x); }),
          ErrorKind::Data,
          "the untrained encoders give values that are not finite; look for extreme "
          "raw values");
}

}  // namespace tessera
