// Figures of the reference program, measured over many seeds of its own generator, and the rule by
// which ours agree: a mean within three standard errors of both, a spread within a factor 1.6.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/acceptance.h"

namespace tessera {
namespace {

constexpr double kErrors = 3, kSpreadFactor = 1.6;
const std::vector<std::string> kFour = {"pca_lloyd", "ste_autograd", "ste_manual", "rotation"};

/// The reference's mean and standard deviation over its seeds.
struct Target {
  const char *point, *method;
  double mean, sd;
  int seeds;
};

// D=64, m=4, K=32, 500 steps, batch 1024, lrW 0.05 (by hand 0.08).
constexpr Target kHeadline[] = {{"500 steps", "pca_lloyd", 2.4348, 0.0224, 30},
                                {"500 steps", "ste_autograd", 2.4342, 0.0302, 30},
                                {"500 steps", "ste_manual", 2.4319, 0.0283, 30},
                                {"500 steps", "rotation", 2.4339, 0.0300, 30},
                                {"500 steps", "projection", 2.4339, 0.0300, 30}};
// 300 steps.
constexpr Target kSweeps[] = {{"K=8", "pca_lloyd", 3.8350, 0.0434, 10},
                              {"K=8", "ste_autograd", 3.8333, 0.0376, 10},
                              {"K=8", "ste_manual", 3.8211, 0.0301, 10},
                              {"K=8", "rotation", 3.8348, 0.0377, 10},
                              {"K=16", "pca_lloyd", 3.0408, 0.0355, 10},
                              {"K=16", "ste_autograd", 3.0375, 0.0341, 10},
                              {"K=16", "ste_manual", 3.0261, 0.0351, 10},
                              {"K=16", "rotation", 3.0377, 0.0342, 10},
                              {"K=32", "pca_lloyd", 2.4350, 0.0250, 10},
                              {"K=32", "ste_autograd", 2.4326, 0.0296, 10},
                              {"K=32", "ste_manual", 2.4271, 0.0311, 10},
                              {"K=32", "rotation", 2.4330, 0.0303, 10},
                              {"K=64", "pca_lloyd", 1.9692, 0.0190, 10},
                              {"K=64", "ste_autograd", 1.9764, 0.0253, 10},
                              {"K=64", "ste_manual", 1.9745, 0.0206, 10},
                              {"K=64", "rotation", 1.9764, 0.0254, 10},
                              {"beta=0", "ste_manual", 2.4267, 0.031, 10},
                              {"beta=0", "ste_autograd", 2.4326, 0.030, 10},
                              {"beta=0", "rotation", 2.4330, 0.030, 10},
                              {"beta=0.1", "ste_manual", 2.4286, 0.031, 10},
                              {"beta=0.1", "ste_autograd", 2.4327, 0.030, 10},
                              {"beta=0.1", "rotation", 2.4329, 0.030, 10},
                              {"beta=0.5", "ste_manual", 2.4278, 0.031, 10},
                              {"beta=0.5", "ste_autograd", 2.4328, 0.030, 10},
                              {"beta=0.5", "rotation", 2.4330, 0.030, 10},
                              {"beta=1", "ste_manual", 2.4293, 0.031, 10},
                              {"beta=1", "ste_autograd", 2.4332, 0.030, 10},
                              {"beta=1", "rotation", 2.4332, 0.030, 10}};

/// A change against the baseline of the headline, percent, with the reference's standard error.
struct Control {
  const char *name, *point, *method;
  double percent, se;
};
constexpr Control kControls[] = {
    {"start alone: 8000 rows, 20 iterations", "500 steps", "start", 0.54, 0.12},
    {"autograd with lrW 0", "lrW=0", "ste_autograd", -0.05, 0.10},
    {"no gradient to the latents", "500 steps", "no_gradient", -0.06, 0.11},
    {"by hand with lrE/32", "lrE=0.2/32", "ste_manual", -0.07, 0.11},
    {"autograd with lrE 6.4", "lrE=6.4", "ste_autograd", -0.23, 0.15},
    {"autograd, 2000 steps", "2000 steps", "ste_autograd", -0.36, 0.11},
    {"Lloyd, 300 iterations", "Lloyd 300", "pca_lloyd", -0.26, 0.08},
    {"Lloyd, best of 10 starts", "500 steps", "lloyd_best", -0.53, 0.14},
};

const PointSummary& point_named(const LabOutcome& outcome, std::string_view name) {
  return *std::find_if(outcome.points.begin(), outcome.points.end(),
                       [&](const PointSummary& p) { return p.point.name == name; });
}

/// recon_mse of every seed, in order; "start" is the start of the tape's methods.
std::vector<double> errors_of(const LabOutcome& outcome, std::string_view point,
                              const std::string& method) {
  std::vector<double> values;
  for (const LabRun& run : outcome.runs)
    if (run.point == point)
      values.push_back(method == "start"
                           ? run.results.at("ste_autograd").log.front().metrics.recon_mse
                           : run.results.at(method).metrics.recon_mse);
  return values;
}

LabCheck within(const std::string& name, double found, double wanted, double bound, int decimals) {
  return {name, fmt::format("{:.{}f}", found, decimals),
          fmt::format("{:.{}f} +/- {:.{}f}", wanted, decimals, bound, decimals),
          std::abs(found - wanted) <= bound};
}

void check_mean(const LabOutcome& outcome, const Target& target, const AddCheck& add) {
  const SeedStatistics& s = point_named(outcome, target.point).methods.at(target.method).recon_mse;
  const double bound = kErrors * std::sqrt(s.se * s.se + target.sd * target.sd / target.seeds);
  add(within(fmt::format("{}, {}: recon_mse", target.point, lab_method(target.method).title),
             s.mean, target.mean, bound, 4));
}

void check_headline(const LabOutcome& outcome, const AddCheck& add) {
  for (const Target& target : kHeadline) {
    check_mean(outcome, target, add);
    const MethodSummary& m = point_named(outcome, target.point).methods.at(target.method);
    const std::string title(lab_method(target.method).title);
    const double factor = m.recon_mse.sd / target.sd;
    add({title + ": spread of recon_mse over seeds", fmt::format("{:.4f}", m.recon_mse.sd),
         fmt::format("{:.4f} by a factor up to {}", target.sd, kSpreadFactor),
         factor <= kSpreadFactor && 1 / factor <= kSpreadFactor});
    add(within(title + ": recon_mse - in_sub_dist", m.recon_mse.mean - m.in_sub_dist.mean, 0.6865,
               0.009, 4));
    add(within(title + ": usage_entropy", m.usage_entropy.mean, 3.431, 0.004, 4));
    add({title + ": dead_frac", fmt::format("{:.4f}", m.dead_frac.mean), "0",
         m.dead_frac.mean == 0});
    if (target.method == std::string_view("pca_lloyd")) continue;
    const double percent = target.method == std::string_view("ste_manual") ? -0.12 : -0.03;
    add(within(title + ": change against the baseline, %", m.paired.mean, percent, 0.45, 2));
  }
}

/// The estimator that projects and straight-through are one and the same here, but for rounding.
void check_projection(const LabOutcome& outcome, const AddCheck& add) {
  const std::vector<double> one = errors_of(outcome, "500 steps", "ste_autograd");
  const std::vector<double> other = errors_of(outcome, "500 steps", "projection");
  double largest = 0;
  for (size_t i = 0; i < one.size(); ++i)
    largest = std::max(largest, std::abs(other[i] / one[i] - 1));
  add({"projection = straight-through, recon_mse after 500 steps", fmt::format("{:.1e}", largest),
       "at most 2e-04 apart", largest <= 2e-4});
}

void check_beta(const LabOutcome& outcome, const AddCheck& add) {
  std::vector<double> means;
  for (const char* point : {"beta=0", "beta=0.1", "K=32", "beta=0.5", "beta=1"})
    means.push_back(point_named(outcome, point).methods.at("ste_autograd").recon_mse.mean);
  const auto [low, high] = std::minmax_element(means.begin(), means.end());
  const double percent = 100 * (*high / *low - 1);
  add({"beta from 0 to 1 changes autograd by", fmt::format("{:.3f} %", percent), "at most 0.1 %",
       percent <= 0.1});
}

void check_controls(const LabOutcome& outcome, const AddCheck& add) {
  const std::vector<double> baseline = errors_of(outcome, "500 steps", "pca_lloyd");
  for (const Control& control : kControls) {
    std::vector<double> percent = errors_of(outcome, control.point, control.method);
    for (size_t i = 0; i < percent.size(); ++i) percent[i] = 100 * (percent[i] / baseline[i] - 1);
    const SeedStatistics s = seed_statistics(std::move(percent));
    const double bound = kErrors * std::hypot(s.se, control.se);
    add(within(fmt::format("control, {}: %", control.name), s.mean, control.percent, bound, 2));
  }
}

/// Gaussian rate-distortion bound: no code of log2 K bits a row has less error than reverse
/// water-filling leaves. Source: Cover and Thomas, "Elements of Information Theory", section 10.3.3.
double least_error(double codes) {
  constexpr int kRank = 6;
  std::vector<double> variances;
  for (int j = 0; j < kRank; ++j) variances.push_back(4 * std::pow(0.0625, j / double(kRank - 1)));
  double low = 0, high = variances.front();
  for (int i = 0; i < 200; ++i) {
    const double level = (low + high) / 2;
    double rate = 0;
    for (const double variance : variances) rate += std::max(0.0, 0.5 * std::log(variance / level));
    (rate > std::log(codes) ? low : high) = level;
  }
  double error = 0;
  for (const double variance : variances) error += std::min(variance, low);
  return error;
}

void check_bounds(const LabOutcome& outcome, const AddCheck& add) {
  double entropy = -1e30, error = 1e30;
  for (const PointSummary& point : outcome.points) {
    const auto codes = double(point.point.settings.codebook_size);
    for (const auto& [name, m] : point.methods) {
      for (const double value : m.usage_entropy.values)
        entropy = std::max(entropy, value - std::log(codes));
      for (const double value : m.recon_mse.values)
        error = std::min(error, value / least_error(codes));
    }
  }
  add({"entropy - ln K over all runs, largest", fmt::format("{:.4f}", entropy), "at most 0",
       entropy <= 1e-12});
  add({"recon_mse over its rate-distortion bound, smallest ratio", fmt::format("{:.4f}", error),
       "above 0.99 (the bound is for the law, eval rows are 4000 of it)", error >= 0.99});
}

LabPoint headline(std::string name, std::vector<std::string> methods) {
  LabPoint point = lab_experiment("convergence", "reference").points.front();
  point.name = std::move(name);
  point.methods = std::move(methods);
  point.settings.log_interval = 100;
  return point;
}

}  // namespace

LabExperiment acceptance_experiment() {
  LabExperiment all{"accept", "Figures to reproduce", "setting", {}};
  std::vector<std::string> methods = kFour;
  for (const char* name : {"projection", "lloyd_best", "no_gradient"}) methods.emplace_back(name);
  all.points.push_back(headline("500 steps", methods));
  for (LabPoint point : lab_experiment("codebook", "reference").points) {
    point.methods = kFour;
    all.points.push_back(point);
  }
  for (const LabPoint& point : lab_experiment("commitment", "reference").points)
    if (point.settings.commitment_weight != 0.25) all.points.push_back(point);  // K=32 has it
  all.points.push_back(headline("lrW=0", {"ste_autograd"}));
  all.points.back().settings.encoder_rate = 0;
  all.points.push_back(headline("lrE=0.2/32", {"ste_manual"}));
  all.points.back().settings.codebook_rate = 0.2 / 32;
  all.points.push_back(headline("lrE=6.4", {"ste_autograd"}));
  all.points.back().settings.codebook_rate = 6.4;
  all.points.push_back(headline("2000 steps", {"ste_autograd"}));
  all.points.back().settings.steps = 2000;
  all.points.push_back(headline("Lloyd 300", {"pca_lloyd"}));
  all.points.back().settings.lloyd_iterations = 300;
  return all;
}

void check_statistics(const LabOutcome& outcome, const AddCheck& add) {
  check_headline(outcome, add);
  check_projection(outcome, add);
  for (const Target& target : kSweeps) check_mean(outcome, target, add);
  check_beta(outcome, add);
  check_controls(outcome, add);
  check_bounds(outcome, add);
}

std::vector<LabCheck> run_lab_acceptance(const LabOptions& options, Console& console,
                                         bool& interrupted) {
  std::vector<LabCheck> checks;
  const AddCheck add = [&](LabCheck check) {
    console.line(fmt::format("{}  {:<64} {:>18}   wanted {}", check.passed ? "  ok  " : "FAILED",
                             check.name, check.found, check.wanted));
    checks.push_back(std::move(check));
  };
  check_identities(options, add);
  const LabOutcome outcome = run_lab(acceptance_experiment(), options, console);
  interrupted = outcome.interrupted;
  if (!interrupted) check_statistics(outcome, add);
  return checks;
}

}  // namespace tessera
