#pragma once

#include <functional>
#include <string>
#include <vector>

namespace tessera::bench {

/// What a case does, made when its turn comes and dropped after it.
struct Work {
  std::function<void()> run;           ///< one repetition
  std::function<std::string()> check;  ///< called after run(): empty if the result is right, else
                                       ///< what is wrong; a case that fails it gets no speed
  std::function<std::string()> note = {};  ///< what else is worth saying, or none
};

/// One line of the table.
///
/// floor seconds = max(flop / FMA peak, bytes / memory bandwidth), both measured in the same run on
/// the threads in use, the peak between the runs of the case.
struct Case {
  std::string name;  ///< area/what/shape
  double flop = 0;   ///< of one run; a multiply-add is two
  double bytes = 0;  ///< loads and stores of one run that must go to memory
  std::function<Work()> prepare;
  int repeats = 1;   ///< runs that one call of Work::run makes; times are of one
  bool gpu = false;  ///< what this machine's CPU reaches says nothing of it
};

/// Cases of one area; main.cpp has the table of all.
struct Area {
  const char* name;
  std::vector<Case> (*cases)();
};

/// What this machine reaches with `threads` threads.
struct Machine {
  std::string target;  ///< instruction set of the kernels
  int threads = 1;
  double flops = 0;             ///< fused multiply-adds in registers, best of several probes
  double bytes_per_second = 0;  ///< triad over arrays beyond the caches, loads and stores counted
};
/// Seconds since some moment, by the clock of --clock: what has passed, or what this thread has
/// computed. The second tells the truth of one thread on a machine that others use too.
double now();
void use_thread_clock();

/// Measures for some 100 ms.
Machine measure_machine(int threads);
/// Makes kernels and probes use one instruction set, by Highway's name: AVX3 (AVX-512), AVX2, SCALAR.
/// Throws Error (Usage) for one this machine lacks.
void use_target(const std::string& name);
/// One short probe of `flops` on all threads of the pool.
double probe_flops(int threads);

struct Options {
  std::string filter;          ///< only cases whose name has this in it
  std::string json;            ///< file to write, or none
  std::string clock = "wall";  ///< or "thread"
  std::string target;          ///< instruction set, or the best
  int threads = 1;
  double seconds = 0.5;  ///< of measuring for each case
};

struct Result {
  std::string name, error, note;
  double flop = 0, bytes = 0;
  int64_t runs = 0;
  double best = 0, low = 0, median = 0, high = 0;  ///< seconds; low and high are the quartiles
  bool gpu = false;
  double peak = 0;  ///< best probe_flops taken between the runs: clocks of shared machines drift
};

/// Runs one case: a check, a warm-up, runs with probes between them, and the check again.
Result measure(const Case& c, const Options& options);
void print_header(const Machine& machine);
void print(const Result& result, const Machine& machine);
void write_json(const std::string& path, const std::vector<Result>& results,
                const Machine& machine);

/// Values in [-1, 1) that depend on `seed` alone.
std::vector<float> random_values(size_t count, unsigned seed);

}  // namespace tessera::bench
