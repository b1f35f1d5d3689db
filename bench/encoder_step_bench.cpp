// One training step of a categorical tokenizer whose features are made by encoders of grids and series,
// as a trainer runs it: raw batch, encoders, tokenizer, every loss, backward, Adam with clipping, codebook
// update. bench/peers/torch_encoder_step.py has the same model.

#include <fmt/format.h>

#include <array>
#include <map>
#include <memory>
#include <numeric>
#include <optional>

#include "bench/bench.h"
#include "bench/gpu.h"
#include "bench/tokenizer_flop.h"
#include "tessera/grid_nn.h"
#include "tessera/series_lengths.h"
#include "tessera/step.h"
#include "training/encoded_rows.h"

namespace tessera::bench {
namespace {

constexpr int64_t kBatch = 64, kRows = 1024;
constexpr int64_t kManual = 14, kGrid = 64, kGridDim = 128;
constexpr int64_t kSteps = 256, kSeries = 24;
constexpr int64_t kCategories = 8;
const std::vector<int64_t> kLevelDims = {32, 64, 96, 128}, kFactors = {1, 2, 4, 8};
const std::vector<int64_t> kLengths = {16, 32, 64, 128, 256};  // of the ragged batches

int64_t features() {
  return std::accumulate(kLevelDims.begin(), kLevelDims.end(), kManual + kGridDim);
}

std::vector<std::string> names(int64_t count) {
  std::vector<std::string> result;
  for (int64_t i = 0; i < count; ++i) result.push_back(std::to_string(i));
  return result;
}

EncoderInputs inputs() {
  EncoderInputs in;
  EncodedFamilyInput initial{.shape = {.name = "initial",
                                       .columns = kManual,
                                       .column_names = names(kManual),
                                       .channels = 1,
                                       .grid = {kGrid, kGrid}}};
  initial.columns.resize(kManual);
  std::iota(initial.columns.begin(), initial.columns.end(), 0);
  in.families = {initial,
                 {.shape = {.name = "temporal", .series_features = kSeries, .steps = kSteps},
                  .mean = std::vector<float>(kSeries, 0),
                  .scale = std::vector<float>(kSeries, 1)}};
  in.channel_mean = {0};
  in.channel_scale = {1};
  return in;
}

TokenizerShape shape() {
  TokenizerShape shape = equal_categories("encoders", kBatch, features(), kCategories);
  const EncoderInputs in = inputs();
  shape.options.input_columns = kManual;
  shape.options.families = {{.shape = in.families[0].shape,
                             .encoder = "InitialHybridEncoder",
                             .params = {.embedding_dim = kGridDim},
                             .columns = in.families[0].columns},
                            {.shape = in.families[1].shape,
                             .encoder = "PyramidTemporalEncoder",
                             .params = {.level_dims = kLevelDims, .downsample_factors = kFactors}}};
  return shape;
}

/// Values that depend on three factors of the row, and noise.
std::vector<float> correlated(int64_t values, unsigned seed) {
  constexpr int64_t kFactors = 3;
  const auto factors = random_values(kRows * kFactors, 1),
             mix = random_values(values * kFactors, seed);
  std::vector<float> rows = random_values(kRows * values, seed + 1);
  for (int64_t i = 0; i < kRows * values; ++i)
    for (int64_t f = 0; f < kFactors; ++f)
      rows[i] += mix[i % values * kFactors + f] * factors[i / values * kFactors + f];
  return rows;
}

class GeneratedInputs final : public RawInputs {
 public:
  GeneratedInputs()
      : grids_(correlated(kGrid * kGrid, 2)), values_(correlated(kSteps * kSeries, 4)) {
    path_ = "generated rows";
    rows_ = kRows;
    grid_shape_ = {1, kGrid, kGrid};
    series_ = {{"temporal", kSteps, names(kSeries)}};
  }
  RawBatch read(std::span<const int32_t> rows) const override {
    RawBatch batch{.rows = static_cast<int64_t>(rows.size()),
                   .grids = taken(grids_, rows),
                   .series = {taken(values_, rows)},
                   .lengths = std::vector<int32_t>(rows.size(), kSteps)};
    return batch;
  }

