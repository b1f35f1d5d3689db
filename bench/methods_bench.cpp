// One training step of the lab's methods at their default size: batch drawn and gathered, forward,
// losses, backward, update, polar factor. D=64, m=4, K=32, batch 1024.

#include <fmt/format.h>

#include <cmath>
#include <memory>

#include "bench/bench.h"
#include "methods/ste_manual.h"
#include "methods/step_training.h"

namespace tessera::bench {
namespace {

Var pass(const VqTable&, const Var& z, const Tensor& q) { return straight_through(z, q); }

struct Training {
  LabProblem problem;
  StepTraining steps;

  Training(const LabSettings& settings, const LabStep& step)
      : problem(make_lab_problem(settings, Device{})), steps(problem, step) {}

  std::string check() {
    const LabMetrics m = steps.model().measure(problem.eval);
    const double start = LinearModel(problem).measure(problem.eval).recon_mse;
    return std::isfinite(m.recon_mse) && m.recon_mse < 1.05 * start
               ? ""
               : fmt::format("recon_mse {} after training, {} before", m.recon_mse, start);
  }
};

Case one(const char* name, const LabStep& step) {
  const LabSettings settings;
  const auto batch = double(settings.batch), dim = double(settings.data_dim),
             m = double(settings.latent_dim), codes = double(settings.codebook_size);
  Case c;
  c.name = fmt::format("methods/{}/batch{}", name, settings.batch);
  c.flop = 2 * batch * m * (5 * dim + codes);
  c.prepare = [settings, step] {
    const auto training = std::make_shared<Training>(settings, step);
    return Work{[training] { training->steps.step(); }, [training] { return training->check(); }};
  };
  return c;
}

}  // namespace

std::vector<Case> methods_cases() {
  return {one("ste_autograd", tape_step(pass)), one("rotation", tape_step(rotation_trick)),
          one("ste_manual", manual_step)};
}

}  // namespace tessera::bench
