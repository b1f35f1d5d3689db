#include "tessera/load_features.h"

#include <cmath>

#include "data/file_fixture.h"
#include "tessera/feature_data.h"
#include "tessera/files.h"

namespace tessera {
namespace {

using testing::expect_data_error;
using Names = std::vector<std::string>;

class LoadFeaturesTest : public testing::FileTest {
 protected:
  std::string rows(const std::vector<float>& values, std::vector<int64_t> shape) {
    write_npy(path("x.npy"), HostArray::from_values<float>(shape, values));
    return path("x.npy");
  }
  void names(const std::string& json) { put("names.json", testing::to_bytes(json)); }
};

TEST_F(LoadFeaturesTest, NumbersColumnsWithoutNames) {
  const FeatureMatrix features = load_features(rows({1, 2, 3, 4, NAN, 6}, {3, 2}));
  EXPECT_EQ(features.names, (Names{"features/0", "features/1"}));
  EXPECT_EQ(features.families, (Names{"features", "features"}));
  EXPECT_EQ(features.rows, 3);
  EXPECT_TRUE(std::isnan(features.values[4]));
}

TEST_F(LoadFeaturesTest, TakesNamesInTheOrderOfTheFile) {
  names(R"({"z": ["b", "a"], "initial": ["c"]})");
  const FeatureMatrix features = load_features(rows({1, 2, 3}, {1, 3}));
  EXPECT_EQ(features.names, (Names{"z/b", "z/a", "initial/c"}));
  EXPECT_EQ(features.families, (Names{"z", "z", "initial"}));
}

TEST_F(LoadFeaturesTest, KeepsTheFirstRows) {
  const FeatureMatrix features = load_features(rows({1, 2, 3, 4}, {4, 1}), "auto", 3);
  EXPECT_EQ(features.values, (std::vector<float>{1, 2, 3}));
}

TEST_F(LoadFeaturesTest, SaysWhatIsWrong) {
  const auto refuses = [&](const std::string& file, const std::string& part) {
    expect_data_error([&] { load_features(file); }, part);
  };
  refuses(rows({1, 2}, {2}), "shape [2]; features are [samples, features]");
  refuses(rows({1, 2}, {1, 2, 1}), "shape [1, 2, 1]");
  refuses(rows({}, {0, 2}), "0 rows of 2 features");
  refuses(rows({1, 2, 3, INFINITY}, {2, 2}), "row 1, feature features/1 is infinite");
  refuses(path("none.npy"), "none.npy");
  refuses(folder_.string(), folder_.string());
  names(R"({"a": ["x"]})");
  refuses(rows({1, 2}, {1, 2}), "names 1 features");
  names(R"({"a": ["x", "x"]})");
  refuses(rows({1, 2}, {1, 2}), "two features are named a/x");
  names(R"(["x", "y"])");
  refuses(rows({1, 2}, {1, 2}), "names.json");
}

TEST_F(LoadFeaturesTest, DataSetsGiveTheirFamiliesOfRankTwo) {
  FeatureLayout layout;
  layout.rows = 3;
  layout.families = {{"initial", 0, {"a", "b"}}, {"temporal", 2, {"s"}}, {"summary", 0, {"c"}}};
  FeatureBlock block;
  block.rows = 3;
  block.families = {{1, 2, 3, 4, 5, 6}, {1, 1, 1, 1, 1, 1}, {7, 8, 9}};
  for (const char* name : {"set.h5", "set"}) {
    const auto writer = create_features(path(name), layout);
    writer->append(block);
    writer->commit();
    const FeatureMatrix features = load_features(path(name), "auto", 2);
    EXPECT_EQ(features.names, (std::vector<std::string>{"initial/a", "initial/b", "summary/c"}));
    EXPECT_EQ(features.families, (std::vector<std::string>{"initial", "initial", "summary"}));
    EXPECT_EQ(features.values, (std::vector<float>{1, 2, 7, 3, 4, 8}));
  }
}

}  // namespace
}  // namespace tessera
