// Files of others: layouts our writer does not make, and broken ones.

#include <gtest/gtest.h>

#include <filesystem>

#include "data/hdf5_fixture.h"
#include "tessera/feature_data.h"

namespace tessera {
namespace {

using namespace tessera::testing;
using Names = std::vector<std::string>;

class Hdf5Test : public FileTest {
 protected:
  /// A file with a temporal and an initial family of four samples, and what `more` adds.
  std::string file(const std::function<void(Hdf5File&)>& more = [](Hdf5File&) {}) {
    Hdf5File made(path("data.h5"));
    made.put("/features/temporal/features", {4, 3, 2});
    made.put("/features/initial/aggregated/features", {4, 5});
    more(made);
    return path("data.h5");
  }
  FeatureLayout layout(const std::vector<std::string>& families = {}) {
    return open_features(path("data.h5"), families)->layout();
  }
};

TEST_F(Hdf5Test, BothPathsOfAFamilyAreFound) {
  const auto source = open_features(file(), {"initial", "temporal"});
  EXPECT_EQ(source->layout().families[0].cols(), 5);
  EXPECT_EQ(source->layout().families[1].steps, 3);
  EXPECT_EQ(source->read(1, 2).families[0], (std::vector<float>{6, 7, 8, 9, 10}));
}

TEST_F(Hdf5Test, TrajectoriesBecomeOneRowAndComeBeforeAggregates) {
  file([](Hdf5File& f) {
    f.put("/features/summary/aggregated/features", {4, 9});
    f.put("/features/summary/per_trajectory/features", {4, 2, 3});
  });
  const FeatureFamily summary = layout({"summary"}).families[0];
  EXPECT_EQ(summary.steps, 0);
  EXPECT_EQ(summary.features, (Names{"summary_0_t0", "summary_1_t0", "summary_2_t0", "summary_0_t1",
                                     "summary_1_t1", "summary_2_t1"}));
}

TEST_F(Hdf5Test, NamesComeFromTheRegistryByColumn) {
  file([](Hdf5File& f) {
    f.attribute("/features/initial", "feature_registry",
                R"({"spatial": {"c": 2, "a": 0}, "other": {"b": 1, "e": 4, "d": 3}})");
    f.put("/parameters/params", {4, 2});
    f.attribute("/parameters/params", "dimension_names", R"(["feed", "kill"])");
  });
  EXPECT_EQ(layout({"initial"}).families[0].features, (Names{"a", "b", "c", "d", "e"}));
  EXPECT_EQ(layout().parameters, (Names{"feed", "kill"}));
}

TEST_F(Hdf5Test, NamesOfParametersMayBeAnArrayOfTexts) {
  file([](Hdf5File& f) {
    f.put("/parameters/params", {4, 2});
    f.attribute("/parameters/params", "dimension_names", std::vector{"feed", "kill_rate"});
  });
  EXPECT_EQ(layout().parameters, (Names{"feed", "kill_rate"}));
}

TEST_F(Hdf5Test, ARegistryThatIsNoneIsShown) {
  file([](Hdf5File& f) { f.attribute("/features/initial", "feature_registry", "[1, 2]"); });
  expect_data_error([&] { layout({"initial"}); }, "its attribute feature_registry is '[1, 2]'");
}

TEST_F(Hdf5Test, InputsOfRankFiveAreAveragedOverTrajectories) {
  file([](Hdf5File& f) { f.put("/inputs/fields", {4, 2, 1, 2, 2}); });
  const auto source = open_features(path("data.h5"));
  EXPECT_EQ(source->layout().input_shape, (std::vector<int64_t>{1, 2, 2}));
  EXPECT_EQ(source->read(1, 2).inputs, (std::vector<float>{11, 12, 13, 14}));
}

TEST_F(Hdf5Test, UnequalRowsAreNamedWithBothDataSets) {
  file([](Hdf5File& f) { f.put("/features/summary/aggregated/features", {3, 2}); });
  expect_data_error(
      [&] {
        layout({"temporal", "summary"});
      },
      "data.h5:/features/summary/aggregated/features: has 3 rows, but ");
  expect_data_error([&] { layout({"temporal", "summary"}); }, ":/features/temporal/features has 4");
}

TEST_F(Hdf5Test, AWrongRankIsNamedWithItsShape) {
  file([](Hdf5File& f) { f.put("/features/summary/aggregated/features", {4}); });
  expect_data_error(
      [&] { layout({"summary"}); },
      ":/features/summary/aggregated/features: has rank 1, shape [4]; [samples, features]");
}

TEST_F(Hdf5Test, AMissingFamilyIsNamedWithThoseThatAreThere) {
  file();
  expect_data_error([&] { layout({"summary"}); },
                    "there is no family 'summary'; families found: initial, temporal");
}

TEST_F(Hdf5Test, AGroupWhereDataAreExpectedIsNamed) {
  Hdf5File(path("data.h5")).put("/features/odd/features/deeper", {2, 2});
  expect_data_error([&] { layout({"odd"}); }, ":/features/odd/features: is no data set");
}

TEST_F(Hdf5Test, EveryCutIsRefused) {
  const Bytes whole = get(file());
  for (const double share : {0.0, 0.001, 0.1, 0.5, 0.9, 0.999}) {
    const auto length = static_cast<int64_t>(share * static_cast<double>(whole.size()));
    put("cut.h5", Bytes(whole.begin(), whole.begin() + length));
    SCOPED_TRACE(length);
    expect_data_error([&] { open_features(path("cut.h5"))->read(0, 4); }, "cut.h5");
  }
}

TEST_F(Hdf5Test, DamageIsAnErrorOrOtherNumbersButNeverACrash) {
  const Bytes whole = get(file());
  uint64_t state = 1;
  for (int n = 0; n < 300; ++n) {
    Bytes bytes = whole;
    state = state * 6364136223846793005u + 1442695040888963407u;
    bytes[(state >> 33) % bytes.size()] ^= static_cast<std::byte>(1 << (state >> 60) % 8);
    put("damaged.h5", bytes);
    try {
      open_features(path("damaged.h5"))->read(0, 4);
    } catch (const Error& error) {
      EXPECT_TRUE(error.kind() == ErrorKind::Data || error.kind() == ErrorKind::Memory)
          << error.what();
    }
  }
}

TEST_F(Hdf5Test, OtherFilesAreNamedForWhatTheyAreNot) {
  put("text.h5", to_bytes("some text that is no HDF5 file at all"));
  expect_data_error([&] { open_features(path("text.h5")); }, "is not an HDF5 file");
  expect_data_error([&] { open_features(path("none.h5")); }, "none.h5");
}

TEST_F(Hdf5Test, AFolderOfThatNameIsNamed) {
  std::filesystem::create_directories(path("data.h5"));
  expect_data_error([&] { open_features(path("data.h5")); },
                    "is a folder without a folder 'features'");
  FeatureLayout one;
  one.rows = 1;
  one.families = {{"a", 0, {"x"}}};
  expect_data_error([&] { create_features(path("data.h5"), one); }, "is a folder");
  EXPECT_EQ(listing(), Names{"data.h5"});
}

TEST_F(Hdf5Test, AnOldFileStaysUntilTheNewOneIsWhole) {
  const Bytes old = get(file());
  FeatureLayout one;
  one.rows = 2;
  one.families = {{"a", 0, {"x"}}};
  {
    const auto writer = create_features(path("data.h5"), one);
    FeatureBlock row;
    row.rows = 1;
    row.families = {{1}};
    writer->append(row);
    EXPECT_TRUE(get(path("data.h5")) == old);
  }
  EXPECT_TRUE(get(path("data.h5")) == old);
  EXPECT_EQ(listing(), Names{"data.h5"});
}

TEST_F(Hdf5Test, TheLibraryPrintsNothing) {
  ::testing::internal::CaptureStderr();
  put("text.h5", to_bytes("\x89HDF\r\n\x1a\n and then nothing of the kind"));
  expect_data_error([&] { open_features(path("text.h5")); }, "is cut off or damaged");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace tessera