 private:
  static std::vector<float> taken(const std::vector<float>& from, std::span<const int32_t> rows) {
    const size_t each = from.size() / kRows;
    std::vector<float> values;
    values.reserve(rows.size() * each);
    for (const int32_t row : rows)
      values.insert(values.end(), from.begin() + row * each, from.begin() + (row + 1) * each);
    return values;
  }
  std::vector<float> grids_, values_;
};

FeatureMatrix manual_columns() {
  FeatureMatrix matrix;
  matrix.rows = kRows;
  matrix.names = names(kManual);
  matrix.values = correlated(kManual, 6);
  return matrix;
}

/// Positions along an axis after the stem, its pooling and each block.
std::array<double, 5> positions(int64_t size) {
  std::array<double, 5> left;
  for (double& n : left) {
    size = (size + 1) / 2;
    n = static_cast<double>(size);
  }
  return left;
}

/// Multiply-adds of a ResNet3's convolutions in a step for one sample, taps beyond the border too, thrice
/// where their input takes a gradient.
double backbone_terms(int64_t channels, int64_t size, int axes) {
  const auto sizes = positions(size);
  const auto rows = [&](size_t i) { return axes == 2 ? sizes[i] * sizes[i] : sizes[i]; };
  const double seven = axes == 2 ? 49 : 7, three = axes == 2 ? 9 : 3;
  const ResNet3::Widths& widths = ResNet3::kWidths;
  double sum = 2 * rows(0) * seven * double(channels * widths[0]);
  for (size_t i = 1; i < widths.size(); ++i) {
    const double in = double(widths[i - 1]), out = double(widths[i]);
    sum += 3 * rows(i + 1) * out * (three * (in + out) + in);
  }
  return sum;
}

/// Convolutions and linear layers; of ragged batches, what the lengths' mean gives.
double flop(bool ragged) {
  const double last = double(ResNet3::kWidths.back());
  double sample = backbone_terms(1, kGrid, 2) + 3 * last * kGridDim;
  const std::vector<int64_t> lengths = ragged ? kLengths : std::vector<int64_t>{kSteps};
  for (size_t level = 0; level < kFactors.size(); ++level) {
    sample += 3 * last * double(kLevelDims[level]);
    for (const int64_t length : lengths)
      sample += backbone_terms(kSeries, std::max<int64_t>(1, length / kFactors[level]), 1) /
                double(lengths.size());
  }
  const TokenizerShape tokenizer = shape();
  sample += double(features() * tokenizer.options.hidden_dim);  // the features take a gradient
  return 2 * double(kBatch) * sample + step_flop(tokenizer);
}

class Training {
 public:
  Training(bool ragged, Device device)
      : device_(device),
        rows_(inputs(), manual_columns(), std::make_shared<GeneratedInputs>(), device),
        model_(shape().options, {.batch_rows = kBatch}, device),
        state_(0, kRows / kBatch, static_cast<int>(std::size(kTokenizerLosses)), device) {
    if (ragged)
      lengths_.emplace(VariableLengthParams{.enabled = true,
                                            .min_timesteps = kLengths.front(),
                                            .max_timesteps = kLengths.back(),
                                            .sampling_strategy = "fixed_bins",
                                            .length_bins = kLengths},
                       0, "bench");
    std::vector<ScheduleRow> schedule(kRows / kBatch);
    for (ScheduleRow& row : schedule) {
      row.learning_rate[kModelGroup] = 1e-3f;
      row.clip_norm[kModelGroup] = 1;
      row.temperature = 1;
    }
    state_.write_schedule(schedule);
    std::vector<int32_t> first(kRows);
    std::iota(first.begin(), first.end(), 0);
    first_features_ =
        model_.encoders()->features({.training = true}, rows_.batch(first, lengths())).value();
    model_.quantizer().initialize(model_.encode({}, Var(first_features_)).value());
    first_error_ = reconstruction_error();
  }

