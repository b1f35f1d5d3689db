// Who may include whom. Each rule reads the #include lines of the sources and names every breach.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "testing/places.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;
using Names = std::vector<std::string>;

/// A line of a source: the file that includes, and what it includes, both from the repository's root
/// ("src/cpu/adam.cpp", "include/tessera/error.h"); headers of the system in angle brackets.
struct Include {
  std::string file, what;
};

bool starts_with_any(const std::string& text, const Names& prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](const std::string& prefix) { return text.starts_with(prefix); });
}

/// The file a quoted include means; the include itself where no root has it.
std::string resolve(const fs::path& root, const fs::path& file, const std::string& quoted) {
  for (const fs::path& folder : {file.parent_path(), fs::path("include"), fs::path("src"),
                                 fs::path("cuda"), fs::path("tools"), fs::path(".")})
    if (fs::exists(root / folder / quoted)) return (folder / quoted).lexically_normal().string();
  return quoted;
}

Names source_files() {
  const fs::path root = testing::kSourceDir;
  Names files;
  for (const char* folder : {"include", "src", "cuda", "tools", "bench"}) {
    if (!fs::exists(root / folder)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      const std::string kind = entry.path().extension();
      if (kind == ".h" || kind == ".cpp" || kind == ".cu" || kind == ".cuh")
        files.push_back(fs::relative(entry.path(), root).string());
    }
  }
  return files;
}

