// tessera discover, and what the program does with keys of features elsewhere.
#include <nlohmann/json.hpp>
#include <set>

#include "data/planted_features.h"
#include "testing/numbers.h"
#include "tools/command_fixture.h"

namespace tessera {
namespace {

using namespace tessera::testing;
using Json = nlohmann::ordered_json;

class DiscoverCommandTest : public CommandTest {
 protected:
  DiscoverCommandTest() { write_features("x.npy", planted_features(5, 600).features); }

  void write_features(const std::string& name, const FeatureMatrix& features) {
    write_npy(path(name),
              HostArray::from_values<float>({features.rows, features.cols()}, features.values));
  }
  static std::vector<std::string> arguments(std::vector<std::string> more = {}) {
    std::vector<std::string> all = {"discover", "--input", "x.npy", "--output", "out"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  ProgramResult discover(std::vector<std::string> more = {}) {
    return run(arguments(std::move(more)));
  }
  std::string read_text(const std::string& name) const {
    std::ifstream file(path(name));
    return {std::istreambuf_iterator<char>(file), {}};
  }
  Json read(const std::string& name) const { return Json::parse(std::ifstream(path(name))); }

  /// The program must refuse with `code` and one sentence that says `part`, and leave nothing.
  void refuses(int code, const std::string& part, std::vector<std::string> more = {}) {
    const ProgramResult result = discover(std::move(more));
    EXPECT_EQ(result.exit_code, code) << result.err;
    EXPECT_NE(result.err.find(part), std::string::npos) << result.err;
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
    EXPECT_FALSE(exists("out"));
  }
  /// Three columns of noise, the middle one changed by f(row, value).
  template <class F>
  void write_changed(F&& f) {
    std::vector<std::vector<float>> columns;
    for (int i = 0; i < 3; ++i) columns.push_back(normal<float>(50, 10 + i));
    for (int n = 0; n < 50; ++n) columns[1][n] = f(n, columns[1][n]);
    write_features("x.npy", features_of({"a/0", "a/1", "a/2"}, columns));
  }
};

TEST_F(DiscoverCommandTest, WritesMappingReportAndCharts) {
  const ProgramResult result = discover();
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_NE(result.out.find("Auto-discovering categories"), std::string::npos);
  std::set<std::string> names;
  const Json mapping = read("out/categories.json");
  for (const auto& [category, features] : mapping.items())
    for (const Json& name : features) EXPECT_TRUE(names.insert(name).second) << name;
  EXPECT_EQ(names.size(), 132u);
  const Json report = read("out/report.json");
  EXPECT_EQ(report["rows"], 600);
  EXPECT_EQ(report["fitted_rows"], 540);  // without the validation rows
  EXPECT_EQ(report["clusterings"][0]["candidates"].size(), 24u);
  for (const char* chart : {"out/dendrogram.svg", "out/heat_map.svg"})
    EXPECT_EQ(read_text(chart).substr(0, 4), "<svg") << chart;
}

TEST_F(DiscoverCommandTest, SaysWhatItTookOutAndWhy) {
  FeatureMatrix features = planted_features(5, 600).features;
  for (int64_t n = 0; n < 600; ++n) features.values[132 * n + 3] = 1;
  for (int64_t n = 0; n < 9; ++n) features.values[132 * n + 5] = NAN;  // some of them train
  write_features("x.npy", features);
  const ProgramResult result = discover({"data.exclude_features=['features/10*']"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_NE(result.out.find("features/3: constant: deviation 0"), std::string::npos) << result.out;
  const Json report = read("out/report.json");
  EXPECT_EQ(report["excluded"].size(), 11u);  // 10, 100 to 109
  EXPECT_EQ(report["removed"][0]["feature"], "features/3");
  EXPECT_EQ(report["filled"].size() + (report["fitted_rows"] == 540 ? 0 : 1),
            report["filled"].size());
}

TEST_F(DiscoverCommandTest, AMappingFileOfItsOwnGivesTheSameCategories) {
  ASSERT_EQ(discover().exit_code, 0);
  const Json found = read("out/categories.json");
  ASSERT_EQ(discover({"categories.mapping_file=out/categories.json"}).exit_code, 0);
  EXPECT_EQ(read("out/categories.json"), found);
}

TEST_F(DiscoverCommandTest, ThreadsDoNotChangeAByte) {
  ASSERT_EQ(discover({"--threads", "1"}).exit_code, 0);
  const Bytes one = get(path("out/report.json"));
  ASSERT_EQ(discover({"--threads", "3"}).exit_code, 0);
  EXPECT_TRUE(get(path("out/report.json")) == one);
}

TEST_F(DiscoverCommandTest, ReadsAConfig) {
  put("d.yaml", to_bytes("data: {path: x.npy}\ncategories: {num_categories: 5}\n"));
  ASSERT_EQ(run({"discover", "--config", "d.yaml", "--output", "out"}).exit_code, 0);
  EXPECT_EQ(read("out/categories.json").size(), 5u);
}

TEST_F(DiscoverCommandTest, FamiliesComeFromNames) {
  Json names;
  for (int i = 0; i < 132; ++i) names[i < 60 ? "initial" : "temporal"].push_back(std::to_string(i));
  put("names.json", to_bytes(names.dump()));
  ASSERT_EQ(discover({"categories.per_family=true"}).exit_code, 0);
  EXPECT_TRUE(exists("out/dendrogram_initial.svg") && exists("out/dendrogram_temporal.svg"));
  EXPECT_TRUE(read("out/categories.json").contains("temporal_cluster_1"));
}

TEST_F(DiscoverCommandTest, RefusesBadValuesOfTheConfig) {
  refuses(3, "categories.linkage is 'wards'", {"categories.linkage=wards"});
  refuses(3, "num_categories is 500, there are", {"categories.num_categories=500"});
  refuses(3, "\"none/*\" fits none of the 132 features", {"data.exclude_features=['none/*']"});
  refuses(3, "low_percentile is 60",
          {"data.cleaning.low_percentile=60", "data.cleaning.high_percentile=40"});
  refuses(3, "isolated_families: x is not a family", {"categories.isolated_families=[x]"});
  refuses(2, "cuda", {"--device", "cuda:77"});
}

TEST_F(DiscoverCommandTest, RefusesBadData) {
  refuses(4, "none.json", {"categories.mapping_file=none.json"});
  write_changed([](int, float) { return 5.0f; });
  refuses(4, "2 features are left; at least 3 are needed");
  refuses(4, "feature features/1: is 5 in all 45 rows", {"data.cleaning.enabled=false"});
  write_changed([](int, float) { return NAN; });
  refuses(4, "feature features/1: holds NaN", {"data.cleaning.enabled=false"});
  write_changed([](int n, float x) { return n == 4 ? INFINITY : x; });
  refuses(4, "row 4, feature features/1 is infinite");
  write_features("x.npy",
                 features_of({"a/0", "a/1"}, {normal<float>(50, 1), normal<float>(50, 2)}));
  refuses(4, "x.npy: category discovery: 2 features are left");
  write_npy(path("x.npy"), HostArray::from_values<float>({4}, std::vector<float>{1, 2, 3, 4}));
  refuses(4, "shape [4]; features are [samples, features]");
  Bytes cut = get(path("x.npy"));
  cut.resize(cut.size() - 1);
  put("x.npy", cut);
  refuses(4, "x.npy");
  std::filesystem::remove(path("x.npy"));
  refuses(4, "x.npy");
  std::filesystem::create_directory(path("x.npy"));
  refuses(4, "x.npy");
}

TEST_F(DiscoverCommandTest, AnOutputThatCannotBeWrittenChangesNothing) {
  put("out", to_bytes("mine"));
  const ProgramResult result = discover();
  EXPECT_EQ(result.exit_code, 4);
  EXPECT_NE(result.err.find("out: is a file, a folder is needed"), std::string::npos) << result.err;
  EXPECT_TRUE(get(path("out")) == to_bytes("mine"));
  std::filesystem::remove(path("out"));
  std::filesystem::create_directories(path("out/report.json"));  // a folder where a file must go
  EXPECT_EQ(discover().exit_code, 4);
  EXPECT_FALSE(exists("out/categories.json"));
}

TEST_F(DiscoverCommandTest, ADenseModelRefusesKeysOfNamedFeatures) {
  for (const char* key : {"data.exclude_features=[a]", "data.cleaning.enabled=true",
                          "data.cleaning.outliers=iqr", "categories.num_categories=4"}) {
    const ProgramResult result = run_train({key});
    EXPECT_EQ(result.exit_code, 3) << key;
    const std::string name = std::string(key).substr(0, std::string(key).find('='));
    EXPECT_NE(result.err.find(name + " is for named features"), std::string::npos) << result.err;
  }
  EXPECT_EQ(run_train({"data.cleaning.enabled=false", "--dry-run"}).exit_code, 0);
}

class ExtendsCommandTest : public CommandTest {
 protected:
  void extend(const std::string& text) {
    put("run.yaml", to_bytes("extends: config.yaml\n" + text));
  }
};

TEST_F(ExtendsCommandTest, ARunStartsWithItsDifferences) {
  extend("training: {num_epochs: 1, batch_size: 64}\n");  // the second is as in the base
  const ProgramResult result =
      run({"train", "--config", "run.yaml", "--seed", "9", "quantizer.codebook_size=8"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(
      result.out.starts_with("Differs from the config it extends:\n"
                             "  quantizer.codebook_size: 16 -> 8\n"
                             "  training.num_epochs: 4 -> 1\n"
                             "  training.seed: 0 -> 9\n"
                             "====="))
      << result.out;
}

TEST_F(ExtendsCommandTest, ADryRunPrintsThemAsComments) {
  extend("training: {learning_rate: 0.5}\n");
  const ProgramResult result = run({"train", "--config", "run.yaml", "--dry-run"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(
      result.out.starts_with("# Differs from the config it extends:\n"
                             "#   training.learning_rate: 0.005 -> 0.5\n"
                             "data:\n"))
      << result.out;
  EXPECT_EQ(parse_config(result.out, "dry.yaml").training.learning_rate, 0.5);
}

TEST_F(ExtendsCommandTest, WithoutABaseNothingIsSaid) {
  const ProgramResult result = run_train({"training.num_epochs=1"});
  EXPECT_TRUE(result.out.starts_with("=====")) << result.out;
}

}  // namespace
}  // namespace tessera
