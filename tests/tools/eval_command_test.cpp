// eval, inspect and devices.
#include <set>

#include "tessera/evaluate.h"
#include "tools/command_fixture.h"

namespace tessera {
namespace {

using namespace tessera::testing;

class EvalCommandTest : public CommandTest {
 protected:
  ProgramResult eval(std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"eval", "--checkpoint", "run"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const ProgramResult result = run(arguments);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return result;
  }
  nlohmann::json eval_json(std::vector<std::string> more = {}) {
    more.push_back("--json");
    return nlohmann::json::parse(eval(std::move(more)).out);
  }

  /// A data set of 4 x 3 pictures as an IDX folder, and a model trained on it.
  void train_on_pictures(const std::string& normalization = "auto") {
    std::vector<uint8_t> bytes(300 * 12);
    for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(i * i % 251);
    std::filesystem::create_directory(path("pictures"));
    write_idx(path("pictures/train-images-idx3-ubyte.gz"),
              HostArray::from_values<uint8_t>({300, 4, 3}, bytes));
    bytes.resize(20 * 12);
    write_idx(path("pictures/t10k-images-idx3-ubyte"),
              HostArray::from_values<uint8_t>({20, 4, 3}, bytes));
    ASSERT_EQ(run_train({"data.path=pictures", "data.normalization=" + normalization}).exit_code,
              0);
  }
};

TEST_F(EvalCommandTest, JsonHasEveryField) {
  ASSERT_EQ(run_train().exit_code, 0);
  const auto json = eval_json();
  for (const char* key : {"rows", "features", "reconstruction_error", "quality", "commitment",
                          "utilization", "codes_used", "codes", "perplexity", "step", "epoch"})
    EXPECT_TRUE(json.contains(key) && json[key].is_number()) << key;
  for (const char* key : {"error", "fit_error", "codes", "iterations", "fitted_rows", "ratio"})
    EXPECT_TRUE(json["kmeans_reference"].contains(key)) << key;
  EXPECT_EQ(json["rows"], 300);
  EXPECT_EQ(json["features"], kFeatures);
  EXPECT_EQ(json["kmeans_reference"]["codes"], 16);
  EXPECT_EQ(json["kmeans_reference"]["iterations"], 25);
  EXPECT_EQ(json["kmeans_reference"]["fitted_rows"], 300);
}

TEST_F(EvalCommandTest, ErrorsAreTheMeansTheyAreDefinedAs) {
  ASSERT_EQ(run_train().exit_code, 0);
  TrainedModel model = load_model(path("run"), {});
  const Dataset data(load_rows(path("rows.npy")), model.normalizer, {});
  const std::vector<float> x = data.rows_at(0, 300).to_host();
  const TokenizerOutput out = model.model->forward({}, Var(data.rows_at(0, 300)));
  const auto mean_square = [](const std::vector<float>& a, const std::vector<float>& b) {
    double sum = 0;
    for (size_t i = 0; i < a.size(); ++i) sum += std::pow(double(a[i]) - double(b[i]), 2);
    return sum / static_cast<double>(a.size());
  };
  const auto json = eval_json({"--reference", "none"});
  EXPECT_FALSE(json.contains("kmeans_reference"));
  // Sums of float terms: a few thousand of them, 2^-24 relative each at most.
  const double error = mean_square(x, out.reconstruction.value().to_host());
  EXPECT_NEAR(json["reconstruction_error"].get<double>(), error, 1e-5 * error);
  const double commitment =
      mean_square(out.latents.value().to_host(), out.code.quantized.value().to_host());
  EXPECT_NEAR(json["commitment"].get<double>(), commitment, 1e-5 * commitment);
  std::set<int32_t> used;
  for (const int32_t code : out.code.codes.to_host()) used.insert(code);
  EXPECT_EQ(json["codes_used"], used.size());
}

TEST_F(EvalCommandTest, ReferenceIsNearTheNoiseOfThePlantedClusters) {
  ASSERT_EQ(run_train({"quantizer.codebook_size=8"}).exit_code, 0);
  // 8 centres on 8 clusters; k-means++ of one seed may give a cluster two centres.
  EXPECT_LT(eval_json()["kmeans_reference"]["error"].get<double>(), 40 * kNoise * kNoise);
}

TEST_F(EvalCommandTest, ReferenceIsKeptInTheRunFolderAndUsedAgain) {
  ASSERT_EQ(run_train().exit_code, 0);
  const auto first = eval_json()["kmeans_reference"];
  EXPECT_EQ(first["from_cache"], false);
  EXPECT_TRUE(exists("run/kmeans_reference.safetensors"));
  const auto second = eval_json()["kmeans_reference"];
  EXPECT_EQ(second["from_cache"], true);
  EXPECT_EQ(second["error"], first["error"]);
  EXPECT_EQ(second["fit_error"], first["fit_error"]);
  EXPECT_NE(eval().out.find("kept from an earlier run"), std::string::npos);
}

TEST_F(EvalCommandTest, ReferenceOfOtherDataOrBrokenIsMadeAnew) {
  ASSERT_EQ(run_train().exit_code, 0);
  eval();
  write_npy(path("other.npy"), planted_rows(200, 1));
  EXPECT_EQ(eval_json({"--reference", "other.npy"})["kmeans_reference"]["from_cache"], false);
  damage(path("run/kmeans_reference.safetensors"));
  EXPECT_EQ(eval_json({"--reference", "other.npy"})["kmeans_reference"]["from_cache"], false);
  EXPECT_EQ(eval_json({"--reference", "other.npy"})["kmeans_reference"]["from_cache"], true);
}

TEST_F(EvalCommandTest, FolderDataAreTheTestPartAndTheReferenceTheTrainingPart) {
  train_on_pictures();
  const auto json = eval_json();
  EXPECT_EQ(json["rows"], 20);
  EXPECT_EQ(json["kmeans_reference"]["fitted_rows"], 300);
}

TEST_F(EvalCommandTest, GridIsAPngOfTheExpectedSize) {
  for (const char* normalization : {"auto", "standard"}) {
    train_on_pictures(normalization);
    const ProgramResult result = eval({"--grid", "grid.png", "--reference", "none"});
    EXPECT_NE(result.out.find("grid.png"), std::string::npos);
    const Bytes png = get(path("grid.png"));
    ASSERT_GT(png.size(), 24u);
    EXPECT_EQ(Bytes(png.begin(), png.begin() + 8),
              to_bytes({0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'}));
    // 12 across, 3 wide, with gaps of 2; 2 rows of pairs, 4 high, with gaps of 2 and 6.
    EXPECT_EQ(Bytes(png.begin() + 16, png.begin() + 24), to_bytes({0, 0, 0, 62, 0, 0, 0, 34}));
    std::filesystem::remove_all(path("run"));
  }
}

TEST_F(EvalCommandTest, GridOfRowsThatAreNoImagesIsRefused) {
  ASSERT_EQ(run_train().exit_code, 0);
  expect_exit(4, "are not gray images", {"eval", "--checkpoint", "run", "--grid", "grid.png"});
  EXPECT_FALSE(exists("grid.png"));
}

TEST_F(EvalCommandTest, JsonStaysAloneOnStandardOutput) {
  train_on_pictures();
  EXPECT_NO_THROW(eval_json({"--grid", "grid.png"}));
  EXPECT_TRUE(exists("grid.png"));
}

TEST_F(EvalCommandTest, TrainingDataAreFoundBesideTheCheckpointOrNamed) {
  ASSERT_EQ(run_train({"data.path=rows.npy"}).exit_code, 0);
  std::filesystem::rename(path("rows.npy"), path("run/rows.npy"));
  EXPECT_EQ(eval_json({"--reference", "none"})["rows"], 300);
  std::filesystem::remove(path("run/rows.npy"));
  expect_exit(4, "rows.npy: the data this model was trained on", {"eval", "--checkpoint", "run"});
}

TEST_F(EvalCommandTest, InspectSaysWhatACheckpointHolds) {
  ASSERT_EQ(run_train().exit_code, 0);
  for (const char* checkpoint : {"run", "run/last.safetensors"}) {
    const ProgramResult result = run({"inspect", "--checkpoint", checkpoint});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    for (const char* part :
         {"step             20", "epochs           4 finished", "normalization    none",
          "model/encoder/0/weight             F32  [16, 12]", "quantizer/codebook",
          "optimizer/model/m", "perplexity", "codebook_size: 16"})
      EXPECT_NE(result.out.find(part), std::string::npos) << part << '\n' << result.out;
  }
}

TEST_F(EvalCommandTest, DevicesListsTheCpuWithItsThreads) {
  const ProgramResult result = run({"devices", "--threads", "2"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_TRUE(result.out.starts_with("cpu      2 threads\n")) << result.out;
  EXPECT_NE(result.out.find("cuda:0"), std::string::npos);
}

}  // namespace
}  // namespace tessera
