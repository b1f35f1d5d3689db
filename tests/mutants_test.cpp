// The table of planted faults (tests/mutants.txt) leaves no kernel out; tools/mutate.sh plants them.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "testing/places.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;

const fs::path kRoot = testing::kSourceDir;

/// How many faults each file gets.
std::map<std::string, int> faults() {
  std::map<std::string, int> count;
  std::ifstream table(kRoot / "tests/mutants.txt");
  for (std::string line; std::getline(table, line);)
    if (!line.empty() && line.front() != '#') ++count[line.substr(0, line.find(' '))];
  return count;
}

TEST(MutantsTest, EveryKernelFileHasTwo) {
  const std::map<std::string, int> count = faults();
  for (const char* folder : {"cuda", "src/cpu"})
    for (const auto& entry : fs::directory_iterator(kRoot / folder)) {
      const std::string file = fs::relative(entry.path(), kRoot).string(),
                        name = entry.path().filename();
      const bool kernels =
          entry.path().extension() == ".cu" ||
          (entry.path().extension() == ".cpp" && folder == std::string("src/cpu") &&
           name != "thread_pool.cpp" && name != "cpu_context.cpp");
      if (!kernels) continue;
      int found = 0;  // in the file and its own -inl.h
      for (const std::string& part : {file, file.substr(0, file.rfind('.')) + "-inl.h"})
        if (count.contains(part)) found += count.at(part);
      EXPECT_GE(found, 2) << file;
    }
}

TEST(MutantsTest, ThereAreForty) {
  int all = 0;
  for (const auto& [file, count] : faults()) {
    EXPECT_TRUE(fs::exists(kRoot / file)) << file;
    all += count;
  }
  EXPECT_GE(all, 40);
}

}  // namespace
}  // namespace tessera
