// One run of the experiment, and all of them.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <optional>
#include <random>
#include <set>

#include "report/experiment_json.h"
#include "report/line_store.h"
#include "report/workers.h"
#include "tessera/category_assignment.h"
#include "tessera/checkpoint.h"
#include "tessera/discovery.h"
#include "tessera/error.h"
#include "tessera/files/file_writer.h"
#include "tessera/recovery_experiment.h"
#include "tessera/simulate.h"
#include "tessera/trainer.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;

constexpr double kMisplacedShare = 0.2;
constexpr int64_t kBlocks = 8;

struct Job {
  const RecoveryCase* from;
  uint64_t seed;
};

/// A number below `count`, the same on every machine.
size_t draw_below(std::mt19937_64& engine, size_t count) { return engine() % count; }

/// A folder that is gone when this is.
class WorkFolder {
 public:
  explicit WorkFolder(const fs::path& path) : path_(path) {
    std::error_code error;
    fs::remove_all(path_, error);
    fs::create_directories(path_, error);
    require(!error, ErrorKind::Data, path_.string(), ": the folder cannot be made (",
            error.message(), "); name another with --outdir");
  }
  ~WorkFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  WorkFolder(const WorkFolder&) = delete;
  WorkFolder& operator=(const WorkFolder&) = delete;
  std::string file(const char* name) const { return (path_ / name).string(); }

 private:
  fs::path path_;
};

std::vector<std::string> full_names(const PlantedData& data) {
  std::vector<std::string> names = data.layout.families[0].features;
  for (std::string& name : names) name = data.layout.families[0].name + "/" + name;
  return names;
}

/// Writes data and categories to the folder; the config to train on them.
Config prepare(const Job& job, const PlantedData& data, const RecoveryOptions& options,
               const WorkFolder& folder) {
  Config config = job.from->config;
  config.data.path = folder.file("data");
  config.categories.mapping_file = folder.file("categories.json");
  config.training.checkpoint_dir = folder.file("run");
  config.training.seed = static_cast<int64_t>(job.seed);
  config.training.device = to_string(options.device);
  const auto writer = create_features(config.data.path, data.layout);
  writer->append(data.values);
  writer->commit();
  std::vector<int32_t> start = misplaced_start(data.block, job.from->categories, job.seed);
  if (!job.from->misplaced)  // their number alone matters
    for (size_t i = 0; i < start.size(); ++i)
      start[i] = static_cast<int32_t>(static_cast<int64_t>(i) % job.from->categories);
  std::vector<Category> categories;
  for (int64_t k = 0; k < job.from->categories; ++k)
    categories.push_back({fmt::format("c{}", k), {}});
  for (size_t i = 0; i < start.size(); ++i)
    categories[static_cast<size_t>(start[i])].features.push_back(static_cast<int64_t>(i));
  write_file(config.categories.mapping_file, mapping_json(categories, full_names(data)));
  return config;
}

/// The index of two partitions where there is a block.
double planted_index(std::span<const int32_t> block, std::span<const int32_t> category) {
  std::vector<int32_t> a, b;
  for (size_t i = 0; i < block.size(); ++i)
    if (block[i] >= 0) {
      a.push_back(block[i]);
      b.push_back(category[i]);
    }
  return adjusted_rand_index(a, b);
}

double clustering_index(const PlantedData& data) {
  const int64_t cols = data.layout.families[0].cols(), rows = data.values.rows;
  const SquareMatrix distances = feature_distances(
      correlation_matrix({data.values.families[0].data(), rows, cols, cols}), "correlation", rows);
  double best = -1;
  for (const char* linkage : {"ward", "average", "complete"})
    best = std::max(
        best, planted_index(data.block, cut_tree(link_features(distances, linkage), kBlocks)));
  return best;
}

/// What the assignment of a trained model came to.
std::map<std::string, double> numbers_of(const RecoveryCase& from, const PlantedData& data,
                                         const TrainedModel& trained) {
  const std::vector<std::string> names = full_names(data);
  std::vector<int32_t> block;  // in the order of the model's columns
  for (const std::string& name : trained.features.names)
    block.push_back(data.block[static_cast<size_t>(std::find(names.begin(), names.end(), name) -
                                                   names.begin())]);
  LearnedAssignment& learned = *trained.model->learned();
  const std::vector<int32_t> before = learned.initial(), after = learned.hard();
  const PruningPlan plan = plan_pruning(learned.options().families, learned.logits(), {});
  std::map<std::string, double> numbers = {
      {"start", planted_index(block, before)},
      {"ari", planted_index(block, after)},
      {"pruned", planted_index(block, plan.category_of)},
      {"categories", double(learned.categories() - static_cast<int64_t>(plan.removed.size()))},
      {"clustering", clustering_index(data)}};
  if (from.misplaced) {
    const AssignmentRepair repair = count_repairs(block, before, after);
    numbers["repaired"] = double(repair.repaired) / double(std::max<int64_t>(1, repair.misplaced));
    numbers["broken"] = double(repair.broken) / double(std::max<int64_t>(1, repair.right));
  }
  return numbers;
}

