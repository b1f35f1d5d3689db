#include "tessera/feature_data.h"

#include <gtest/gtest.h>

#include <cmath>

#include "data/hdf5_fixture.h"
#include "tessera/files.h"

namespace tessera {
namespace {

using namespace tessera::testing;
using Names = std::vector<std::string>;

/// Two families, inputs, parameters and lengths; value i of a part is i + 1.
FeatureLayout layout_of(int64_t rows) {
  FeatureLayout layout;
  layout.rows = rows;
  layout.families = {{"temporal", 3, {"speed", "size"}}, {"initial", 0, {"b", "a", "c"}}};
  layout.input_shape = {2, 2, 2};
  layout.parameters = {"feed", "kill"};
  layout.has_lengths = true;
  return layout;
}

std::vector<float> counted(int64_t count) {
  std::vector<float> values(static_cast<size_t>(count));
  std::iota(values.begin(), values.end(), 1.0f);
  return values;
}

FeatureBlock block_of(const FeatureLayout& layout) {
  FeatureBlock block;
  block.rows = layout.rows;
  for (const FeatureFamily& family : layout.families)
    block.families.push_back(counted(layout.rows * family.row_size()));
  block.inputs = counted(layout.rows * layout.input_size());
  block.parameters = counted(layout.rows * 2);
  for (int64_t i = 0; i < layout.rows; ++i) block.lengths.push_back(static_cast<int32_t>(i % 4));
  return block;
}

void expect_same(const FeatureBlock& found, const FeatureBlock& expected) {
  EXPECT_EQ(found.rows, expected.rows);
  EXPECT_EQ(found.families, expected.families);
  EXPECT_EQ(found.inputs, expected.inputs);
  EXPECT_EQ(found.parameters, expected.parameters);
  EXPECT_EQ(found.lengths, expected.lengths);
}

/// Rows [first, last) of a part with `size` values a row.
template <class T>
std::vector<T> rows_of(const std::vector<T>& values, int64_t first, int64_t last, int64_t size) {
  return {values.begin() + first * size, values.begin() + last * size};
}

class FeatureDataTest : public FileTest, public ::testing::WithParamInterface<const char*> {
 protected:
  std::string data() const { return path(GetParam()); }

