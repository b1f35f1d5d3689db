// FeatureReader: the same rows as load_features, a block at a time, and never the whole file.
#include <cmath>
#include <cstring>

#include "data/hdf5_fixture.h"
#include "tessera/feature_data.h"
#include "tessera/files.h"
#include "tessera/load_features.h"

namespace tessera {
namespace {

using namespace tessera::testing;
using Names = std::vector<std::string>;

class FeatureReaderTest : public FileTest {
 protected:
  /// Ten rows of the families f [a, b] and g [c]; value i of a family is 10 i.
  std::string data_set(const std::string& name) {
    FeatureLayout layout;
    layout.rows = 10;
    layout.families = {{"f", 0, {"a", "b"}}, {"series", 2, {"s"}}, {"g", 0, {"c"}}};
    FeatureBlock block;
    block.rows = 10;
    block.families.resize(3);
    for (size_t i = 0; i < 3; ++i)
      for (int64_t v = 0; v < 10 * layout.families[i].row_size(); ++v)
        block.families[i].push_back(static_cast<float>(10 * v));
    const auto writer = create_features(path(name), layout);
    writer->append(block);
    writer->commit();
    return path(name);
  }
  std::string array(std::vector<float> values, std::vector<int64_t> shape) {
    write_npy(path("x.npy"), HostArray::from_values<float>(shape, values));
    return path("x.npy");
  }
};

TEST_F(FeatureReaderTest, BlocksAreTheRowsOfTheWhole) {
  for (const std::string& file :
       {data_set("set.h5"), data_set("set"), array({1, 2, 3, 4, NAN, 6}, {3, 2})}) {
    SCOPED_TRACE(file);
    const FeatureReader reader(file);
    FeatureMatrix joined = reader.read(0, 1);
    for (int64_t first = 1; first < reader.rows(); first += 2) {
      const FeatureMatrix part = reader.read(first, std::min(first + 2, reader.rows()));
      EXPECT_EQ(part.names, joined.names);
      joined.values.insert(joined.values.end(), part.values.begin(), part.values.end());
      joined.rows += part.rows;
    }
    EXPECT_EQ(joined.rows, reader.rows());
    EXPECT_EQ(reader.read(0, reader.rows()).families, joined.families);
    const FeatureMatrix whole = load_features(file);
    EXPECT_EQ(whole.names, joined.names);
    // The last rows: load_features leaves out the first of the data sets, which is 0 everywhere.
    const size_t last = static_cast<size_t>(2 * whole.cols());
    EXPECT_EQ(0, std::memcmp(&whole.values[whole.values.size() - last],
                             &joined.values[joined.values.size() - last], last * sizeof(float)));
  }
}

TEST_F(FeatureReaderTest, UnfilledRowsKeepTheirPlaces) {
  const FeatureReader reader(data_set("set.h5"));
  EXPECT_EQ(reader.rows(), 10);
  EXPECT_EQ(reader.read(0, 2).values, (std::vector<float>{0, 10, 0, 20, 30, 10}));
}

TEST_F(FeatureReaderTest, ErrorsNameTheRowOfTheFile) {
  const FeatureReader reader(array({1, 2, 3, 4, 5, INFINITY}, {3, 2}));
  EXPECT_EQ(reader.read(0, 2).rows, 2);
  expect_data_error([&] { reader.read(2, 3); }, "row 2, feature features/1 is infinite");
}

TEST_F(FeatureReaderTest, OnlyMatricesAreFeatures) {
  const auto refuses = [&](std::vector<int64_t> shape, const std::string& part) {
    const std::string file = array({1, 2, 3, 4}, std::move(shape));
    expect_data_error([&] { FeatureReader reader(file); }, part);
  };
  refuses({4}, "shape [4]; features are [samples, features]");
  refuses({1, 2, 2}, "shape [1, 2, 2]; features are [samples, features]");
}

TEST_F(FeatureReaderTest, AnArrayLargerThanMemoryIsReadInPlaces) {
  constexpr int64_t kRows = int64_t{1} << 34, kCols = 4;  // 256 GiB that take no place on disk
  const std::string file = array({0, 0, 0, 0}, {1, kCols});
  Bytes header = get(file);
  header.resize(header.size() - kCols * sizeof(float));
  std::string text(reinterpret_cast<const char*>(header.data()), header.size());
  // Longer numbers take the place of spaces that fill the header up.
  const std::string one = "(1, 4), }", many = "(" + std::to_string(kRows) + ", 4), }";
  const size_t at = text.find(one), more = many.size() - one.size();
  ASSERT_NE(at, std::string::npos);
  text.replace(at, one.size(), many);
  ASSERT_EQ(text.substr(text.size() - 1 - more, more), std::string(more, ' '));
  text.erase(text.size() - 1 - more, more);
  put("x.npy", to_bytes(text));
  std::filesystem::resize_file(file, text.size() + kRows * kCols * sizeof(float));
  const FeatureReader reader(file);
  EXPECT_EQ(reader.rows(), kRows);
  EXPECT_EQ(reader.read(kRows - 1, kRows).values, (std::vector<float>(kCols, 0)));
}

TEST_F(FeatureReaderTest, AnHdf5FileLargerThanMemoryIsReadInPlaces) {
  const hsize_t dims[] = {hsize_t{1} << 34, 4}, chunk[] = {100, 4};
  {
    const hid_t file = H5Fcreate(path("x.h5").c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    const hid_t links = H5Pcreate(H5P_LINK_CREATE), form = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_create_intermediate_group(links, 1);
    H5Pset_chunk(form, 2, chunk);  // chunks that were never written take no place
    const hid_t space = H5Screate_simple(2, dims, nullptr);
    H5Dclose(
        H5Dcreate2(file, "/features/f/features", H5T_IEEE_F32LE, space, links, form, H5P_DEFAULT));
    H5Sclose(space);
    H5Pclose(form);
    H5Pclose(links);
    H5Fclose(file);
  }
  const FeatureReader reader(path("x.h5"));
  EXPECT_EQ(reader.rows(), int64_t{1} << 34);
  EXPECT_EQ(reader.read(reader.rows() - 2, reader.rows()).values, (std::vector<float>(8, 0)));
}

TEST_F(FeatureReaderTest, WhatLiesBesideTheFamiliesIsNotRead) {
  data_set("set");
  std::filesystem::create_directories(path("set/inputs"));
  put("set/inputs/fields.npy", to_bytes("not an array"));
  EXPECT_EQ(FeatureReader(path("set")).read(1, 2).values, (std::vector<float>{20, 30, 10}));
  expect_data_error([&] { load_features(path("set")); }, "fields.npy");
}

TEST_F(FeatureReaderTest, ADataSetIsKnownByItsContent) {
  std::filesystem::rename(data_set("set.h5"), path("set.dat"));
  EXPECT_EQ(FeatureReader(path("set.dat")).rows(), 10);
  EXPECT_EQ(load_features(path("set.dat")).cols(), 3);
}

TEST_F(FeatureReaderTest, AnEmptyDataSetIsRefused) {
  Hdf5File(path("none.h5")).put("/features/f/features", {0, 3}, {1});
  expect_data_error([&] { FeatureReader reader(path("none.h5")); }, "none.h5: holds no rows");
}

TEST_F(FeatureReaderTest, AFamilyHasNoSlashInItsName) {
  put("names.json", to_bytes(R"({"a/b": ["x"], "c": ["y"]})"));
  const std::string file = array({1, 2}, {1, 2});
  expect_data_error([&] { FeatureReader reader(file); }, "family a/b has a / in its name");
}

}  // namespace
}  // namespace tessera