std::string text_of(const std::string& file) {
  std::ifstream stream(fs::path(testing::kSourceDir) / file);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// What follows "#include" on a line, with its brackets or quotes; empty for other lines.
std::string included(const std::string& line) {
  std::istringstream words(line);
  std::string word, name;
  words >> word;
  if (word == "#") words >> name, word += name;
  if (word != "#include" || !(words >> word)) return "";
  return word.front() == '<' || word.front() == '"' ? word : "";
}

const std::vector<Include>& includes() {
  static const std::vector<Include> all = [] {
    std::vector<Include> found;
    for (const std::string& file : source_files()) {
      std::istringstream lines(text_of(file));
      for (std::string line; std::getline(lines, line);)
        if (const std::string what = included(line); !what.empty())
          found.push_back({file, what.front() == '<' ? what
                                                     : resolve(testing::kSourceDir, file,
                                                               what.substr(1, what.size() - 2))});
    }
    return found;
  }();
  return all;
}

/// Fails for each include of something in `what` by a file that is not in `by`.
void expect_only(const Names& by, const Names& what, const std::string& rule) {
  for (const Include& include : includes())
    if (starts_with_any(include.what, what) && !starts_with_any(include.file, by)) {
      ADD_FAILURE() << include.file << " includes " << include.what << "; " << rule;
    }
}

TEST(LayeringTest, TheSourcesWereFound) {
  EXPECT_GT(source_files().size(), 100u);
  EXPECT_GT(includes().size(), 300u);
}

/// Layers from the bottom up; a file may include its own layer and those below. The first prefix
/// that fits decides. Backends have rules of their own.
const std::vector<Names>& layers() {
  static const std::vector<Names> all = {
      {"include/tessera/error.h", "include/tessera/precision.h", "include/tessera/device.h",
       "include/tessera/kernels/views.h"},
      {"include/tessera/kernels/"},
      {"include/tessera/step.h", "include/tessera/buffer.h", "include/tessera/tensor.h",
       "include/tessera/group_table.h", "src/core/"},
      {"include/tessera/tape.h", "src/autograd/"},
      {"include/tessera/training_state.h", "include/tessera/optimizer.h", "src/optim/"},
      {"include/tessera/ops.h", "include/tessera/grid_layout.h", "include/tessera/grid_ops.h",
       "include/tessera/encoder_params.h", "include/tessera/grouped_ops.h",
       "include/tessera/assignment_ops.h", "include/tessera/batch.h", "src/ops/"},
      {"include/tessera/nn.h", "include/tessera/grid_nn.h", "include/tessera/grouped_nn.h",
       "include/tessera/category_assignment.h", "include/tessera/learned_assignment.h", "src/nn/"},
      {"include/tessera/encoder.h", "include/tessera/family_encoders.h",
       "include/tessera/quantizer.h", "include/tessera/kmeans.h",
       "include/tessera/loss.h", "src/encoders/", "src/quantizers/", "src/losses/"},
      {"include/tessera/models/", "include/tessera/tokenizer.h", "include/tessera/level_sizes.h",
       "include/tessera/category_slices.h", "include/tessera/category_reduction.h", "src/models/"},
      {"include/tessera/", "src/config/", "src/data/", "src/training/", "src/report/", "src/spec/",
       "src/methods/", "src/simulate/"},
      {"tools/", "bench/"},
  };
  return all;
}

std::optional<size_t> layer_of(const std::string& file) {
  for (size_t i = 0; i < layers().size(); ++i)
    if (starts_with_any(file, layers()[i])) return i;
  return std::nullopt;
}

bool is_backend(const std::string& file) { return starts_with_any(file, {"src/cpu/", "cuda/"}); }

TEST(LayeringTest, EveryFileHasALayer) {
  for (const std::string& file : source_files())
    EXPECT_TRUE(is_backend(file) || layer_of(file)) << file << " is in no layer; name it above";
}

TEST(LayeringTest, NoFileIncludesALayerAboveItsOwn) {
  for (const Include& include : includes()) {
    const auto from = layer_of(include.file), to = layer_of(include.what);
    if (from && to) {
      EXPECT_LE(*to, *from) << include.file << " includes " << include.what;
    }
  }
}

/// Public headers of the last but one layer stand in an order too.
TEST(LayeringTest, ConfigAndFilesKnowNothingOfModelsAndTraining) {
  for (const Include& include : includes())
    if (starts_with_any(include.file,
                        {"src/config/", "include/tessera/config.h", "include/tessera/files"})) {
      EXPECT_TRUE(include.what.starts_with("<") ||
                  starts_with_any(
                      include.what,
                      {"src/config/", "include/tessera/config.h", "include/tessera/encoder_params.h",
                       "include/tessera/level_sizes.h",
                       "include/tessera/files", "include/tessera/error.h"}))
          << include.file << " includes " << include.what;
    }
  for (const Include& include : includes())
    if (include.file.starts_with("src/data/")) {
      EXPECT_FALSE(starts_with_any(include.what, {"src/training/", "include/tessera/models/"}))
          << include.file << " includes " << include.what;
    }
}

TEST(LayeringTest, BackendsSeeContractsAndThemselvesAlone) {
  const std::map<std::string, Names> allowed = {
      {"src/cpu/",
       {"src/cpu/", "include/tessera/kernels/", "include/tessera/error.h",
        "include/tessera/precision.h"}},
      {"cuda/", {"cuda/", "include/tessera/kernels/", "include/tessera/error.h"}}};
  // The two contexts are the places where a backend meets the core.
  const std::map<std::string, Names> also = {
      {"src/cpu/cpu_context.h", {"src/core/context_base.h"}},
      {"src/cpu/cpu_context.cpp", {"include/tessera/device.h"}},
      {"cuda/cuda_context.h", {"src/core/context_base.h"}},
      {"cuda/cuda_devices.cpp", {"include/tessera/device.h"}}};
  for (const Include& include : includes())
    for (const auto& [backend, names] : allowed) {
      if (!include.file.starts_with(backend) || include.what.starts_with("<")) continue;
      const bool exempt =
          also.contains(include.file) && starts_with_any(include.what, also.at(include.file));
      EXPECT_TRUE(exempt || include.what.starts_with("hwy/") ||
                  starts_with_any(include.what, names))
          << include.file << " includes " << include.what;
    }
}

TEST(LayeringTest, OnlyTheContextKnowsTheBackends) {
  expect_only({"src/cpu/", "src/core/context.h", "bench/machine.cpp"}, {"src/cpu/"},
              "host code reaches a backend through core/context.h");
  expect_only({"cuda/", "src/core/context.h"}, {"cuda/"},
              "host code reaches a backend through core/context.h");
}

TEST(LayeringTest, OnlyTheContextAsksWhetherThereIsCuda) {
  for (const std::string& file : source_files()) {
    if (file == "src/core/context.h" || file == "src/core/context.cpp") continue;
    for (const char* name : {"TESSERA_WITH_CUDA", "TESSERA_SIMT"})
      EXPECT_EQ(text_of(file).find(name), std::string::npos) << file << " tests " << name;
  }
}

// To launch a kernel one needs a context.
TEST(LayeringTest, OnlyTheNumericLayersLaunchKernels) {
  expect_only({"src/core/", "src/autograd/", "src/ops/", "src/optim/", "src/quantizers/",
               "src/methods/", "src/simulate/", "src/data/discovery/", "bench/"},
              {"src/core/context.h"}, "kernels are called by ops, optimizers and quantizers");
}

TEST(LayeringTest, OnlyTheirCallersSeeTheContractsOfKernels) {
  const Names callers = {"src/cpu/",
                         "cuda/",
                         "src/autograd/",
                         "src/ops/",
                         "src/optim/",
                         "src/quantizers/",
                         "src/methods/",
                         "src/simulate/",
                         "src/data/discovery/",
                         "bench/",
                         "include/tessera/kernels/"};
  // Types and formulas without a launch, and who else needs them.
  const std::map<std::string, Names> also = {
      {"include/tessera/buffer.h", {"views.h"}},
      {"include/tessera/group_table.h", {"groups.h"}},
      {"include/tessera/grid_layout.h", {"grids.h"}},
      {"include/tessera/grid_ops.h", {"grids.h"}},
      {"include/tessera/discovery.h", {"views.h"}},
      {"include/tessera/ops.h", {"unary.h", "vq_assign.h"}},
      {"include/tessera/grid_layout.h", {"grids.h"}},
      {"include/tessera/grouped_ops.h", {"column_groups.h", "grouped_linear.h"}},
      {"include/tessera/assignment_ops.h",
       {"assignment_terms.h", "partial_weights.h", "routing_fold.h"}},
      {"include/tessera/batch.h", {"batch.h"}},
      {"include/tessera/training_state.h", {"step_state.h"}},
      {"include/tessera/nn.h", {"philox.h"}},
      {"src/training/schedule.h", {"step_state.h"}},
      {"src/data/", {"permutation.h", "philox.h", "portable_math.h"}}};
  const std::string folder = "include/tessera/kernels/";
  for (const Include& include : includes()) {
    if (!include.what.starts_with(folder) || starts_with_any(include.file, callers)) continue;
    const std::string name = include.what.substr(folder.size());
    const bool exempt = std::any_of(also.begin(), also.end(), [&](const auto& entry) {
      return include.file.starts_with(entry.first) &&
             std::count(entry.second.begin(), entry.second.end(), name) > 0;
    });
    EXPECT_TRUE(exempt) << include.file << " includes " << include.what;
  }
}

TEST(LayeringTest, EachThirdPartyLibraryHasItsPlace) {
  expect_only({"src/config/yaml_reader.cpp"}, {"<yaml-cpp/"}, "YAML is read in one file");
  expect_only({"tools/tessera.cpp", "tools/options/"}, {"<CLI/"}, "flags are read in one file");
  expect_only({"src/data/"}, {"<zlib.h>"}, "compression belongs to the file formats");
  expect_only({"src/cpu/", "bench/machine.cpp"}, {"<hwy/", "hwy/"},
              "vectors belong to CPU kernels");
  expect_only({"src/data/hdf5"}, {"<hdf5", "<H5"}, "HDF5 is read in one place");
  expect_only({"cuda/"}, {"<cuda", "<cublas", "<dlfcn.h>"}, "CUDA belongs to its folder");
  expect_only({"src/config/", "src/data/", "src/training/", "src/report/", "tools/", "bench/"},
              {"<nlohmann/"}, "JSON belongs to files and reports");
}

TEST(LayeringTest, PublicHeadersShowNoPrivateOnesAndNoThirdParty) {
  for (const Include& include : includes()) {
    if (!include.file.starts_with("include/")) continue;
    const bool standard =  // <vector>, <cstdint>: a word without a dot or a slash
        include.what.starts_with("<") && include.what.find_first_of("./") == std::string::npos;
    EXPECT_TRUE(standard || include.what.starts_with("include/tessera/"))
        << include.file << " includes " << include.what;
  }
}

}  // namespace
}  // namespace tessera
