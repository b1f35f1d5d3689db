#pragma once

#include "methods/linear_model.h"

namespace tessera::inline TESSERA_PRECISION {

/// One update of the model from a batch x [batch, D], without the projection of the encoder. Where
/// `losses` is not null, it also says what the batch's losses were.
using LabStep =
    std::function<void(LinearModel& model, const Tensor& x, const LabSettings&, LabLosses* losses)>;

/// A method under way: draws batches, steps, projects.
class StepTraining {
 public:
  StepTraining(const LabProblem& problem, LabStep step);

  /// Throws Error (Numeric) where the encoder is no longer finite.
  void step(LabLosses* losses = nullptr);
  int64_t steps_done() const { return done_; }
  LinearModel& model() { return model_; }

 private:
  const LabProblem& problem_;
  LabStep step_;
  LinearModel model_;
  Buffer<int32_t> rows_;
  std::vector<int32_t> drawn_;
  int64_t done_ = 0;
};

/// All steps of the problem, measured every log interval and after the last.
LabResult train_in_steps(const LabProblem& problem, const LabStep& step);

/// The estimator of a method that trains through the tape: what the decoder receives. It has the
/// value of the hard code rows; its gradient goes to the latents.
using Estimator = Var (*)(const VqTable& table, const Var& latents, const Tensor& quantized);

/// One gradient step of
///   mean |x - xhat|^2 + alpha mean |sg(z) - q|^2 + beta mean |z - sg(q)|^2
/// through the tape; norms are summed over features, means are over rows. Plain gradient descent.
LabStep tape_step(Estimator estimator);

}  // namespace tessera::inline TESSERA_PRECISION
