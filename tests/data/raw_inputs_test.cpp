#include "tessera/raw_inputs.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <numeric>

#include "config/config_testing.h"
#include "data/hdf5_fixture.h"
#include "tessera/feature_data.h"
#include "tessera/files/npy.h"
#include "testing/numbers.h"

namespace tessera {
namespace {

using config_testing::FolderTest;
using config_testing::message_of;

constexpr int64_t kRows = 230, kSteps = 5, kEmpty = 3;  // row kEmpty is never filled
using testing::kNan;

/// A value of its own for each place of the data set.
float value(int64_t row, int64_t part, int64_t i) {
  return static_cast<float>(1 + row * 100 + part * 40 + i);
}

class RawInputsTest : public FolderTest {
 protected:
  RawSelection all_ = {.families = {"initial"}, .series = {"temporal"}, .grids = true};

  /// Grids of 2 x 2 x 3, series of 5 steps and 2 features, 3 columns.
  std::string make(const std::string& name) const {
    FeatureLayout layout;
    layout.rows = kRows;
    layout.families = {{"initial", 0, {"a", "b", "c"}}, {"temporal", kSteps, {"u", "v"}}};
    layout.input_shape = {2, 2, 3};
    layout.has_lengths = true;
    FeatureBlock block;
    block.rows = kRows;
    block.families.resize(2);
    for (int64_t row = 0; row < kRows; ++row) {
      const float filled = row == kEmpty ? 0 : 1;
      for (int64_t i = 0; i < 3; ++i) block.families[0].push_back(filled * value(row, 0, i));
      for (int64_t i = 0; i < 10; ++i) block.families[1].push_back(filled * value(row, 1, i));
      for (int64_t i = 0; i < 12; ++i) block.inputs.push_back(filled * value(row, 2, i));
      block.lengths.push_back(static_cast<int32_t>(1 + row % kSteps));
    }
    block.inputs[7 * 12 + 1] = kNan;
    const auto writer = create_features(path(name), layout);
    writer->append(block);
    writer->commit();
    return path(name);
  }