  void run() {
    if (++at_ == kRows / kBatch) {
      StepState state = state_.read();
      state.step_in_epoch = 0;
      ++state.epoch;
      state_.write(state);
      at_ = 0;
      ++epoch_;
    }
    counts_ = run_step(device_, [this] { body(); });
  }

  /// The tokenizer on the features that the untrained encoders made: they only move by degrees.
  std::string check() {
    if (state_.read().first_bad_step != 0) return "a loss is not finite";
    const double error = reconstruction_error();
    return error < first_error_ ? ""
                                : fmt::format("reconstruction error {} after training, {} before",
                                              error, first_error_);
  }

  std::string note() const {
    std::map<std::string, int> launched;
    for (const char* name : counts_.launched) ++launched[name];
    std::string all;
    for (const auto& [name, count] : launched)
      if (count > 4) all += fmt::format("{}{} {}", all.empty() ? "" : ", ", count, name);
    return fmt::format("{} launches ({}); {:.1f} MiB in the step", counts_.launches(), all,
                       double(counts_.step_bytes) / (1 << 20));
  }

 private:
  EncodedRows::Lengths lengths() const {
    if (!lengths_) return {};
    return
        [this](int32_t row, int32_t available) { return lengths_->length(epoch_, row, available); };
  }

  void body() {
    state_.advance();
    Tape tape;
    const Pass pass{.tape = &tape, .state = &state_, .training = true};
    std::vector<int32_t> numbers(kBatch);
    std::iota(numbers.begin(), numbers.end(), static_cast<int32_t>(at_ * kBatch));
    const Var x = model_.encoders()->features(pass, rows_.batch(numbers, lengths()));
    const TokenizerOutput out = model_.forward(pass, x);
    const LossInputs losses = model_.loss_inputs(out, stop_gradient(x), pass);
    std::vector<Tape::Term> terms;
    for (const WeightedTerm& term : kTokenizerLosses)
      terms.push_back({loss_named(term.loss)(losses), term.weight});
    std::vector<Tensor> values;
    for (const Tape::Term& term : terms) values.push_back(term.loss.value());
    tape.backward(terms);
    model_.model_group().adam_step(state_, true);
    model_.quantizer().update(out.code, out.latents.value(), state_);
    std::vector<const Tensor*> pointers;
    for (const Tensor& value : values) pointers.push_back(&value);
    state_.record_terms(pointers, kBatch);
  }

  double reconstruction_error() {
    const Var x(first_features_);
    const LossInputs losses = model_.loss_inputs(model_.forward({}, x, false), x, {});
    return double(reconstruction_loss(losses).value().to_host()[0]);
  }

  Device device_;
  EncodedRows rows_;
  CategoricalTokenizer model_;
  TrainingState state_;
  std::optional<SeriesLengths> lengths_;
  Tensor first_features_;
  double first_error_ = 0;
  int64_t at_ = -1;
  uint64_t epoch_ = 0;
  StepCounts counts_;
};

Case one(bool ragged, Device device) {
  Case c;
  c.name = fmt::format("{}/{}", area_on("encoder_step", device), ragged ? "ragged" : "fixed");
  c.repeats = repeats_on(device);
  c.gpu = is_gpu(device);
  c.flop = flop(ragged);
  c.prepare = [ragged, device] {
    const auto training = std::make_shared<Training>(ragged, device);
    return Work{[training, device] { run_on(device, [&](auto&) { training->run(); }); },
                [training] { return training->check(); }, [training] { return training->note(); }};
  };
  return c;
}

}  // namespace

std::vector<Case> encoder_step_cases() {
  std::vector<Case> cases;
  for (const Device device : bench_devices())
    for (const bool ragged : {false, true}) cases.push_back(one(ragged, device));
  return cases;
}

}  // namespace tessera::bench
