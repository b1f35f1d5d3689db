#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "data/file_fixture.h"
#include "tessera/data.h"
#include "tessera/files.h"

namespace tessera {
namespace {

using namespace tessera::testing;

class DatasetTest : public FileTest {};

HostArray floats(std::vector<int64_t> shape, const std::vector<float>& values) {
  return HostArray::from_values<float>(std::move(shape), values);
}
HostArray bytes(std::vector<int64_t> shape, const std::vector<uint8_t>& values) {
  return HostArray::from_values<uint8_t>(std::move(shape), values);
}

void expect_config_error(const std::function<void()>& body, std::string_view part) {
  try {
    body();
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Config) << error.what();
    EXPECT_NE(std::string_view(error.what()).find(part), std::string_view::npos) << error.what();
  }
}

TEST_F(DatasetTest, FolderHoldsTheTwoFilesOfAnIdxDataSet) {
  put("train-images-idx3-ubyte.gz", {});
  put("t10k-images-idx3-ubyte", {});
  EXPECT_EQ(data_file(folder_.string(), Split::Train), path("train-images-idx3-ubyte.gz"));
  EXPECT_EQ(data_file(folder_.string(), Split::Test), path("t10k-images-idx3-ubyte"));
  EXPECT_EQ(data_file(path("rows.npy"), Split::Test), path("rows.npy"));
}

TEST_F(DatasetTest, FolderWithoutThemIsNamedWithWhatWasLookedFor) {
  expect_data_error([&] { data_file(folder_.string(), Split::Test); },
                    "a folder without t10k-images-idx3-ubyte or t10k-images-idx3-ubyte.gz");
  expect_config_error([] { data_file("", Split::Train); }, "data.path is not given");
}

TEST_F(DatasetTest, RowsKeepBytesAndTheirShape) {
  const HostRows rows = to_rows(bytes({2, 1, 3}, {1, 2, 3, 4, 5, 6}), "sample");
  EXPECT_EQ(rows.rows, 2);
  EXPECT_EQ(rows.cols, 3);
  EXPECT_EQ(rows.row_shape, (std::vector<int64_t>{1, 3}));
  EXPECT_EQ(rows.bytes, (std::vector<uint8_t>{1, 2, 3, 4, 5, 6}));
  EXPECT_TRUE(rows.values.empty());
}

TEST_F(DatasetTest, OtherNumbersBecomeFloats) {
  const HostRows rows =
      to_rows(HostArray::from_values<int16_t>({3}, std::vector<int16_t>{-1, 0, 300}), "sample");
  EXPECT_EQ(rows.cols, 1);
  EXPECT_EQ(rows.values, (std::vector<float>{-1, 0, 300}));
}

TEST_F(DatasetTest, EmptyAndScalarArraysAreRefused) {
  expect_data_error([] { to_rows(floats({0, 3}, {}), "sample"); }, "sample: shape [0, 3] holds no");
  expect_data_error([] { to_rows(floats({}, {1}), "sample"); }, "sample: a single number");
}

TEST_F(DatasetTest, MaxRowsKeepsTheFirst) {
  write_npy(path("rows.npy"), floats({3, 2}, {1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(load_rows(path("rows.npy"), "auto", 2).values, (std::vector<float>{1, 2, 3, 4}));
  EXPECT_EQ(load_rows(path("rows.npy"), "auto", 9).rows, 3);
  write_npy(path("bytes.npy"), bytes({3, 2}, {1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(load_rows(path("bytes.npy"), "auto", 1).bytes, (std::vector<uint8_t>{1, 2}));
}

TEST_F(DatasetTest, AutoIsUnitRangeForBytesAndNothingForFloats) {
  const HostRows pixels = to_rows(bytes({1, 2}, {0, 255}), "sample");
  EXPECT_EQ(fit_normalizer("auto", pixels, {0}).kind, "unit_range");
  EXPECT_EQ(Dataset(pixels, {"unit_range", {}, {}}, {}).rows_at(0, 1).to_host(),
            (std::vector<float>{0, 1}));
  EXPECT_EQ(Dataset(pixels, {"none", {}, {}}, {}).rows_at(0, 1).to_host(),
            (std::vector<float>{0, 255}));
  const HostRows values = to_rows(floats({1, 2}, {-3, 7}), "sample");
  EXPECT_EQ(fit_normalizer("auto", values, {0}).kind, "none");
  expect_config_error([&] { fit_normalizer("unit_range", values, {0}); }, "sample holds other");
}

TEST_F(DatasetTest, StandardHasMeanZeroAndDeviationOneOverItsRows) {
  const HostRows rows = to_rows(floats({4, 2}, {1, 10, 3, 30, 5, 20, 99, 99}), "sample");
  const Normalizer normalizer = fit_normalizer("standard", rows, {0, 1, 2});
  EXPECT_EQ(normalizer.mean, (std::vector<float>{3, 20}));
  const std::vector<float> values = Dataset(rows, normalizer, {}).rows_at(0, 3).to_host();
  const float one = std::sqrt(1.5f);  // 2 over the deviation sqrt((4 + 0 + 4) / 3)
  const std::vector<float> expected = {-one, -one, 0, one, one, 0};
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(values[i], expected[i], 1e-6);
}

TEST_F(DatasetTest, StandardOfBytesIsThatOfTheirNumbers) {
  const Normalizer normalizer =
      fit_normalizer("standard", to_rows(bytes({2, 1}, {10, 20}), "sample"), {0, 1});
  EXPECT_EQ(normalizer.mean[0], 15);
  EXPECT_EQ(normalizer.scale[0], 0.2f);
}

TEST_F(DatasetTest, ConstantFeaturesAreNotBlownUp) {
  // The mean of many 0.1f in binary64 is not 0.1f to the last bit.
  std::vector<float> values(1000, 0.1f);
  std::vector<int32_t> all(1000);
  std::iota(all.begin(), all.end(), 0);
  const Normalizer normalizer =
      fit_normalizer("standard", to_rows(floats({1000, 1}, values), "sample"), all);
  EXPECT_EQ(normalizer.scale[0], 1);
}

TEST_F(DatasetTest, UndoGivesStoredNumbersBack) {
  const Normalizer normalizer{"standard", {3, -1}, {0.5f, 4}};
  std::vector<float> values = {1, 8};
  normalizer.undo(values, 2);
  EXPECT_EQ(values, (std::vector<float>{5, 1}));
  Normalizer{"unit_range", {}, {}}.undo(values, 2);
  EXPECT_EQ(values, (std::vector<float>{5, 1}));
}

TEST_F(DatasetTest, StandardOfAnotherWidthIsRefused) {
  expect_data_error(
      [] {
        Dataset(to_rows(floats({1, 3}, {1, 2, 3}), "sample"), {"standard", {0}, {1}}, {});
      },
      "sample: 3 features, the model was trained on 1");
}

TEST_F(DatasetTest, SplitIsDisjointCompleteAndAscending) {
  for (const int64_t rows : {1, 2, 3, 10, 1000})
    for (const double fraction : {0.0, 0.001, 0.1, 0.5, 0.999}) {
      const TrainValidation split = split_rows(rows, fraction, 5);
      EXPECT_TRUE(std::is_sorted(split.train.begin(), split.train.end()));
      EXPECT_TRUE(std::is_sorted(split.validation.begin(), split.validation.end()));
      std::vector<int32_t> all = split.train;
      all.insert(all.end(), split.validation.begin(), split.validation.end());
      std::sort(all.begin(), all.end());
      std::vector<int32_t> expected(static_cast<size_t>(rows));
      std::iota(expected.begin(), expected.end(), 0);
      EXPECT_EQ(all, expected) << rows << ' ' << fraction;
      EXPECT_GE(split.train.size(), 1u);
      EXPECT_EQ(split.validation.empty(), fraction == 0 || rows == 1) << rows << ' ' << fraction;
    }
}

TEST_F(DatasetTest, SplitHasTheFractionAndDependsOnTheSeed) {
  const TrainValidation split = split_rows(1000, 0.1, 5);
  EXPECT_EQ(split.validation.size(), 100u);
  EXPECT_EQ(split.train, split_rows(1000, 0.1, 5).train);
  EXPECT_NE(split.train, split_rows(1000, 0.1, 6).train);
}

}  // namespace
}  // namespace tessera