  std::string refusal(const std::string& file, const RawSelection& wanted) const {
    return message_of(ErrorKind::Data, [&] { open_raw_features(file, wanted); });
  }
};

/// Values as they are stored: a NaN equals itself.
std::vector<uint32_t> bits(const std::vector<float>& values) {
  std::vector<uint32_t> stored;
  for (const float value : values) stored.push_back(std::bit_cast<uint32_t>(value));
  return stored;
}

/// Rows in an order that no chunk has.
std::vector<int32_t> scattered(int64_t rows) {
  std::vector<int32_t> order;
  for (int64_t i = 0; i < rows; ++i) order.push_back(static_cast<int32_t>(i * 97 % rows));
  return order;
}

TEST_F(RawInputsTest, GivesEachRowItsOwnParts) {
  const RawFeatures opened = open_raw_features(make("set"), all_);
  ASSERT_EQ(opened.raw->rows(), kRows - 1);
  EXPECT_EQ(opened.dropped, 1);
  EXPECT_EQ(opened.columns.names,
            (std::vector<std::string>{"initial/a", "initial/b", "initial/c"}));
  EXPECT_EQ(opened.raw->grid_shape(), (std::vector<int64_t>{2, 2, 3}));
  const std::vector<int32_t> order = scattered(kRows - 1);
  const RawBatch batch = opened.raw->read(order);
  for (size_t n = 0; n < order.size(); ++n) {
    const int64_t row = order[n] + (order[n] >= kEmpty ? 1 : 0);  // of the file
    EXPECT_EQ(opened.columns.values[static_cast<size_t>(order[n]) * 3 + 2], value(row, 0, 2));
    EXPECT_EQ(batch.series[0][n * 10 + 7], value(row, 1, 7));
    EXPECT_EQ(batch.grids[n * 12 + 2 * 4 + 1], value(row, 2, 6 + 4));  // pixel 4, channel 1
    EXPECT_EQ(batch.lengths[n], 1 + row % kSteps);
  }
}

TEST_F(RawInputsTest, AllStoresGiveTheSameBatches) {
  const std::string folder = make("set"), file = make("set.h5");
  const std::vector<int32_t> order = scattered(kRows - 1);
  const RawBatch memory = open_raw_features(folder, all_).raw->read(order);
  std::filesystem::create_directories(path("scratch"));
  for (const std::string& from : {folder, file}) {
    const RawFeatures opened = open_raw_features(from, all_, {}, 64, path("scratch"));
    // The copy has no name.
    EXPECT_TRUE(std::filesystem::is_empty(path("scratch")));
    const RawBatch batch = opened.raw->read(order);
    EXPECT_EQ(bits(batch.grids), bits(memory.grids)) << from;
    EXPECT_EQ(batch.series, memory.series) << from;
    EXPECT_EQ(batch.lengths, memory.lengths) << from;
  }
}

TEST_F(RawInputsTest, ReadsOtherTypesOfAFolderThroughACopy) {
  const std::string folder = make("set");
  const RawBatch expected = open_raw_features(folder, all_).raw->read(scattered(kRows - 1));
  const HostArray floats = read_npy(folder + "/features/temporal.npy");
  const std::vector<float> values = floats.to_floats("temporal");
  const std::vector<double> wide(values.begin(), values.end());
  HostArray doubles{DType::F64, floats.shape, {}};
  const auto bytes = std::as_bytes(std::span(wide));
  doubles.bytes.assign(bytes.begin(), bytes.end());
  write_npy(folder + "/features/temporal.npy", doubles);
  const RawFeatures opened = open_raw_features(folder, all_, {}, 64, path("scratch"));
  EXPECT_EQ(opened.raw->read(scattered(kRows - 1)).series, expected.series);
}

TEST_F(RawInputsTest, LeavesOutAndReordersFeaturesOfSeriesInEveryStore) {
  const std::string folder = make("set"), file = make("set.h5");
  RawSelection without_u = all_, turned = all_;
  without_u.exclude = {"temporal/u*", "initial/a"};  // columns are left out by exclude_features()
  turned.series_features = {{"v", "u"}};
  for (const std::string& from : {folder, file})
    for (const int64_t memory : {int64_t{1} << 20, int64_t{64}}) {
      const RawFeatures v = open_raw_features(from, without_u, {}, memory, path("scratch"));
      EXPECT_EQ(v.raw->series()[0].features, (std::vector<std::string>{"v"}));
      EXPECT_EQ(v.raw->series()[0].left_out, (std::vector<std::string>{"u"}));
      const std::vector<int32_t> rows = {9, 1};
      const RawBatch batch = v.raw->read(rows);
      const RawBatch both = open_raw_features(from, turned, {}, memory, path("scratch")).raw->read(rows);
      ASSERT_EQ(batch.series[0].size(), 2u * kSteps);
      ASSERT_EQ(both.series[0].size(), 4u * kSteps);
      for (int64_t t = 0; t < kSteps; ++t) {
        EXPECT_EQ(batch.series[0][static_cast<size_t>(t)], value(10, 1, 2 * t + 1)) << from;
        EXPECT_EQ(batch.series[0][static_cast<size_t>(kSteps + t)], value(1, 1, 2 * t + 1)) << from;
        EXPECT_EQ(both.series[0][static_cast<size_t>(2 * t)], value(10, 1, 2 * t + 1)) << from;
        EXPECT_EQ(both.series[0][static_cast<size_t>(2 * t + 1)], value(10, 1, 2 * t)) << from;
      }
    }
  all_.exclude = {"temporal/*"};
  EXPECT_NE(refusal(folder, all_).find("takes out all 2 features of the series temporal"),
            std::string::npos);
  turned.series_features = {{"v", "w"}};
  EXPECT_NE(refusal(folder, turned).find("temporal have no feature w"), std::string::npos);
}

TEST_F(RawInputsTest, MissingValuesStayMissing) {
  const std::string folder = make("set");
  const std::vector<int32_t> row = {6};  // 7 of the file
  for (const int64_t memory : {int64_t{1} << 20, int64_t{64}}) {
    const RawBatch batch = open_raw_features(folder, all_, {}, memory).raw->read(row);
    EXPECT_TRUE(std::isnan(batch.grids[1 * 2 + 0])) << memory;
    EXPECT_EQ(batch.grids[1 * 2 + 1], value(7, 2, 6 + 1)) << memory;
  }
}

TEST_F(RawInputsTest, KeepsUnfilledRowsWhereAsked) {
  all_.keep_unfilled = true;
  const RawFeatures opened = open_raw_features(make("set"), all_);
  EXPECT_EQ(opened.raw->rows(), kRows);
  EXPECT_EQ(opened.dropped, 0);
  EXPECT_EQ(opened.raw->read(std::vector<int32_t>{4}).series[0][0], value(4, 1, 0));
}

TEST_F(RawInputsTest, ReadsNoMoreRowsThanAsked) {
  const RawFeatures opened = open_raw_features(make("set.h5"), all_, 10, 64, path("scratch"));
  EXPECT_EQ(opened.raw->rows(), 10);
  EXPECT_EQ(opened.columns.rows, 10);
  EXPECT_EQ(opened.raw->read(std::vector<int32_t>{9}).series[0][0], value(10, 1, 0));
}

TEST_F(RawInputsTest, OpensGridsAlone) {
  const RawFeatures opened = open_raw_features(make("set"), {.grids = true});
  EXPECT_EQ(opened.columns.cols(), 0);
  EXPECT_TRUE(opened.raw->series().empty());
  EXPECT_EQ(opened.raw->read(std::vector<int32_t>{0}).grids[0], value(0, 2, 0));
}

TEST_F(RawInputsTest, SeriesAreFullWhereNoLengthsAreGiven) {
  const std::string folder = make("set");
  std::filesystem::remove(folder + "/lengths.npy");
  const RawFeatures opened = open_raw_features(folder, all_);
  EXPECT_EQ(opened.raw->read(std::vector<int32_t>{0, 1}).lengths,
            (std::vector<int32_t>{kSteps, kSteps}));
}

TEST_F(RawInputsTest, TellsHowFarItIs) {
  int64_t last = 0;
  std::string what;
  open_raw_features(make("set.h5"), all_, {}, 64, path("scratch"),
                    [&](int64_t rows, int64_t of, const std::string& words) {
                      last = rows;
                      what = words;
                      EXPECT_EQ(of, kRows);
                    });
  EXPECT_EQ(last, kRows);
  EXPECT_EQ(what, "copying raw inputs");
}

TEST_F(RawInputsTest, RefusesFamiliesOfAnotherRank) {
  const std::string folder = make("set");
  EXPECT_NE(
      refusal(folder, {.families = {"temporal"}})
          .find("family temporal has rank 3, 5 steps of 2 features; its encoder reads columns"),
      std::string::npos);
  EXPECT_NE(refusal(folder, {.series = {"initial"}})
                .find("family initial has rank 2, 3 columns; its encoder reads series"),
            std::string::npos);
  EXPECT_NE(refusal(folder, {.series = {"none"}}).find("there is no family 'none'"),
            std::string::npos);
}

TEST_F(RawInputsTest, RefusesGridsThatAreNotThere) {
  const std::string folder = make("set");
  std::filesystem::remove(folder + "/inputs/fields.npy");
  EXPECT_NE(refusal(folder, all_).find("holds no raw grids"), std::string::npos);
}

TEST_F(RawInputsTest, RefusesGridsOfAnotherRank) {
  {
    testing::Hdf5File file(path("flat.h5"));
    file.put("/features/initial/aggregated/features", {3, 2});
    file.put("/inputs/fields", {3, 4});
  }
  EXPECT_NE(refusal(path("flat.h5"), {.families = {"initial"}, .grids = true}).find("has rank 2"),
            std::string::npos);
}

TEST_F(RawInputsTest, RefusesLengthsThatCannotBe) {
  const std::string folder = make("set");
  HostArray lengths = read_npy(folder + "/lengths.npy");
  const auto write_length = [&](int32_t length) {
    std::memcpy(lengths.bytes.data() + 5 * sizeof length, &length, sizeof length);
    write_npy(folder + "/lengths.npy", lengths);
  };
  write_length(0);
  EXPECT_NE(refusal(folder, all_).find("sample 5 has length 0; give it at least one step"),
            std::string::npos);
  write_length(kSteps + 1);
  EXPECT_NE(refusal(folder, all_).find("sample 5 has length 6"), std::string::npos);
}

TEST_F(RawInputsTest, RefusesAFileThatIsCutOff) {
  const std::string folder = make("set"), file = make("set.h5");
  for (const std::string& cut : {folder + "/features/temporal.npy", file})
    std::filesystem::resize_file(cut, std::filesystem::file_size(cut) - 40);
  refusal(folder, all_);
  refusal(file, all_);
}

TEST_F(RawInputsTest, RefusesAScratchFolderThatCannotBe) {
  write("taken", "");
  const std::string file = make("set.h5");
  const std::string message = message_of(
      ErrorKind::Data, [&] { open_raw_features(file, all_, {}, 64, path("taken") + "/x"); });
  EXPECT_NE(message.find("choose a folder that can be written to"), std::string::npos) << message;
}

}  // namespace
}  // namespace tessera
