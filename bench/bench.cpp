#include "bench/bench.h"

#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "tessera/error.h"

namespace tessera::bench {
namespace {

clockid_t clock_in_use = CLOCK_MONOTONIC;

double quantile(const std::vector<double>& sorted, double q) {
  return sorted[static_cast<size_t>(q * static_cast<double>(sorted.size() - 1) + 0.5)];
}

double floor_seconds(const Result& r, const Machine& machine) {
  return std::max(r.flop / r.peak, r.bytes / machine.bytes_per_second);
}

}  // namespace

double now() {
  timespec time;
  clock_gettime(clock_in_use, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

void use_thread_clock() { clock_in_use = CLOCK_THREAD_CPUTIME_ID; }

Result measure(const Case& c, const Options& options) {
  constexpr double kWarmUpSeconds = 0.1;
  constexpr double kSecondsBetweenProbes = 0.01;
  const size_t least_runs = c.gpu ? 3 : 7;  // of `repeats` each
  Result result{.name = c.name, .error = {}, .note = {}, .flop = c.flop, .bytes = c.bytes, .gpu = c.gpu};
  const Work work = c.prepare();
  work.run();
  result.error = work.check();
  if (!result.error.empty()) return result;

  for (const double end = now() + kWarmUpSeconds; now() < end;) work.run();
  std::vector<double> times;
  double next_probe = 0;
  const double end = now() + options.seconds;
  while (times.size() < least_runs || now() < end) {
    if (now() >= next_probe && !c.gpu) {
      result.peak = std::max(result.peak, probe_flops(options.threads));
      work.run();  // brings the caches back
      next_probe = now() + kSecondsBetweenProbes;
    }
    const double start = now();
    work.run();
    times.push_back((now() - start) / c.repeats);
  }
  result.error = work.check();
  if (work.note) result.note = work.note();
  std::sort(times.begin(), times.end());
  result.runs = static_cast<int64_t>(times.size()) * c.repeats;
  result.best = times.front();
  result.low = quantile(times, 0.25);
  result.median = quantile(times, 0.5);
  result.high = quantile(times, 0.75);
  return result;
}

void print_header(const Machine& machine) {
  fmt::print("{}, {} thread{}: {:.1f} GFLOP/s in registers, {:.1f} GB/s from memory\n",
             machine.target, machine.threads, machine.threads == 1 ? "" : "s", machine.flops * 1e-9,
             machine.bytes_per_second * 1e-9);
  fmt::print("{:<44} {:>10} {:>10} {:>10} {:>9} {:>7} {:>7} {:>7}\n", "case", "median ms",
             "best ms", "quartiles", "GFLOP/s", "% peak", "best %", "% floor");
}

void print(const Result& r, const Machine& machine) {
  if (!r.error.empty()) {
    fmt::print("{:<44} WRONG RESULT: {}\n", r.name, r.error);
  } else if (r.gpu) {
    fmt::print("{:<44} {:>10.4f} {:>10.4f} {:>9.1f}% {:>9.1f}\n", r.name, r.median * 1e3, r.best * 1e3,
               100 * (r.high - r.low) / r.median, r.flop / r.median * 1e-9);
  } else {
    const double rate = r.flop / r.median;
    fmt::print("{:<44} {:>10.4f} {:>10.4f} {:>9.1f}% {:>9.1f} {:>7.1f} {:>7.1f} {:>7.1f}\n", r.name,
               r.median * 1e3, r.best * 1e3, 100 * (r.high - r.low) / r.median, rate * 1e-9,
               100 * rate / r.peak, 100 * r.flop / r.best / r.peak,
               100 * floor_seconds(r, machine) / r.median);
  }
  if (!r.note.empty()) fmt::print("    {}\n", r.note);
  std::fflush(stdout);
}

void write_json(const std::string& path, const std::vector<Result>& results,
                const Machine& machine) {
  nlohmann::json cases = nlohmann::json::array();
  for (const Result& r : results) {
    nlohmann::json one = {{"name", r.name}, {"flop", r.flop}, {"bytes", r.bytes}};
    if (!r.error.empty()) {
      one["error"] = r.error;
    } else {
      one.update({{"runs", r.runs},
                  {"seconds_median", r.median},
                  {"seconds_best", r.best},
                  {"seconds_quartiles", {r.low, r.high}},
                  {"note", r.note}});
      if (!r.gpu)
        one.update({{"peak_flops", r.peak},
                    {"share_of_peak", r.flop / r.median / r.peak},
                    {"share_of_peak_best", r.flop / r.best / r.peak},
                    {"share_of_floor", floor_seconds(r, machine) / r.median}});
    }
    cases.push_back(std::move(one));
  }
  const nlohmann::json all = {{"target", machine.target},
                              {"threads", machine.threads},
                              {"peak_flops", machine.flops},
                              {"bytes_per_second", machine.bytes_per_second},
                              {"cases", std::move(cases)}};
  std::ofstream file(path);
  file << all.dump(2) << '\n';
  require(file.good(), ErrorKind::Data, path, ": cannot be written; choose another file");
}

std::vector<float> random_values(size_t count, unsigned seed) {
  std::mt19937 generator(seed);
  std::vector<float> values(count);
  for (float& v : values) v = static_cast<float>(generator() >> 8) * 0x1p-23f - 1;
  return values;
}

}  // namespace tessera::bench
