// The experiments of fixed settings: those of the program that the lab follows.

#include <fmt/format.h>

#include <algorithm>

#include "tessera/error.h"
#include "tessera/experiment.h"

namespace tessera {
namespace {

using Names = std::vector<std::string>;
const Names kGradientMethods = {"pca_lloyd", "ste_autograd", "ste_manual", "rotation"};

constexpr double kTapeRate = 0.05, kManualRate = 0.08;

LabPoint point_of(std::string name, const std::string& start, Names methods, int64_t steps) {
  LabPoint point{.name = std::move(name),
                 .settings = {},
                 .methods = std::move(methods),
                 .encoder_rates = {{"ste_manual", kManualRate}}};
  point.settings.start = start;
  point.settings.steps = steps;
  point.settings.encoder_rate = kTapeRate;
  return point;
}

Names all_methods() {
  Names names;
  for (const LabMethod& method : lab_methods()) names.emplace_back(method.name);
  return names;
}

LabExperiment convergence(const std::string& start) {
  LabPoint point = point_of("", start, all_methods(), 500);
  point.settings.log_interval = 25;
  return {"convergence", "500 steps at D=64, m=4, K=32", "", {point}};
}

LabExperiment codebook(const std::string& start) {
  LabExperiment experiment{"codebook", "Codebook sizes, 300 steps", "codebook size K", {}};
  Names methods = kGradientMethods;
  methods.push_back("lloyd_best");
  for (const int64_t size : {8, 16, 32, 64}) {
    LabPoint point = point_of(fmt::format("K={}", size), start, methods, 300);
    point.settings.codebook_size = size;
    experiment.points.push_back(point);
  }
  return experiment;
}

LabExperiment commitment(const std::string& start) {
  LabExperiment experiment{
      "commitment", "Commitment weights, 300 steps, K=32", "commitment weight beta", {}};
  for (const double beta : {0.0, 0.1, 0.25, 0.5, 1.0}) {
    LabPoint point = point_of(fmt::format("beta={}", beta), start, kGradientMethods, 300);
    point.settings.commitment_weight = beta;
    experiment.points.push_back(point);
  }
  return experiment;
}

LabExperiment verification(const std::string& start) {
  LabPoint point = point_of("", start, {"pca_lloyd", "ste_autograd", "ste_manual"}, 200);
  point.settings.encoder_rate = kManualRate;
  point.settings.codebook_size = 16;
  point.settings.train_rows = 10000;
  point.settings.eval_rows = 2000;
  point.settings.batch = 512;
  return {"verification", "Gradients by tape and by hand, K=16, 200 steps", "", {point}};
}

LabExperiment stress(const std::string& start) {
  LabExperiment experiment{"stress", "Rates, batch sizes and data beyond the usual", "setting", {}};
  const double rates[][2] = {{.001, .01}, {.01, .05}, {.05, .2}, {.2, .5},
                             {.5, 1},     {1, 2},     {.001, 1}, {.5, .05}};
  for (const auto& [encoder, codebook_rate] : rates) {
    LabPoint point = point_of(fmt::format("lrW={} lrE={}", encoder, codebook_rate), start,
                              kGradientMethods, 200);
    point.settings.encoder_rate = encoder;
    point.settings.codebook_rate = codebook_rate;
    point.encoder_rates.clear();
    experiment.points.push_back(point);
  }
  for (const int64_t batch : {32, 64, 128, 256, 512, 1024, 2048}) {
    experiment.points.push_back(
        point_of(fmt::format("batch={}", batch), start, kGradientMethods, 300));
    experiment.points.back().settings.batch = batch;
  }
  const auto with_data = [&](const std::string& name, double noise, auto&& change) {
    experiment.points.push_back(point_of(name, start, kGradientMethods, 300));
    experiment.points.back().settings.noise_variance = noise;
    change(experiment.points.back().settings);
  };
  with_data("noise=0.5", 0.5, [](LabSettings&) {});
  with_data("noise=1", 1, [](LabSettings&) {});
  with_data("D=128 noise=0.1", 0.1, [](LabSettings& s) { s.data_dim = 128; });
  with_data("rank=10 noise=0.1", 0.1, [](LabSettings& s) { s.rank = 10; });
  with_data("rank=2 noise=0.1", 0.1, [](LabSettings& s) { s.rank = 2; });
  with_data("K=8 noise=0.1", 0.1, [](LabSettings& s) { s.codebook_size = 8; });
  return experiment;
}

struct Plan {
  std::string_view name;
  LabExperiment (*make)(const std::string& start);
};
constexpr Plan kPlans[] = {{"convergence", convergence},
                           {"codebook", codebook},
                           {"commitment", commitment},
                           {"verification", verification},
                           {"stress", stress}};

}  // namespace

std::vector<std::string_view> lab_experiment_names() {
  std::vector<std::string_view> names = {"compare"};
  for (const Plan& plan : kPlans) names.push_back(plan.name);
  return names;
}

LabExperiment lab_experiment(std::string_view name, const std::string& start) {
  std::string known;
  for (const Plan& plan : kPlans) {
    if (plan.name == name) return plan.make(start);
    known += (known.empty() ? "" : ", ") + std::string(plan.name);
  }
  fail(ErrorKind::Usage, "experiment ", name, " is not known; use one of ", known);
}

LabExperiment lab_comparison(const LabSettings& settings, const std::vector<std::string>& methods) {
  LabPoint point{.name = "", .settings = settings, .methods = methods, .encoder_rates = {}};
  if (point.methods.empty()) point.methods = all_methods();
  return {"compare",
          fmt::format("{} steps at D={}, m={}, K={}", settings.steps, settings.data_dim,
                      settings.latent_dim, settings.codebook_size),
          "",
          {point}};
}

}  // namespace tessera
