// Rules for authors of cuda/*.cu that a search can check. Everything outside the portability layer must
// also run on the host emulator, deterministically.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <string>
#include <vector>

#include "testing/places.h"

namespace {

namespace fs = std::filesystem;

/// The portability layer: what gives kernels their shared memory and launches.
bool is_portability_layer(const std::string& file) {
  return file == "launch.cuh" || file == "reduce.cuh" || file == "check.h";
}

struct Line {
  std::string file, text;
  int number;
  std::string where() const { return "cuda/" + file + ":" + std::to_string(number) + ": " + text; }
};

/// Code lines of cuda/ without comments.
std::vector<Line> code_lines() {
  std::vector<Line> lines;
  for (const auto& entry : fs::directory_iterator(fs::path(tessera::testing::kSourceDir) / "cuda")) {
    std::ifstream file(entry.path());
    int number = 0;
    for (std::string text; std::getline(file, text);) {
      ++number;
      if (const size_t comment = text.find("//"); comment != std::string::npos) text.resize(comment);
      lines.push_back({entry.path().filename().string(), text, number});
    }
  }
  return lines;
}

void expect_absent(const std::string& pattern, const std::string& rule, bool also_in_layer = false) {
  const std::regex forbidden(pattern);
  for (const Line& line : code_lines())
    if (also_in_layer || !is_portability_layer(line.file)) {
      EXPECT_FALSE(std::regex_search(line.text, forbidden)) << line.where() << "\n  " << rule;
    }
}

TEST(KernelRulesTest, SourcesAreFound) { EXPECT_GT(code_lines().size(), 1000u); }

TEST(KernelRulesTest, SharedMemoryComesFromTheMacros) {
  expect_absent(R"(\b__shared__\b)", "use TESSERA_SHARED_ARRAY or TESSERA_DYNAMIC_SHARED");
}
TEST(KernelRulesTest, LaunchesGoThroughLaunch) {
  expect_absent("<<<|cudaLaunchKernel|cudaLaunchCooperative", "use cuda::launch(): counted and checked");
}
TEST(KernelRulesTest, NoAssemblyOrArchitectureTests) {
  expect_absent(R"(\basm\b|__CUDA_ARCH__)", "kernels run on the host too", true);
}
TEST(KernelRulesTest, NoBlockPrimitivesOfLibraries) {
  expect_absent(R"(cub::(Block|Warp)|cooperative_groups|cudaTextureObject_t|tex1D|tex2D)",
                "they do not compile on the host; reduce.cuh has what is needed", true);
}
TEST(KernelRulesTest, CollectivesNameTheirMask) {
  expect_absent(R"(__activemask|__shfl(_up|_down|_xor)?\(|__any\(|__all\(|__ballot\()",
                "use the _sync form with an explicit mask", true);
}
TEST(KernelRulesTest, NoFloatAtomics) {
  expect_absent(R"(atomicAdd\(\s*&?\s*\w*(sum|grad|loss|value)\w*)", "results must not depend on order");
}
TEST(KernelRulesTest, NoReturnAboveABarrier) {
  // Within a kernel a `return` line followed later by a barrier would leave threads behind.
  std::string kernel;
  bool returned = false;
  for (const Line& line : code_lines()) {
    if (line.text.find("__global__") != std::string::npos) {
      kernel = line.where();
      returned = false;
    }
    if (!line.text.empty() && line.text[0] == '}') returned = false;
    if (std::regex_search(line.text, std::regex(R"(\breturn\s*;)"))) returned = true;
    EXPECT_FALSE(returned && line.text.find("__syncthreads") != std::string::npos)
        << line.where() << "\n  after a return in " << kernel;
  }
}
TEST(KernelRulesTest, FastMathIntrinsicsAreNotUsed) {
  expect_absent(R"(\b__(expf|logf|sinf|cosf|powf|fdividef)\b|use_fast_math)",
                "formulas are those of scalar_math.h", true);
}
TEST(KernelRulesTest, EveryKernelNamesItsLaunch) {
  // launch(context, "name", kernel, ...): the name is what counts and errors show.
  int launches = 0;
  for (const Line& line : code_lines())
    if (std::regex_search(line.text, std::regex(R"(\blaunch\(context)"))) ++launches;
  EXPECT_GT(launches, 20);
}

}  // namespace
