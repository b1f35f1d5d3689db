// Encoders before training: what they read, where they begin, and the features they make.
#include "training/prepare_encoders.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "tessera/files.h"
#include "tessera/step.h"
#include "training/encoded_rows.h"
#include "training/training_step.h"

namespace tessera {
namespace {

constexpr size_t kStatisticsRows = 4096;  // training rows that raw statistics are taken from

/// Sums for the mean and deviation of columns.
struct Moments {
  std::vector<double> sum, squares;
  double count = 0;
  void add(const float* row, size_t cols) {
    if (sum.empty()) sum.resize(cols), squares.resize(cols);
    for (size_t c = 0; c < cols; ++c) {
      sum[c] += double(row[c]);
      squares[c] += double(row[c]) * double(row[c]);
    }
    ++count;
  }
  void finish(std::vector<float>& mean, std::vector<float>& scale) const {
    for (size_t c = 0; c < sum.size(); ++c) {
      const double m = sum[c] / count;
      const double deviation = std::sqrt(std::max(0.0, squares[c] / count - m * m));
      mean.push_back(float(m));
      scale.push_back(deviation < 1e-8 ? 1.0f : float(1 / deviation));
    }
  }
};

/// Means and deviations of grid channels and of the features of series, over the steps that mean
/// something.
void fit_raw_statistics(EncoderInputs& inputs, const RawInputs& raw,
                        const std::vector<int32_t>& train) {
  constexpr size_t kAtATime = 256;
  const std::vector<int32_t> rows = spread_rows(train, kStatisticsRows);
  Moments channels;
  std::vector<Moments> series(inputs.families.size());
  for (size_t first = 0; first < rows.size(); first += kAtATime) {
    const std::span<const int32_t> piece(rows.data() + first,
                                         std::min(kAtATime, rows.size() - first));
    const RawBatch batch = raw.read(piece);
    if (!raw.grid_shape().empty()) {
      const auto c = static_cast<size_t>(raw.grid_shape()[0]);
      for (size_t i = 0; i < batch.grids.size(); i += c) channels.add(batch.grids.data() + i, c);
    }
    for (size_t f = 0; f < inputs.families.size(); ++f) {
      if (inputs.families[f].shape.series_features == 0) continue;
      const auto found =
          std::ranges::find(raw.series(), inputs.families[f].shape.name, &RawSeries::name);
      const auto s = static_cast<size_t>(found - raw.series().begin());
      const auto cols = static_cast<size_t>(inputs.families[f].shape.series_features);
      for (size_t n = 0; n < piece.size(); ++n)
        for (int32_t t = 0; t < batch.lengths[n]; ++t)
          series[f].add(batch.series[s].data() +
                            (n * static_cast<size_t>(found->steps) + static_cast<size_t>(t)) * cols,
                        cols);
    }
  }
  channels.finish(inputs.channel_mean, inputs.channel_scale);
  for (size_t f = 0; f < series.size(); ++f)
    series[f].finish(inputs.families[f].mean, inputs.families[f].scale);
}

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

/// Values of an encoder trained before, for family `name` of these.
void load_pretrained(StartingEncoders& start, const std::string& path, const std::string& name) {
  const SafetensorsFile file(path);
  int64_t loaded = 0;
  std::vector<NamedTensor> tensors;
  for (Parameter& parameter : start.group.parameters())
    tensors.push_back({parameter.name, parameter.value});
  start.encoders->add_buffers(tensors);
  const std::string own = "encoders/" + name + "/cnn/";
  for (NamedTensor& named : tensors) {
    if (!named.name.starts_with(own)) continue;
    const std::string end = named.name.substr(own.size());
    const auto& names = file.names();
    const auto found = std::ranges::find_if(names, [&](const std::string& candidate) {
      return candidate.starts_with("model/encoders/") && candidate.ends_with("/cnn/" + end);
    });
    require(found != names.end(), ErrorKind::Config, path, ": holds no encoder with ", end,
            ", which families.", name,
            ".encoder_params.pretrained_cnn_path asks for; name a "
            "checkpoint of a model with the same CNN");
    const HostArray array = file.read(*found);
    require(array.size() == named.tensor.size(), ErrorKind::Config, path, ": ", *found, " has ",
            array.size(), " values, families.", name, " needs ", named.tensor.size(),
            "; encoder_params.embedding_dim and the channels must be those it was trained with");
    named.tensor.write(array.values<float>());
    ++loaded;
  }
  require(loaded > 0, ErrorKind::Config, "families.", name,
          ".encoder_params.pretrained_cnn_path: its encoder has no CNN");
}

/// What leaves an encoder's output as it is.
CleanedFeature untouched(const std::string& name) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  return {.name = name,
          .fill = std::numeric_limits<float>::quiet_NaN(),
          .low = -kInfinity,
          .high = kInfinity};
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
  for (const FamilySpec& spec : encoders.specs()) {
    const FamilyShape& shape = spec.shape;
    if (spec.encoder == "identity") continue;
    int64_t made = 0;
    for (const std::string& family : encoders.families())
      made += family == shape.name || family.starts_with(shape.name + "_p") ? 1 : 0;
    std::string reads;
    if (shape.columns > 0) reads = fmt::format("{}D", shape.columns);
    if (shape.channels > 0)
      reads += fmt::format("{}grids {} x {} x {}", reads.empty() ? "" : " and ", shape.channels,
                           shape.grid.height, shape.grid.width);
    if (shape.series_features > 0)
      reads += fmt::format("series of {} x {}", shape.steps, shape.series_features);
    lines.push_back(fmt::format("  {}: {} -> {}D by {}{}", shape.name, reads, made, spec.encoder,
                                spec.params.trainable ? "" : " (not trained)"));
  }
  return lines;
}

bool uses_encoders(const Config& config) {
  return std::ranges::any_of(
      config.families, [](const FamilyConfig& family) { return family.encoder != "identity"; });
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
  if (prepared.columns.cols() > 0)
    inputs.normalizer = fit_normalizer(config.data.normalization, prepared.columns, prepared.train);
  fit_raw_statistics(inputs, *prepared.raw, prepared.train);

  auto start = std::make_shared<StartingEncoders>();
  start->encoders =
      std::make_unique<FamilyEncoders>(family_specs(config, inputs), prepared.columns.cols(),
                                       std::vector<int32_t>{}, start->group, device, seed);
  start->group.allocate(device);
  bool pretrained = false;
  for (const FamilyConfig& family : config.families)
    if (!family.encoder_params.pretrained_cnn_path.empty()) {
      load_pretrained(*start, family.encoder_params.pretrained_cnn_path, family.name);
      pretrained = true;
    }
  const EncodedRows rows(inputs, prepared.columns, prepared.raw, device);
  if (!pretrained) rows.average_statistics(*start->encoders, prepared.train, lengths_in(config, 0));
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
