// One training step of a categorical tokenizer as a trainer runs it: batch, forward, every loss,
// backward, Adam with clipping, codebook update, metrics.

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "bench/bench.h"
#include "bench/gpu.h"
#include "bench/tokenizer_flop.h"
#include "bench/tokenizer_models.h"
#include "tessera/data.h"
#include "tessera/step.h"

namespace tessera::bench {
namespace {

constexpr int64_t kRows = 8192;
constexpr double kClipNorm = 1;

// By default, where categories are learned.
constexpr WeightedTerm kAssignmentLosses[] = {{"assign_orthogonality", 0.1f},
                                              {"assign_balance", 0.05f}};

std::vector<WeightedTerm> losses_of(const TokenizerShape& shape) {
  std::vector<WeightedTerm> losses(std::begin(kTokenizerLosses), std::end(kTokenizerLosses));
  if (shape.is_learned())
    losses.insert(losses.end(), std::begin(kAssignmentLosses), std::end(kAssignmentLosses));
  return losses;
}

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
  explicit Training(const TokenizerShape& shape, Device device = {})
      : shape_(shape),
        device_(device),
        batch_(shape.batch),
        losses_(losses_of(shape)),
        data_(correlated_rows(shape.options), {.kind = "none", .mean = {}, .scale = {}}, device),
        rows_(Buffer<int32_t>::from_host(split_rows(kRows, 0, 0).train, device)),
        model_(shape.options, {.batch_rows = shape.batch}, device),
        state_(0, kRows / batch_, static_cast<int>(losses_.size()), device) {
    std::vector<ScheduleRow> schedule(kRows / batch_);
    for (ScheduleRow& row : schedule) {
      row.learning_rate[kModelGroup] = row.learning_rate[kAssignmentGroup] = 1e-3f;
      row.clip_norm[kModelGroup] = row.clip_norm[kAssignmentGroup] = kClipNorm;
      row.temperature = 1;
    }
    state_.write_schedule(schedule);
    begin_assignment();
    model_.quantizer().initialize(model_.encode({}, Var(data_.rows_at(0, kRows))).value());
    step_.push_back(capture(device, [this] { body(); }));
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
  void run_repeatedly() {
    run_on(device_, [this](auto&) { run(); });
  }
  std::string check() {
    if (state_.read().first_bad_step != 0) return "a loss is not finite";
    const double error = reconstruction_error();
    return error < first_error_ ? ""
                                : fmt::format("reconstruction error {} after training, {} before",
                                              error, first_error_);
  }
  int64_t launches() const { return step_.front().counts().launches(); }
  /// What a step asks for beyond what stays between steps.
  std::string note() {
    const StepCounts& counts = step_.front().counts();
    int64_t kept = 4 * (model_.model_group().size() + model_.assignment_group().size()) +
                   data_.rows() * data_.cols();
    for (const NamedTensor& tensor : model_.tensors()) kept += tensor.tensor.size();
    // Counted with their gradients and moments.
    kept -= model_.model_group().parameter_count() + model_.assignment_group().parameter_count();
    constexpr double kMiB = 1 << 20;
    return fmt::format(
        "{} launches; {:.1f} MiB in the step beyond the {:.1f} MiB that stay "
        "(parameters, gradients, moments, codebooks, data)",
        counts.launches(), double(counts.step_bytes) / kMiB, double(kept) * sizeof(real) / kMiB);
  }

  /// How skipping changes the total of a batch in evaluation. The step is not run again after it.
  std::string skipping_note() {
    const double skipped = total();
    model_.learned()->skip_below(0);
    const double whole = total();
    return fmt::format("; skipping changes the total from {:.6f} by {:+.1e}", whole,
                       skipped - whole);
  }

 private:
  void begin_assignment() {
    LearnedAssignment* learned = model_.learned();
    if (!learned) return;
    std::vector<float> logits(static_cast<size_t>(learned->features() * learned->categories()),
                              -shape_.logit);
    int64_t feature = 0;
    for (int64_t k = 0; k < learned->categories(); ++k)
      for (int64_t i = 0; i < shape_.options.categories[k].features; ++i)
        logits[feature++ * learned->categories() + k] = shape_.logit;
    learned->write_logits(logits);
    learned->keep_epoch_logits();
    learned->set_evaluation(1, false);
    learned->skip_below(shape_.skip_below);
  }
  double total() {
    const Var x(data_.rows_at(0, batch_));
    const LossInputs inputs = model_.loss_inputs(model_.forward({}, x), x, {});
    double sum = 0;
    for (const WeightedTerm& term : losses_)
      sum += double(term.weight) * double(loss_named(term.loss)(inputs).value().to_host()[0]);
    return sum;
  }
  void body() {
    state_.advance();
    Tape tape;
    const Pass pass{.tape = &tape, .state = &state_, .training = true};
    const Var x(load_batch(data_.source(), rows_, batch_, batch_, state_));
    const TokenizerOutput out = model_.forward(pass, x);
    const LossInputs inputs = model_.loss_inputs(out, x, pass);
    std::vector<Tape::Term> terms;
    std::vector<const Tensor*> values;
    terms.reserve(losses_.size());
    for (const WeightedTerm& term : losses_) {
      terms.push_back({loss_named(term.loss)(inputs), term.weight});
      values.push_back(&terms.back().loss.value());
    }
    tape.backward(terms);
    model_.model_group().adam_step(state_, true);
    model_.assignment_group().adam_step(state_, true);
    model_.codebook_group().adam_step(state_, true);
    model_.quantizer().update(out.code, out.latents.value(), state_);
    state_.record_terms(values, batch_);
  }
  double reconstruction_error() {
    const Tensor x = data_.rows_at(0, batch_);
    const LossInputs inputs = model_.loss_inputs(model_.forward({}, Var(x), false), Var(x), {});
    return double(reconstruction_loss(inputs).value().to_host()[0]);
  }

  TokenizerShape shape_;
  Device device_;
  int64_t batch_, at_ = 0;
  std::vector<WeightedTerm> losses_;
  Dataset data_;
  Buffer<int32_t> rows_;
  CategoricalTokenizer model_;
  TrainingState state_;
  std::vector<CapturedStep> step_;
  double first_error_ = 0;
};

/// Median seconds of `a` over those of `b`, run in turns: whatever else runs slows both.
double measured_ratio(Training& a, Training& b) {
  constexpr size_t kTurns = 9;
  std::vector<double> ratios;
  for (size_t turn = 0; turn < kTurns; ++turn) {
    const double start = now();
    a.run();
    const double middle = now();
    b.run();
    ratios.push_back((middle - start) / (now() - middle));
  }
  std::nth_element(ratios.begin(), ratios.begin() + kTurns / 2, ratios.end());
  return ratios[kTurns / 2];
}

/// A step that learns its categories beside the one whose categories are given.
Case learning_case(const TokenizerShape& given, const TokenizerShape& shape) {
  Case c;
  c.name = fmt::format("tokenizer_step/{}", shape.name);
  c.flop = step_flop(shape);
  c.prepare = [given, shape] {
    const auto training = std::make_shared<Training>(shape);
    const int64_t few = Training(half_of(shape)).launches();
    const auto check = [training, few] {
      return training->launches() == few ? training->check()
                                         : fmt::format("{} launches, {} with half the categories",
                                                       training->launches(), few);
    };
    const auto note = [training, given, shape] {
      Training fixed(given);
      const double counted = step_flop(shape) / step_flop(given),
                   measured = measured_ratio(*training, fixed);
      return fmt::format(
          "{}\n    {:.2f}x the step of given categories ({} launches), counted {:.2f}x: {:.2f} of "
          "that; as many launches with half the categories{}",
          training->note(), measured, fixed.launches(), counted, measured / counted,
          shape.skip_below > 0 ? training->skipping_note() : "");
    };
    return Work{[training] { training->run(); }, check, note};
  };
  return c;
}

Case one(const TokenizerShape& shape, Device device) {
  Case c;
  c.name = fmt::format("{}/{}/batch{}", area_on("tokenizer_step", device), shape.name, shape.batch);
  c.repeats = repeats_on(device);
  c.gpu = is_gpu(device);
  c.flop = step_flop(shape);
  c.prepare = [shape, device] {
    const auto training = std::make_shared<Training>(shape, device);
    return Work{[training] { training->run_repeatedly(); }, [training] { return training->check(); },
                [training] { return training->note(); }};
  };
  return c;
}

}  // namespace

std::vector<Case> tokenizer_step_cases() {
  const TokenizerShape p = shape_p();
  std::vector<Case> cases = {one(p, {}), learning_case(p, learned(p)), learning_case(p, sharpened(p)),
                             one(shape_s(), {})};
  for (const Device device : bench_devices())
    if (is_gpu(device))
      for (const TokenizerShape& shape : {p, learned(p), shape_s()})
        cases.push_back(one(shape, device));
  return cases;
}

}  // namespace tessera::bench
