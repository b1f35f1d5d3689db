#pragma once

#include <unistd.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "data/file_fixture.h"
#include "tessera/checkpoint.h"
#include "tessera/files.h"
#include "tessera/kernels/philox.h"
#include "tessera/trainer.h"

namespace tessera::testing {

/// Steps of the events in one file, in their order; the first names the version, at step 0.
using EventSteps = std::vector<uint64_t>;
inline EventSteps event_steps(const Bytes& file) {
  EventSteps steps;
  for (size_t at = 0; at < file.size();) {
    uint64_t size = 0, step = 0;
    std::memcpy(&size, file.data() + at, sizeof size);
    // Behind length and checksum: the wall time in 9 bytes, the key of the step, the step.
    for (size_t i = at + 12 + 10, shift = 0;; ++i, shift += 7) {
      const auto byte = std::to_integer<uint64_t>(file.at(i));
      step |= (byte & 127) << shift;
      if (byte < 128) break;
    }
    steps.push_back(step);
    at += 12 + size + 4;
  }
  return steps;
}

/// Rows near `kClusters` far points: row n belongs to cluster n mod kClusters and differs from it by
/// uniform noise of deviation kNoise. The points have coordinates in [-1, 1] + `shift`.
constexpr int64_t kClusters = 8, kFeatures = 12;
constexpr float kNoise = 0.05f;
inline HostArray planted_rows(int64_t rows, float shift = 0) {
  const auto uniform = [](uint64_t step, int64_t i) {
    return 2 * kernels::random_uniform(11, 9999, step, static_cast<uint64_t>(i)) - 1;
  };
  std::vector<float> values(static_cast<size_t>(rows * kFeatures));
  for (int64_t i = 0; i < rows * kFeatures; ++i) {
    const int64_t cluster = i / kFeatures % kClusters;
    values[static_cast<size_t>(i)] = shift + uniform(0, cluster * kFeatures + i % kFeatures) +
                                     kNoise * std::sqrt(3.0f) * uniform(1, i);
  }
  return HostArray::from_values<float>({rows, kFeatures}, values);
}

/// Makes the folders of a test in memory where that is possible: checkpoints are synced, and on a
/// busy disk that is nearly all the time these tests would take.
struct FoldersInMemory {
  FoldersInMemory() {
    if (access("/dev/shm", W_OK) == 0) setenv("TMPDIR", "/dev/shm", 1);
  }
};

/// A folder with data and what trains on it.
class RunTest : private FoldersInMemory, public FileTest {
 protected:
  /// A small model on 300 planted rows: 270 train in 5 steps of 64, the last of 14.
  Config small_config(const std::string& run = "run") {
    write_npy(path("rows.npy"), planted_rows(300));
    Config config;
    config.data.path = path("rows.npy");
    config.model.encoder_sizes = config.model.decoder_sizes = {16};
    config.model.embedding_dim = 4;
    config.quantizer.codebook_size = 16;
    config.training.num_epochs = 4;
    config.training.batch_size = 64;
    config.training.learning_rate = 5e-3;
    config.training.checkpoint_dir = path(run);
    config.training.device = "cpu";
    return config;
  }

  /// Codes that all start at one place: a few of them take all rows, and only the adaptive policy
  /// helps the others.
  static void use_few_codes(Config& config) {
    config.quantizer.codebook_size = 128;
    config.quantizer.codebook_init = "uniform";
    config.quantizer.dead_code.policy = "adaptive";
  }

  TrainReport run_training(const Config& config, const std::string& resume = "",
                           bool overwrite = false) {
    return train({.config = config, .resume = resume, .overwrite = overwrite}, quiet_);
  }

  /// The config as a file, for the program.
  std::string config_file(const Config& config, const std::string& name = "config.yaml") {
    std::ofstream(path(name)) << to_yaml(config);
    return path(name);
  }

  std::vector<nlohmann::ordered_json> metrics(const std::string& run = "run") const {
    std::vector<nlohmann::ordered_json> lines;
    std::ifstream file(path(run + "/metrics.jsonl"));
    for (std::string line; std::getline(file, line);)
      lines.push_back(nlohmann::ordered_json::parse(line));
    return lines;
  }

  std::vector<std::string> event_paths(const std::string& run = "run") const {
    std::vector<std::string> paths;
    for (const auto& entry : std::filesystem::directory_iterator(path(run)))
      if (entry.path().filename().string().starts_with("events.out.tfevents."))
        paths.push_back(entry.path().string());
    std::ranges::sort(paths);
    return paths;
  }
  std::vector<EventSteps> event_files(const std::string& run = "run") const {
    std::vector<EventSteps> files;
    for (const std::string& file : event_paths(run)) files.push_back(event_steps(get(file)));
    return files;
  }

  bool exists(const std::string& name) const {
    return std::filesystem::exists(std::filesystem::path(path(name)));
  }

  Console quiet_{Verbosity::Quiet};
};

/// Flips one bit of the last byte, which belongs to a tensor.
inline void damage(const std::string& path) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(-1, std::ios::end);
  const char last = static_cast<char>(file.get());
  file.seekp(-1, std::ios::end);
  file.put(static_cast<char>(last ^ 1));
}

/// The tensors' bytes by name, without the seconds a run took, which no two runs share.
inline std::map<std::string, Bytes> tensors_of(const std::string& path) {
  const SafetensorsFile file(path);
  std::map<std::string, Bytes> tensors;
  for (const std::string& name : file.names()) {
    HostArray array = file.read(name);
    if (name == "state/progress") {
      RunProgress progress;
      std::memcpy(&progress, array.bytes.data(), sizeof progress);
      progress.seconds = 0;
      std::memcpy(array.bytes.data(), &progress, sizeof progress);
    }
    tensors[name] = std::move(array.bytes);
  }
  return tensors;
}

/// Every tensor of two checkpoints has the same bits.
inline void expect_same_bits(const std::string& found, const std::string& expected) {
  const auto left = tensors_of(found), right = tensors_of(expected);
  EXPECT_GT(right.size(), 10u);
  for (const auto& [name, bytes] : right) {
    ASSERT_TRUE(left.contains(name)) << name;
    EXPECT_TRUE(left.at(name) == bytes) << name << " differs";
  }
  EXPECT_EQ(left.size(), right.size());
}

/// `body` must throw an Error of `kind` whose sentence contains `part`.
template <class Body>
void expect_error(ErrorKind kind, std::string_view part, const Body& body) {
  try {
    body();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    EXPECT_NE(std::string_view(error.what()).find(part), std::string_view::npos) << error.what();
    return;
  }
  ADD_FAILURE() << "no error; '" << part << "' is expected";
}

}  // namespace tessera::testing
