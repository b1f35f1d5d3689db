#include <fmt/format.h>

#include <cmath>

#include "methods/linear_model.h"
#include "methods/step_training.h"
#include "report/acceptance.h"
#include "tessera/kmeans.h"

namespace tessera {
namespace {

double mean_square(const Tensor& t) {
  double sum = 0;
  for (const float value : t.to_host()) sum += double(value) * double(value);
  return sum / double(t.rows());
}

double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

LabCheck at_most(const std::string& name, double found, double bound) {
  return {name, fmt::format("{:.2e}", found), fmt::format("at most {:.0e}", bound), found <= bound};
}

void check_split(const LabProblem& problem, const AddCheck& add) {
  LinearModel model(problem);
  const LabMetrics m = model.measure(problem.eval);
  const double split =
      mean_square(problem.eval) - mean_square(model.latents(problem.eval)) + m.in_sub_dist;
  add(at_most("rec = |x|^2 - |z|^2 + |z - q|^2, relative difference",
              std::abs(m.recon_mse - split) / split, 1e-5));
}

/// At beta 1 the straight-through gradient and the commitment cancel: W moves by the decoder alone,
/// W + lrW (2/B) Q^T (X - Q W).
void check_cancellation(const LabProblem& problem, const AddCheck& add) {
  LabSettings s = problem.settings;
  s.commitment_weight = 1;
  LinearModel model(problem), moved(problem);
  tape_step([](const VqTable&, const Var& z, const Tensor& q) { return straight_through(z, q); })(
      moved, problem.eval, s, nullptr);
  const NearestCodes nearest =
      nearest_codes(model.table(), Var(model.latents(problem.eval)), Var(model.codebook().value));
  const auto on_host = [](const Tensor& t) {
    const std::vector<float> values = t.to_host();
    return SmallMatrix(t.rows(), t.cols(), {values.begin(), values.end()});
  };
  const SmallMatrix q = on_host(nearest.quantized.value()), x = on_host(problem.eval);
  SmallMatrix residual = product(q, model.encoder_values());
  for (size_t i = 0; i < residual.values.size(); ++i)
    residual.values[i] = x.values[i] - residual.values[i];
  SmallMatrix expected = transposed_product(q, residual);
  const SmallMatrix before = model.encoder_values();
  for (size_t i = 0; i < expected.values.size(); ++i)
    expected.values[i] =
        before.values[i] + s.encoder_rate * 2 / double(x.rows) * expected.values[i];
  add(at_most("beta = 1 leaves no gradient on the encoder's path, W after a step",
              largest_difference(moved.encoder_values().values, expected.values), 1e-5));
}

void check_polar(const LabProblem& problem, const AddCheck& add) {
  SmallMatrix w(problem.settings.latent_dim, problem.settings.data_dim, problem.encoder);
  for (size_t i = 0; i < w.values.size(); ++i) w.values[i] += 0.1 * std::sin(double(i));
  const SmallMatrix once = polar_factor(w);
  add(at_most("polar(polar(W)) = polar(W)",
              largest_difference(polar_factor(once).values, once.values), 1e-14));
}

void check_lloyd(const LabProblem& problem, const AddCheck& add) {
  LinearModel model(problem);
  const Tensor z = model.latents(problem.train);
  Tensor centres = kmeans_plus_plus(z.view(), problem.device,
                                    {.clusters = problem.settings.codebook_size, .seed = 1});
  double before = 0, rise = 0;
  for (int i = 0; i < 40; ++i) {
    double distortion = 0;
    lloyd_iteration(z.view(), centres, &distortion);
    if (i > 0) rise = std::max(rise, distortion / before - 1);
    before = distortion;
  }
  add(at_most("Lloyd iterations never raise the distortion, largest rise", rise, 1e-6));
}

/// What the bits of all methods are, on this thread's CPU.
std::vector<LabResult> all_results(const LabSettings& settings) {
  const LabProblem problem = make_lab_problem(settings, Device{});
  std::vector<LabResult> results;
  for (const LabMethod& method : lab_methods()) results.push_back(method.train(problem));
  return results;
}

bool same_bits(const std::vector<LabResult>& a, const std::vector<LabResult>& b) {
  bool same = a.size() == b.size();
  for (size_t i = 0; same && i < a.size(); ++i)
    same = a[i].encoder == b[i].encoder && a[i].codebook == b[i].codebook &&
           a[i].metrics.recon_mse == b[i].metrics.recon_mse;
  return same;
}

void check_bits(const AddCheck& add) {
  LabSettings s;
  s.train_rows = 6000;
  s.eval_rows = 1500;
  s.steps = 60;
  const int before = threads();
  set_threads(1);
  const std::vector<LabResult> one = all_results(s);
  set_threads(3);
  const bool three = same_bits(one, all_results(s));
  set_threads(before);
  const PrivateCpu alone;
  const bool own = same_bits(one, all_results(s));
  const auto text = [](bool same) { return same ? "the same" : "other"; };
  add({"bits of all methods with 1 and 3 threads, and beside other seeds",
       fmt::format("{}, {}", text(three), text(own)), "the same, the same", three && own});
}

}  // namespace

void check_identities(const LabOptions& options, const AddCheck& add) {
  LabSettings settings;
  settings.seed = options.first_seed;
  const LabProblem problem = make_lab_problem(settings, options.device);
  check_split(problem, add);
  check_cancellation(problem, add);
  check_polar(problem, add);
  check_lloyd(problem, add);
  check_bits(add);
}

}  // namespace tessera