  void write(const FeatureLayout& layout, const FeatureBlock& block) {
    const auto writer = create_features(data(), layout);
    writer->append(block);
    writer->commit();
  }
  void write(int64_t rows) { write(layout_of(rows), block_of(layout_of(rows))); }
};
INSTANTIATE_TEST_SUITE_P(, FeatureDataTest, ::testing::Values("data.h5", "folder"),
                         [](const auto& info) { return info.index == 0 ? "Hdf5" : "Folder"; });

TEST_P(FeatureDataTest, WhatWasWrittenIsRead) {
  write(7);
  const auto source = open_features(data());
  expect_same(source->read(0, 7), block_of(layout_of(7)));
  const FeatureLayout& layout = source->layout();
  EXPECT_EQ(layout.rows, 7);
  ASSERT_EQ(layout.families.size(), 2u);
  EXPECT_EQ(layout.families[0].name, "temporal");
  EXPECT_EQ(layout.families[0].steps, 3);
  EXPECT_EQ(layout.families[1].features, (Names{"b", "a", "c"}));
  EXPECT_EQ(layout.input_shape, (std::vector<int64_t>{2, 2, 2}));
  EXPECT_EQ(layout.parameters, (Names{"feed", "kill"}));
  EXPECT_TRUE(layout.has_lengths);
}

TEST_P(FeatureDataTest, FamiliesComeInTheOrderAskedFor) {
  write(3);
  const auto source = open_features(data(), {"initial", "temporal"});
  EXPECT_EQ(source->layout().families[0].name, "initial");
  EXPECT_EQ(source->read(0, 3).families[0], counted(9));
  EXPECT_EQ(open_features(data(), {"initial"})->layout().families.size(), 1u);
}

TEST_P(FeatureDataTest, BlocksMayBeAppendedAndReadInAnyPieces) {
  const FeatureLayout layout = layout_of(250);
  const FeatureBlock whole = block_of(layout);
  const auto writer = create_features(data(), layout);
  for (const auto& [first, last] : {std::pair{0, 1}, {1, 120}, {120, 250}}) {
    FeatureBlock part;
    part.rows = last - first;
    part.families = {rows_of(whole.families[0], first, last, 6),
                     rows_of(whole.families[1], first, last, 3)};
    part.inputs = rows_of(whole.inputs, first, last, 8);
    part.parameters = rows_of(whole.parameters, first, last, 2);
    part.lengths = rows_of(whole.lengths, first, last, 1);
    writer->append(part);
  }
  writer->commit();
  const auto source = open_features(data());
  expect_same(source->read(0, 250), whole);
  EXPECT_EQ(source->read(99, 201).families[0], rows_of(whole.families[0], 99, 201, 6));
  EXPECT_EQ(source->read(5, 5).rows, 0);
}

TEST_P(FeatureDataTest, AStreamGivesAllRowsInOrder) {
  write(250);
  const auto source = open_features(data());
  for (const int64_t rows : {0, 1, 100, 249, 1000}) {
    FeatureStream stream(*source, rows);
    std::vector<float> values;
    int64_t blocks = 0;
    while (const auto block = stream.next()) {
      values.insert(values.end(), block->families[0].begin(), block->families[0].end());
      ++blocks;
    }
    EXPECT_EQ(values, counted(250 * 6)) << rows;
    EXPECT_EQ(blocks, rows == 0 ? 1 : (250 + rows - 1) / rows);
    EXPECT_EQ(stream.dropped(), 0);
  }
}

/// One family of row 1 was never filled, the inputs of row 3, and all but one value of row 4.
TEST_P(FeatureDataTest, UnfilledRowsAreDroppedFromAllPartsAlike) {
  const FeatureLayout layout = layout_of(6);
  FeatureBlock block = block_of(layout);
  std::fill_n(block.families[1].begin() + 3, 3, 0.0f);
  std::fill_n(block.inputs.begin() + 24, 8, 0.0f);
  std::fill_n(block.families[0].begin() + 24, 5, 0.0f);
  block.families[1][0] = NAN;
  write(layout, block);
  const auto source = open_features(data());
  const FeatureSet set = load_features(*source);
  EXPECT_EQ(set.dropped, 2);
  EXPECT_EQ(set.layout.rows, 4);
  EXPECT_EQ(set.values.parameters, (std::vector<float>{1, 2, 5, 6, 9, 10, 11, 12}));
  EXPECT_EQ(set.values.lengths, (std::vector<int32_t>{0, 2, 0, 1}));
  EXPECT_EQ(rows_of(set.values.families[0], 1, 2, 6), rows_of(block.families[0], 2, 3, 6));
  EXPECT_EQ(rows_of(set.values.inputs, 3, 4, 8), rows_of(block.inputs, 5, 6, 8));
  EXPECT_TRUE(std::isnan(set.values.families[1][0]));
  FeatureStream stream(*source, 2);
  int64_t rows = 0;
  while (const auto part = stream.next()) rows += part->rows;
  EXPECT_EQ(rows, 4);
  EXPECT_EQ(stream.dropped(), 2);
}

TEST_P(FeatureDataTest, NothingFilledIsAnError) {
  FeatureBlock block = block_of(layout_of(2));
  std::fill(block.inputs.begin(), block.inputs.end(), 0.0f);
  write(layout_of(2), block);
  expect_data_error([&] { load_features(*open_features(data())); }, "none of its 2 rows is filled");
}

TEST_P(FeatureDataTest, MaxRowsKeepsTheFirst) {
  write(7);
  const FeatureSet set = load_features(*open_features(data()), 3);
  EXPECT_EQ(set.layout.rows, 3);
  EXPECT_EQ(set.values.families[1], counted(9));
}

TEST_P(FeatureDataTest, AMatrixHasTheFamiliesOfRankTwo) {
  FeatureLayout layout = layout_of(2);
  layout.families.push_back({"summary", 0, {"x"}});
  write(layout, block_of(layout));
  const FeatureMatrix matrix = feature_matrix(load_features(*open_features(data())));
  EXPECT_EQ(matrix.names, (Names{"initial/b", "initial/a", "initial/c", "summary/x"}));
  EXPECT_EQ(matrix.families, (Names{"initial", "initial", "initial", "summary"}));
  EXPECT_EQ(matrix.rows, 2);
  EXPECT_EQ(matrix.values, (std::vector<float>{1, 2, 3, 1, 4, 5, 6, 2}));
}

TEST_P(FeatureDataTest, AMissingFamilyIsNamedWithThoseThatAreThere) {
  write(3);
  expect_data_error([&] { open_features(data(), {"initial", "summary"}); }, "no family 'summary'");
  expect_data_error([&] { open_features(data(), {"summary"}); }, "temporal, initial");
}

TEST_P(FeatureDataTest, WithoutCommitNothingIsThere) {
  { create_features(data(), layout_of(4))->append(block_of(layout_of(4))); }
  EXPECT_TRUE(listing().empty());
}

TEST_P(FeatureDataTest, CommitWithRowsMissingIsRefused) {
  const auto writer = create_features(data(), layout_of(4));
  EXPECT_THROW(writer->commit(), Error);
}

TEST_P(FeatureDataTest, EqualDataAreEqualBytes) {
  write(5);
  const std::string name =
      GetParam() == std::string("folder") ? "folder/features/initial.npy" : "data.h5";
  const Bytes first = get(path(name));
  std::filesystem::remove_all(data());
  write(5);
  EXPECT_TRUE(get(path(name)) == first);
}

TEST_P(FeatureDataTest, AFolderThatIsMissingIsNamed) {
  const std::string there = path(std::string("no/where/") + GetParam());
  if (there.ends_with(".h5")) {
    expect_data_error([&] { create_features(there, layout_of(2)); }, "no folder");
  } else {
    EXPECT_NO_THROW(create_features(there, layout_of(2)));  // folders are made
  }
}

class FeatureFolderTest : public FileTest {
 protected:
  void array(const std::string& name, std::vector<int64_t> shape) {
    const std::filesystem::path file = path(name);
    std::filesystem::create_directories(file.parent_path());
    ArrayInfo info{DType::F32, shape};
    write_npy(file.string(), HostArray::from_values<float>(shape, counted(info.size())));
  }
};

TEST_F(FeatureFolderTest, WithoutNamesColumnsAreNumbered) {
  array("d/features/summary.npy", {3, 2});
  array("d/features/initial.npy", {3, 2});
  const auto source = open_features(path("d"));
  EXPECT_EQ(source->layout().families[0].name, "initial");
  EXPECT_EQ(source->layout().families[1].features, (Names{"summary_0", "summary_1"}));
  EXPECT_TRUE(source->layout().input_shape.empty());
}

TEST_F(FeatureFolderTest, UnequalRowsAreNamedWithBothCounts) {
  array("d/features/a.npy", {3, 2});
  array("d/features/b.npy", {4, 2});
  expect_data_error([&] { open_features(path("d")); }, "features/b.npy: has 4 rows, but ");
  expect_data_error([&] { open_features(path("d")); }, "features/a.npy has 3");
  array("d/features/b.npy", {3, 2});
  array("d/inputs/fields.npy", {2, 1, 4, 4});
  expect_data_error([&] { open_features(path("d")); }, "inputs/fields.npy: has 2 rows");
}

TEST_F(FeatureFolderTest, AWrongRankIsNamedWithItsShape) {
  array("d/features/a.npy", {3});
  expect_data_error([&] { open_features(path("d")); },
                    "has rank 1, shape [3]; [samples, features]");
  array("d/features/a.npy", {3, 2});
  array("d/inputs/fields.npy", {3, 4});
  expect_data_error([&] { open_features(path("d")); }, "inputs/fields.npy: has rank 2");
  array("d/inputs/fields.npy", {3, 4, 4});
  EXPECT_EQ(open_features(path("d"))->layout().input_shape, (std::vector<int64_t>{1, 4, 4}));
  array("d/parameters/params.npy", {3, 2, 1});
  expect_data_error([&] { open_features(path("d")); }, "parameters/params.npy: has rank 3");
}

TEST_F(FeatureFolderTest, NamesMustFitTheColumns) {
  array("d/features/a.npy", {3, 2});
  const auto names = [&](const char* text) { put("d/names.json", to_bytes(text)); };
  names(R"({"a": ["x"]})");
  expect_data_error([&] { open_features(path("d")); }, "has 2 columns but 1 names");
  names(R"({"a": ["x", "x"]})");
  expect_data_error([&] { open_features(path("d")); }, "two columns are named 'x'");
  names(R"({"a": "x"})");
  expect_data_error([&] { open_features(path("d")); }, "names.json: is not names of features");
  names("{");
  expect_data_error([&] { open_features(path("d")); }, "names.json: is not names of features");
}

TEST_F(FeatureFolderTest, ALengthBeyondTheSeriesIsNamed) {
  array("d/features/a.npy", {3, 2, 2});
  array("d/lengths.npy", {3});  // 1, 2, 3
  expect_data_error([&] { open_features(path("d"))->read(0, 3); }, "sample 2 has length 3");
}

TEST_F(FeatureFolderTest, AFolderWithoutFeaturesSaysWhatIsExpected) {
  expect_data_error([&] { open_features(folder_.string()); },
                    "is a folder without a folder 'features'");
  std::filesystem::create_directories(path("d/features"));
  expect_data_error([&] { open_features(path("d")); }, "holds no feature family");
}

TEST_F(FeatureFolderTest, AFolderInTheWayIsNotReplaced) {
  std::filesystem::create_directories(path("d"));
  EXPECT_NO_THROW(create_features(path("d"), layout_of(1)));
  put("d/mine", to_bytes("x"));
  expect_data_error([&] { create_features(path("d"), layout_of(1)); }, "exists already");
  EXPECT_EQ(listing(), Names{"d"});
}

}  // namespace
}  // namespace tessera