/// Nothing where a signal ended it.
std::optional<RecoveryRun> run_one(const Job& job, const RecoveryOptions& options) {
  const double begin = now_seconds();
  const WorkFolder folder(fs::path(options.outdir) / "work" /
                          fmt::format("{}_{}", job.from->name, job.seed));
  const PlantedData data =
      planted_data({.samples = options.samples, .seed = job.seed, .even = job.from->even});
  const Config config = prepare(job, data, options, folder);
  Console silent(Verbosity::Silent);
  const TrainReport report = train({.config = config, .resume = "", .overwrite = true}, silent);
  if (report.interrupted) return std::nullopt;
  const TrainedModel trained = load_model(report.folder + "/last.safetensors", options.device);
  RecoveryRun run{
      .name = job.from->name, .seed = job.seed, .numbers = numbers_of(*job.from, data, trained)};
  run.numbers["seconds"] = now_seconds() - begin;
  return run;
}

std::string header_of(const RecoveryOptions& options) {
  Json cases = Json::object();
  for (const RecoveryCase& one : recovery_cases(options.epochs))
    cases[one.name] = Json::parse(to_json(one.config));
  return Json{{"format", 1},
              {"tessera", TESSERA_VERSION},
              {"experiment", "learnable-recovery"},
              {"samples", options.samples},
              {"cases", std::move(cases)}}
      .dump();
}

std::string line_of(const RecoveryRun& run) {
  return Json{{"case", run.name}, {"seed", run.seed}, {"numbers", run.numbers}}.dump();
}

std::optional<RecoveryRun> run_of(const std::string& line) {
  try {
    const Json json = Json::parse(line);
    return RecoveryRun{json.at("case"), json.at("seed"),
                       json.at("numbers").get<std::map<std::string, double>>()};
  } catch (const Json::exception&) {
    return std::nullopt;  // cut off
  }
}

/// The cases asked for, in their own order.
std::vector<RecoveryCase> chosen(const RecoveryOptions& options) {
  std::vector<RecoveryCase> all = recovery_cases(options.epochs);
  std::string known;
  for (const RecoveryCase& one : all) known += (known.empty() ? "" : ", ") + one.name;
  for (const std::string& name : options.cases)
    require(std::ranges::find(all, name, &RecoveryCase::name) != all.end(), ErrorKind::Usage,
            "experiment learnable-recovery: case ", name, " is not known; use some of ", known);
  std::erase_if(all, [&](const RecoveryCase& one) {
    return !options.cases.empty() && std::ranges::count(options.cases, one.name) == 0;
  });
  return all;
}

void check(const RecoveryOptions& options) {
  constexpr int64_t kMaxSeeds = 100000, kMaxSamples = 10000000, kMinSamples = 200;
  constexpr int64_t kMaxEpochs = 1000000000;  // as training.num_epochs
  const auto check_count = [](const char* flag, int64_t value, int64_t least, int64_t most) {
    require(value >= least && value <= most, ErrorKind::Usage,
            "experiment learnable-recovery: ", flag, " ", value, " is not a count from ", least,
            " to ", most, "; give one");
  };
  require(!options.outdir.empty(), ErrorKind::Usage,
          "experiment: --outdir is empty; name a folder for the results");
  check_count("--seeds", options.seeds, 1, kMaxSeeds);
  check_count("--samples", options.samples, kMinSamples, kMaxSamples);
  check_count("--epochs", options.epochs, 0, kMaxEpochs);
}

std::string said_of(const RecoveryRun& run) {
  std::string text = fmt::format("{} seed {}: index {:.3f} -> {:.3f}", run.name, run.seed,
                                 run.numbers.at("start"), run.numbers.at("ari"));
  if (run.numbers.contains("repaired"))
    text += fmt::format(", {:.0f}% repaired, {:.0f}% broken", 100 * run.numbers.at("repaired"),
                        100 * run.numbers.at("broken"));
  return text + fmt::format(", {:.1f} s", run.numbers.at("seconds"));
}

}  // namespace

