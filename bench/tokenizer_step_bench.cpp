// One training step of a categorical tokenizer as a trainer runs it: batch, forward, every loss,
// backward, Adam with clipping, codebook update, metrics.

#include <fmt/format.h>

#include <memory>

#include "bench/bench.h"
#include "bench/tokenizer_models.h"
#include "core/context.h"
#include "tessera/data.h"
#include "tessera/step.h"

namespace tessera::bench {
namespace {

constexpr int64_t kRows = 8192;
constexpr double kClipNorm = 1;

struct Weighted {
  const char* loss;
  float weight;
};
// Codebooks that are running averages take no gradient: of their terms the orthogonality is computed,
// as the reference does, the codebook term (the commitment's value) is not.
constexpr Weighted kLosses[] = {{"reconstruction", 1},
                                {"commitment", 0.25f},
                                {"informativeness", 0.1f},
                                {"codebook_orthogonality", 0.1f},
                                {"topographic", 0.3f}};

/// Features that hang together within a category: each is a mixture of three factors, and noise.
HostRows correlated_rows(const CategoricalOptions& options) {
  constexpr int64_t kFactors = 3;
  const auto categories = static_cast<int64_t>(options.categories.size());
  const auto factors = random_values(kRows * categories * kFactors, 1);
  const auto noise = random_values(kRows * options.features(), 2);
  const auto mix = random_values(options.features() * kFactors, 3);
  HostRows rows;
  rows.rows = kRows;
  rows.cols = options.features();
  rows.row_shape = {rows.cols};
  rows.where = "generated rows";
  rows.values.resize(kRows * rows.cols);
  for (int64_t n = 0; n < kRows; ++n)
    for (int64_t k = 0, f = 0; k < categories; ++k)
      for (const int64_t end = f + options.categories[k].features; f < end; ++f) {
        float value = 0.3f * noise[n * rows.cols + f];
        for (int64_t i = 0; i < kFactors; ++i)
          value += mix[f * kFactors + i] * factors[(n * categories + k) * kFactors + i];
        rows.values[n * rows.cols + f] = value;
      }
  return rows;
}

/// The step, its data and what it trains.
class Training {
 public:
  explicit Training(const TokenizerShape& shape)
      : batch_(shape.batch),
        data_(correlated_rows(shape.options), {.kind = "none", .mean = {}, .scale = {}}, Device{}),
        rows_(Buffer<int32_t>::from_host(split_rows(kRows, 0, 0).train, Device{})),
        model_(shape.options, {.batch_rows = shape.batch}, Device{}),
        state_(0, kRows / batch_, std::size(kLosses), Device{}) {
    std::vector<ScheduleRow> schedule(kRows / batch_);
    for (ScheduleRow& row : schedule) {
      row.learning_rate[kModelGroup] = 1e-3f;
      row.clip_norm[kModelGroup] = kClipNorm;
    }
    state_.write_schedule(schedule);
    model_.quantizer().initialize(model_.encode({}, Var(data_.rows_at(0, kRows))).value());
    step_.push_back(capture(Device{}, [this] { body(); }));
    first_error_ = reconstruction_error();
  }

  void run() {
    if (at_++ == kRows / batch_) {
      StepState state = state_.read();
      state.step_in_epoch = 0;
      ++state.epoch;
      state_.write(state);
      at_ = 1;
    }
    step_.front().replay();
  }
  std::string check() {
    if (state_.read().first_bad_step != 0) return "a loss is not finite";
    const double error = reconstruction_error();
    return error < first_error_ ? ""
                                : fmt::format("reconstruction error {} after training, {} before",
                                              error, first_error_);
  }
  /// What a step asks for beyond what stays between steps.
  std::string note() {
    const StepCounts& counts = step_.front().counts();
    int64_t kept = 4 * model_.model_group().size() + data_.rows() * data_.cols();
    for (const NamedTensor& tensor : model_.tensors()) kept += tensor.tensor.size();
    kept -= model_.model_group().parameter_count();  // counted with its gradient and moments
    constexpr double kMiB = 1 << 20;
    return fmt::format(
        "{} launches; {:.1f} MiB in the step beyond the {:.1f} MiB that stay "
        "(parameters, gradients, moments, codebooks, data)",
        counts.launches(), double(counts.step_bytes) / kMiB, double(kept) * sizeof(real) / kMiB);
  }

 private:
  void body() {
    state_.advance();
    Tape tape;
    const Pass pass{.tape = &tape, .state = &state_, .training = true};
    const Var x(load_batch(data_.source(), rows_, batch_, batch_, state_));
    const TokenizerOutput out = model_.forward(pass, x);
    const LossInputs inputs = model_.loss_inputs(out, x, pass);
    std::vector<Tape::Term> terms;
    std::vector<const Tensor*> values;
    terms.reserve(std::size(kLosses));
    for (const Weighted& term : kLosses) {
      terms.push_back({loss_named(term.loss)(inputs), term.weight});
      values.push_back(&terms.back().loss.value());
    }
    tape.backward(terms);
    model_.model_group().adam_step(state_, true);
    model_.codebook_group().adam_step(state_, true);
    model_.quantizer().update(out.code, out.latents.value(), state_);
    state_.record_terms(values, batch_);
  }
  double reconstruction_error() {
    const Tensor x = data_.rows_at(0, batch_);
    const LossInputs inputs = model_.loss_inputs(model_.forward({}, Var(x), false), Var(x), {});
    return double(reconstruction_loss(inputs).value().to_host()[0]);
  }

  int64_t batch_, at_ = 0;
  Dataset data_;
  Buffer<int32_t> rows_;
  CategoricalTokenizer model_;
  TrainingState state_;
  std::vector<CapturedStep> step_;
  double first_error_ = 0;
};

/// Multiply-adds of the linear layers, thrice where their input takes a gradient, and of the search.
/// For the topographic loss a subtraction and a multiply-add for each pair of rows and column of
/// distances, rows' and latents', and a multiply-add for each of all ordered pairs and column of the
/// latents' gradient. Distances between quantized rows are those of a few codes and count nothing, nor
/// does what is computed twice, nor do roots, norms, draws and Adam.
double step_flop(const TokenizerShape& shape) {
  const CategoricalOptions& o = shape.options;
  double layers = 0, search = 0, latents = 0;
  for (const CategorySpec& category : o.categories) {
    double dims = 0;
    for (const LevelSize& level : category.levels) {
      dims += double(*level.code_dim);
      search += double(*level.code_dim * *level.codebook_size);
      layers += 3 * double(o.partial_hidden) * double(*level.code_dim + category.features);
    }
    layers += 2 * double(category.features * o.hidden_dim);
    layers += 3 * double(o.embedding_dim) * (double(o.hidden_dim) + dims);
    latents += dims;
  }
  layers += 3 * double(o.decoder_hidden) * (latents + double(o.features()));
  const double samples = double(std::min(shape.batch, o.topographic_samples));
  const double pairs = samples * samples;
  return 2 * double(shape.batch) * (layers + search) +
         pairs * (1.5 * (double(o.features()) + latents) + 2 * latents);
}

Case one(const TokenizerShape& shape) {
  Case c;
  c.name = fmt::format("tokenizer_step/{}/batch{}", shape.name, shape.batch);
  c.flop = step_flop(shape);
  c.prepare = [shape] {
    const auto training = std::make_shared<Training>(shape);
    return Work{[training] { training->run(); }, [training] { return training->check(); },
                [training] { return training->note(); }};
  };
  return c;
}

}  // namespace

std::vector<Case> tokenizer_step_cases() { return {one(shape_p()), one(shape_s())}; }

}  // namespace tessera::bench
