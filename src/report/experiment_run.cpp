#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <set>

#include "report/run_store.h"
#include "report/workers.h"
#include "tessera/error.h"
#include "tessera/experiment.h"

namespace tessera {
namespace {

struct Job {
  const LabPoint* point;
  uint64_t seed;
};

LabRun run_job(const Job& job, Device device) {
  LabSettings settings = job.point->settings;
  settings.seed = job.seed;
  LabProblem problem = make_lab_problem(settings, device);
  LabRun run{.point = job.point->name, .seed = job.seed, .results = {}};
  for (const std::string& name : job.point->methods) {
    const auto rate = job.point->encoder_rates.find(name);
    problem.settings.encoder_rate =
        rate == job.point->encoder_rates.end() ? settings.encoder_rate : rate->second;
    LabResult& result = run.results[name] = lab_method(name).train(problem);
    result.encoder.clear();
    result.codebook.clear();
  }
  return run;
}

/// The experiment with the methods asked for, every point checked.
LabExperiment chosen(LabExperiment experiment, const LabOptions& options) {
  for (LabPoint& point : experiment.points) {
    for (const std::string& name : options.methods) {
      lab_method(name);
      require(std::count(point.methods.begin(), point.methods.end(), name) > 0, ErrorKind::Usage,
              "experiment ", experiment.name, ": method ", name, " is not among its own");
    }
    const std::string baseline = point.methods.front();
    std::erase_if(point.methods, [&](const std::string& name) {
      return !options.methods.empty() && name != baseline &&
             std::count(options.methods.begin(), options.methods.end(), name) == 0;
    });
    check_lab_settings(point.settings);
  }
  return experiment;
}

std::vector<Job> jobs_left(const LabOutcome& outcome, const LabOptions& options) {
  std::set<std::pair<std::string, uint64_t>> done;
  for (const LabRun& run : outcome.runs) done.emplace(run.point, run.seed);
  std::vector<Job> jobs;
  for (const LabPoint& point : outcome.experiment.points)
    for (int64_t i = 0; i < options.seeds; ++i) {
      const uint64_t seed = options.first_seed + static_cast<uint64_t>(i);
      if (!done.contains({point.name, seed})) jobs.push_back({&point, seed});
    }
  return jobs;
}

void sort_runs(LabOutcome& outcome) {
  const auto place = [&](const LabRun& run) {
    size_t at = 0;
    while (outcome.experiment.points[at].name != run.point) ++at;
    return at;
  };
  std::sort(outcome.runs.begin(), outcome.runs.end(), [&](const LabRun& a, const LabRun& b) {
    return std::pair(place(a), a.seed) < std::pair(place(b), b.seed);
  });
}

PointSummary summarize(const LabPoint& point, const std::vector<LabRun>& runs) {
  PointSummary summary{.point = point, .methods = {}};
  for (const std::string& name : point.methods) {
    std::vector<double> recon, distance, entropy, dead, paired;
    int64_t diverged = 0;
    for (const LabRun& run : runs) {
      if (run.point != point.name) continue;
      const LabResult& result = run.results.at(name);
      const double baseline = run.results.at(point.methods.front()).metrics.recon_mse;
      recon.push_back(result.metrics.recon_mse);
      distance.push_back(result.metrics.in_sub_dist);
      entropy.push_back(result.metrics.usage_entropy);
      dead.push_back(result.metrics.dead_frac);
      paired.push_back(100 * (result.metrics.recon_mse / baseline - 1));
      diverged += result.diverged_at > 0 ? 1 : 0;
    }
    summary.methods[name] = {seed_statistics(recon),   seed_statistics(distance),
                             seed_statistics(entropy), seed_statistics(dead),
                             seed_statistics(paired),  diverged};
  }
  return summary;
}

}  // namespace

SeedStatistics seed_statistics(std::vector<double> values) {
  SeedStatistics s{.mean = 0, .sd = 0, .se = 0, .values = std::move(values)};
  const auto n = static_cast<double>(s.values.size());
  s.mean = std::accumulate(s.values.begin(), s.values.end(), 0.0) / n;
  double squares = 0;
  for (const double value : s.values) squares += (value - s.mean) * (value - s.mean);
  s.sd = n > 1 ? std::sqrt(squares / (n - 1)) : std::numeric_limits<double>::quiet_NaN();
  s.se = s.sd / std::sqrt(n);
  return s;
}

LabOutcome run_lab(const LabExperiment& experiment, const LabOptions& options, Console& console) {
  constexpr int64_t kMaxSeeds = 100000;
  require(options.seeds >= 1 && options.seeds <= kMaxSeeds, ErrorKind::Usage,
          "experiment: --seeds ", options.seeds, " is not a count from 1 to ", kMaxSeeds,
          "; give one");
  LabOutcome outcome{.experiment = chosen(experiment, options), .runs = {}, .points = {}};
  std::optional<RunStore> store;
  if (!options.outdir.empty()) {
    store.emplace(options.outdir, outcome.experiment, options.fresh);
    for (const LabRun& run : store->found())
      if (run.seed >= options.first_seed &&
          run.seed - options.first_seed < static_cast<uint64_t>(options.seeds))
        outcome.runs.push_back(run);
    say_found(store->lines(), outcome.runs.size(), console);
  }
  const std::vector<Job> jobs = jobs_left(outcome, options);
  const size_t all = jobs.size() + outcome.runs.size();
  const double begin = now_seconds();
  size_t done = 0;
  const bool asked_to_end = run_jobs<LabRun>(
      jobs.size(), options.device, [&](size_t i) { return run_job(jobs[i], options.device); },
      [&](LabRun run) {
        if (store) store->append(run);
        outcome.runs.push_back(std::move(run));
        const double left = double(all - outcome.runs.size()) / double(++done);
        console.live(fmt::format("{}: {} of {} runs, {} left", experiment.name, outcome.runs.size(),
                                 all, duration_text(left * (now_seconds() - begin))),
                     30);
      });
  console.clear_live();
  outcome.interrupted = asked_to_end && outcome.runs.size() < all;
  sort_runs(outcome);
  if (!outcome.interrupted)
    for (const LabPoint& point : outcome.experiment.points)
      outcome.points.push_back(summarize(point, outcome.runs));
  return outcome;
}

}  // namespace tessera
