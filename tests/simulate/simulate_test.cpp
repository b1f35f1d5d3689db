#include "tessera/simulate.h"

#include <gtest/gtest.h>

#include <set>

#include "data/file_fixture.h"
#include "tessera/files/crc32.h"
#include "testing/determinism.h"

namespace tessera {
namespace {

using namespace tessera::testing;

SimulateOptions small() { return {.samples = 6, .seed = 5, .frames = 8, .steps_per_frame = 4}; }

std::vector<float> joined(const FeatureBlock& block) {
  std::vector<float> all = block.inputs;
  for (const auto& family : block.families) all.insert(all.end(), family.begin(), family.end());
  all.insert(all.end(), block.parameters.begin(), block.parameters.end());
  return all;
}

uint32_t crc_of(const std::vector<float>& values) {
  return crc32(std::as_bytes(std::span(values)));
}

TEST(SimulateTest, BitsDependNeitherOnThreadsNorOnTheInstructionSet) {
  expect_same_bits_everywhere([] { return joined(simulate_samples(small(), 0, 6)); });
}

TEST(SimulateTest, ASampleDependsOnItsNumberAlone) {
  const FeatureBlock all = simulate_samples(small(), 0, 6);
  SimulateOptions more = small();
  more.samples = 100;
  const FeatureBlock some = simulate_samples(more, 3, 2);
  for (size_t family = 0; family < all.families.size(); ++family) {
    const size_t row = all.families[family].size() / 6;
    EXPECT_TRUE(std::equal(some.families[family].begin(), some.families[family].end(),
                           all.families[family].begin() + static_cast<int64_t>(3 * row)))
        << family;
  }
}

// Later results rest on these data: whoever changes the generator or a feature changes this number
// and all of them.
TEST(SimulateTest, GeneratorAndFeaturesAreFrozen) {
  EXPECT_EQ(crc_of(joined(simulate_samples(small(), 0, 6))), 691438993u);
}

TEST(SimulateTest, PlantedDataAreFrozen) {
  EXPECT_EQ(crc_of(planted_data({.samples = 50, .seed = 3, .even = true}).values.families[0]),
            526290895u);
}

TEST(SimulateTest, LayoutFitsTheBlock) {
  const FeatureLayout layout = simulation_layout(small());
  const FeatureBlock block = simulate_samples(small(), 0, 6);
  ASSERT_EQ(layout.families.size(), block.families.size());
  for (size_t i = 0; i < layout.families.size(); ++i) {
    EXPECT_EQ(block.families[i].size(), static_cast<size_t>(6 * layout.families[i].row_size()));
    const auto& names = layout.families[i].features;
    EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), names.size());
  }
  EXPECT_EQ(layout.families[0].cols(), 14);
  EXPECT_EQ(layout.families[1].cols(), 144);
  EXPECT_EQ(layout.families[2].cols(), 36);
  EXPECT_EQ(block.inputs.size(), static_cast<size_t>(6 * layout.input_size()));
}

TEST(SimulateTest, InitialFeaturesAreThoseOfV) {
  const FeatureBlock block = simulate_samples(small(), 0, 2);
  const auto v = std::span(block.inputs).subspan(3 * 4096, 4096);  // of sample 1
  const std::vector<double> expected = initial_features(v, 64, 64);
  for (size_t i = 0; i < 14; ++i)
    EXPECT_EQ(block.families[0][14 + i], static_cast<float>(expected[i])) << i;
}

TEST(SimulateTest, SummaryIsMadeOfTheFrames) {
  const FeatureBlock block = simulate_samples(small(), 0, 1);
  const size_t v_mean = 0;
  double mean = 0, squares = 0, trend = 0, time = 0;
  const auto at = [&](size_t t) { return double(block.families[2][t * 36 + v_mean]); };
  for (size_t t = 0; t < 8; ++t) mean += at(t) / 8;
  for (size_t t = 0; t < 8; ++t) {
    squares += (at(t) - mean) * (at(t) - mean) / 8;
    trend += (at(t) - mean) * (double(t) / 7 - 0.5);
    time += (double(t) / 7 - 0.5) * (double(t) / 7 - 0.5);
  }
  const std::vector<float>& summary = block.families[1];
  EXPECT_NEAR(summary[v_mean], mean, 1e-7);
  EXPECT_NEAR(summary[36 + v_mean], std::sqrt(squares), 1e-7);
  EXPECT_EQ(summary[72 + v_mean], block.families[2][7 * 36 + v_mean]);
  EXPECT_NEAR(summary[108 + v_mean], trend / time, 1e-7);
}

TEST(SimulateTest, VariableLengthsAreTheBinsThatFit) {
  SimulateOptions options = small();
  options.samples = 40;
  options.frames = 64;
  options.steps_per_frame = 1;
  options.variable_lengths = true;
  const FeatureBlock block = simulate_samples(options, 0, 40);
  EXPECT_EQ(std::set<int32_t>(block.lengths.begin(), block.lengths.end()),
            (std::set<int32_t>{16, 32, 64}));
  for (size_t i = 0; i < 40; ++i) {
    const float* frames = block.families[2].data() + i * 64 * 36;
    const auto u_mean = [&](int32_t t) { return frames[t * 36 + 6]; };
    EXPECT_GT(u_mean(block.lengths[i] - 1), 0);
    if (block.lengths[i] < 64) {
      EXPECT_EQ(u_mean(block.lengths[i]), 0);
    }
  }
}

class SimulateFileTest : public FileTest {};

TEST_F(SimulateFileTest, FileAndFolderHoldTheSameData) {
  SimulateOptions options = small();
  options.samples = 103;  // a whole block and some
  options.frames = 16;
  options.steps_per_frame = 1;
  options.variable_lengths = true;
  const auto go_on = [](int64_t, int64_t) { return true; };
  ASSERT_TRUE(simulate(options, path("data.h5"), go_on));
  ASSERT_TRUE(simulate(options, path("data"), go_on));
  const FeatureSet file = load_features(*open_features(path("data.h5")));
  const FeatureSet folder = load_features(*open_features(path("data")));
  EXPECT_EQ(joined(file.values), joined(folder.values));
  EXPECT_EQ(file.values.lengths, folder.values.lengths);
  EXPECT_EQ(joined(file.values), joined(simulate_samples(options, 0, 103)));
  EXPECT_EQ(file.layout.parameters, simulation_layout(options).parameters);
  for (size_t i = 0; i < 4; ++i)
    EXPECT_EQ(file.layout.families[i].features, folder.layout.families[i].features);
}

TEST_F(SimulateFileTest, AnEndedRunLeavesNothing) {
  SimulateOptions options = small();
  options.samples = 300;
  options.steps_per_frame = 1;
  for (const char* name : {"data.h5", "data"})
    EXPECT_FALSE(simulate(options, path(name), [](int64_t done, int64_t) { return done < 200; }));
  EXPECT_TRUE(listing().empty());
}

}  // namespace
}  // namespace tessera