std::vector<int32_t> misplaced_start(const std::vector<int32_t>& block_of, int64_t categories,
                                     uint64_t seed) {
  require(categories >= kBlocks, ErrorKind::Usage, "misplaced_start: ", categories,
          " categories for ", kBlocks, " blocks; give at least as many");
  std::mt19937_64 engine(seed);
  std::vector<int32_t> start = block_of;
  std::vector<size_t> planted;
  int64_t dealt = 0;
  for (size_t i = 0; i < start.size(); ++i)
    if (block_of[i] >= 0)
      planted.push_back(i);
    else  // from the last category down: those that are spare have nothing else for certain
      start[i] = static_cast<int32_t>(categories - 1 - dealt++ % categories);
  const auto count = static_cast<size_t>(std::lround(kMisplacedShare * double(planted.size())));
  for (size_t j = 0; j < count; ++j) {
    std::swap(planted[j], planted[j + draw_below(engine, planted.size() - j)]);
    const size_t i = planted[j];
    const auto other =
        static_cast<int32_t>(draw_below(engine, static_cast<size_t>(categories - 1)));
    start[i] = other < block_of[i] ? other : other + 1;
  }
  return start;
}

RecoveryOutcome run_recovery(const RecoveryOptions& options, Console& console) {
  check(options);
  const std::vector<RecoveryCase> cases = chosen(options);
  RecoveryOutcome outcome;
  std::vector<RecoveryRun> found;
  LineStore store(options.outdir, header_of(options), options.fresh, [&](const std::string& line) {
    if (std::optional<RecoveryRun> run = run_of(line)) found.push_back(std::move(*run));
    return !found.empty() && line_of(found.back()) == line;
  });
  std::vector<Job> jobs;
  for (const RecoveryCase& one : cases)
    for (int64_t i = 0; i < options.seeds; ++i) {
      const uint64_t seed = options.first_seed + static_cast<uint64_t>(i);
      const auto done = std::ranges::find_if(
          found, [&](const RecoveryRun& run) { return run.name == one.name && run.seed == seed; });
      if (done == found.end())
        jobs.push_back({&one, seed});
      else
        outcome.runs.push_back(*done);
    }
  say_found(store, outcome.runs.size(), console);
  const size_t all = jobs.size() + outcome.runs.size();
  const double begin = now_seconds();
  size_t done = 0;
  const bool asked_to_end = run_jobs<std::optional<RecoveryRun>>(
      jobs.size(), options.device, [&](size_t i) { return run_one(jobs[i], options); },
      [&](std::optional<RecoveryRun> run) {
        if (!run) return;
        store.append(line_of(*run));
        console.line(said_of(*run));
        outcome.runs.push_back(std::move(*run));
        const double left = double(all - outcome.runs.size()) / double(++done);
        console.live(fmt::format("learnable-recovery: {} of {} runs, {} left", outcome.runs.size(),
                                 all, duration_text(left * (now_seconds() - begin))));
      });
  console.clear_live();
  outcome.interrupted = asked_to_end && outcome.runs.size() < all;
  const auto place = [&](const RecoveryRun& run) {
    return std::pair(std::ranges::find(cases, run.name, &RecoveryCase::name), run.seed);
  };
  std::ranges::sort(outcome.runs, {}, place);
  if (!outcome.interrupted)
    for (const RecoveryCase& one : cases)
      outcome.cases.push_back(summarize_recovery(one, outcome.runs));
  return outcome;
}

RecoverySummary summarize_recovery(const RecoveryCase& from, const std::vector<RecoveryRun>& runs) {
  std::map<std::string, std::vector<double>> values;
  for (const RecoveryRun& run : runs)
    if (run.name == from.name)
      for (const auto& [name, value] : run.numbers) values[name].push_back(value);
  RecoverySummary summary{.from = from, .numbers = {}, .verdicts = {}};
  for (auto& [name, of_seeds] : values)
    summary.numbers[name] = seed_statistics(std::move(of_seeds));
  for (const RecoveryBar& bar : from.bars) {
    const SeedStatistics& s = summary.numbers.at(bar.number);
    const double found = !bar.each     ? s.mean
                         : bar.at_most ? std::ranges::max(s.values)
                                       : std::ranges::min(s.values);
    summary.verdicts.push_back({bar, found, bar.at_most ? found <= bar.limit : found >= bar.limit});
  }
  return summary;
}

}  // namespace tessera
