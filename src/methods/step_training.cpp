#include "methods/step_training.h"

#include <cmath>
#include <limits>

#include "core/context.h"
#include "tessera/batch.h"
#include "tessera/kernels/elementwise.h"
#include "tessera/loss.h"
#include "tessera/step.h"

namespace tessera::inline TESSERA_PRECISION {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

void descend(Parameter& parameter, double rate) {
  on_device(parameter.value.device(), [&](auto& context) {
    kernels::scale_add(context, {.x = parameter.grad.flat(),
                                 .y = parameter.value.mutable_flat(),
                                 .alpha = real(-rate),
                                 .beta = 1});
  });
}

bool is_finite(const LabLosses& losses) {
  return std::isfinite(losses.rec) && std::isfinite(losses.codebook) &&
         std::isfinite(losses.commit);
}

}  // namespace

StepTraining::StepTraining(const LabProblem& problem, LabStep step)
    : problem_(problem),
      step_(std::move(step)),
      model_(problem),
      rows_(problem.settings.batch, problem.device, Lifetime::Persistent),
      drawn_(static_cast<size_t>(problem.settings.batch)) {}

void StepTraining::step(LabLosses* losses) {
  problem_.draw_batch(++done_, drawn_);
  rows_.write(drawn_);
  const Tensor& train = problem_.train;
  const RowSource source = {.bytes = nullptr,
                            .values = train.view().data,
                            .rows = train.rows(),
                            .cols = train.cols(),
                            .scale = 1};
  run_step(problem_.device, [&] {
    const Tensor x = gather_rows(source, rows_, 0, rows_.size(), problem_.device);
    step_(model_, x, problem_.settings, losses);
  });
  model_.project();
}

LabResult train_in_steps(const LabProblem& problem, const LabStep& step) {
  StepTraining training(problem, step);
  const LabSettings& s = problem.settings;
  std::vector<LabLogEntry> log = {
      {0, {kNone, kNone, kNone}, training.model().measure(problem.eval)}};
  while (training.steps_done() < s.steps) {
    const int64_t next = training.steps_done() + 1;
    const bool logged = next % s.log_interval == 0 || next == s.steps;
    LabLosses losses;
    bool finite = true;
    try {
      training.step(logged ? &losses : nullptr);
    } catch (const Error& error) {  // the encoder; a codebook alone shows in the losses
      if (error.kind() != ErrorKind::Numeric) throw;
      finite = false;
    }
    if (!finite || !is_finite(losses))
      return {.metrics = {kNone, kNone, kNone, kNone},
              .log = std::move(log),
              .encoder = {},
              .codebook = {},
              .diverged_at = next};
    if (logged) log.push_back({next, losses, training.model().measure(problem.eval)});
  }
  LabResult result{.metrics = log.back().metrics,
                   .log = std::move(log),
                   .encoder = training.model().encoder_values().values,
                   .codebook = training.model().codebook_values().values};
  return result;
}

LabStep tape_step(Estimator estimator) {
  return [estimator](LinearModel& model, const Tensor& x, const LabSettings& s, LabLosses* losses) {
    Tape tape;
    const Var w = tape.parameter(model.encoder()), e = tape.parameter(model.codebook());
    const Var z = linear(Var(x), w, {});
    const NearestCodes nearest = nearest_codes(model.table(), z, e);
    const Var xhat = linear_transposed(estimator(model.table(), z, nearest.quantized.value()), w);
    const LossInputs in{
        .prediction = xhat, .target = Var(x), .latents = z, .quantized = nearest.quantized};
    // The losses are means over all elements; these are sums over features.
    const double features = double(x.cols()), columns = double(z.cols());
    const Tape::Term terms[] = {{reconstruction_loss(in), real(features)},
                                {codebook_loss(in), real(s.codebook_weight * columns)},
                                {commitment_loss(in), real(s.commitment_weight * columns)}};
    tape.backward({terms[0], terms[1], terms[2]});
    if (losses != nullptr) {
      const auto value = [](const Tape::Term& term) {
        return double(term.weight) * double(term.loss.value().to_host()[0]);
      };
      *losses = {value(terms[0]), value(terms[1]), value(terms[2])};
    }
    descend(model.encoder(), s.encoder_rate);
    descend(model.codebook(), s.codebook_rate);
  };
}

}  // namespace tessera::inline TESSERA_PRECISION
