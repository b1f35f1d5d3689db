#include "tessera/experiment.h"

#include <cmath>

#include "testing/determinism.h"
#include "training/run_fixture.h"

namespace tessera {
namespace {

using Json = nlohmann::json;

class ExperimentTest : public testing::RunTest {
 protected:
  static LabSettings small_settings() {
    LabSettings s;
    s.data_dim = 12;
    s.rank = 4;
    s.latent_dim = 2;
    s.codebook_size = 6;
    s.train_rows = 500;
    s.eval_rows = 200;
    s.batch = 64;
    s.steps = 20;
    return s;
  }
  LabOptions options(int64_t seeds) const {
    return {.methods = {}, .first_seed = 0, .seeds = seeds, .device = {}, .outdir = path("out")};
  }
  LabOutcome run(int64_t seeds, const LabSettings& settings = small_settings()) {
    const LabExperiment experiment =
        lab_comparison(settings, {"pca_lloyd", "ste_autograd", "ste_manual"});
    LabOutcome outcome = run_lab(experiment, options(seeds), quiet_);
    write_lab_results(outcome, options(seeds));
    return outcome;
  }
  std::string text(const std::string& name) const {
    std::ifstream file(path("out/" + name));
    return {std::istreambuf_iterator<char>(file), {}};
  }
  Json json(const std::string& name) const { return Json::parse(text(name)); }
  static int64_t lines(const std::string& text) {
    return std::count(text.begin(), text.end(), '\n');
  }
};

TEST(SeedStatisticsTest, AreMeanSampleDeviationAndStandardError) {
  const SeedStatistics s = seed_statistics({1, 2, 3, 6});
  EXPECT_DOUBLE_EQ(s.mean, 3);
  EXPECT_DOUBLE_EQ(s.sd, std::sqrt(14.0 / 3));
  EXPECT_DOUBLE_EQ(s.se, std::sqrt(14.0 / 3) / 2);
  EXPECT_TRUE(std::isnan(seed_statistics({5}).se));
}

TEST_F(ExperimentTest, SummaryHoldsStatisticsOfEveryMethodAndPairedChanges) {
  run(3);
  const Json summary = json("summary.json");
  EXPECT_EQ(summary.at("config").at("K"), 6);
  EXPECT_EQ(summary.at("config").at("seeds"), 3);
  for (const char* method : {"pca_lloyd", "ste_autograd", "ste_manual"})
    for (const char* metric : {"recon_mse", "in_sub_dist", "usage_entropy", "dead_frac"}) {
      const Json& found = summary.at("methods").at(method).at(metric);
      EXPECT_EQ(found.at("values").size(), 3u);
      for (const char* part : {"mean", "sd", "se"}) EXPECT_TRUE(found.at(part).is_number());
    }
  EXPECT_EQ(summary.at("paired").at("baseline"), "pca_lloyd");
  const auto values = [&](const char* method) {
    return summary.at("methods").at(method).at("recon_mse").at("values").get<std::vector<double>>();
  };
  const double expected = 100 * (values("ste_manual")[1] / values("pca_lloyd")[1] - 1);
  EXPECT_DOUBLE_EQ(summary.at("paired").at("methods").at("ste_manual").at("values")[1], expected);
}

TEST_F(ExperimentTest, WritesLogsPicturesAndReport) {
  run(2);
  for (const char* name : {"comparison.png", "comparison.svg", "manual_ste.png", "autograd_ste.png",
                           "report.html", "runs.jsonl"})
    EXPECT_FALSE(text(name).empty()) << name;
  const Json log = json("autograd_logs.json");
  ASSERT_EQ(log.size(), 4u);  // steps 0 and 20 of two seeds
  EXPECT_EQ(log[3].at("step"), 20);
  EXPECT_EQ(log[3].at("seed"), 1);
  EXPECT_TRUE(log[2].at("loss").is_null());
  EXPECT_TRUE(log[3].at("loss").is_number());
}

TEST_F(ExperimentTest, OneSeedHasNoSpread) {
  run(1);
  EXPECT_TRUE(
      json("summary.json").at("methods").at("pca_lloyd").at("recon_mse").at("sd").is_null());
}

TEST_F(ExperimentTest, SeedsSideBySideGiveTheSameBits) {
  const auto summary = [&](int threads) {
    const testing::ForcedThreads forced(threads);
    run(3);
    const std::string found = text("summary.json");
    std::filesystem::remove(path("out/runs.jsonl"));
    return found;
  };
  const std::string one = summary(1);
  EXPECT_EQ(summary(3), one);
}

TEST_F(ExperimentTest, GoesOnAfterALineThatWasCutOff) {
  run(3);
  const std::string whole = text("summary.json"), runs = text("runs.jsonl");
  ASSERT_EQ(lines(runs), 4);
  std::ofstream(path("out/runs.jsonl")) << runs.substr(0, runs.size() - 40);
  EXPECT_EQ(run(3).runs.size(), 3u);
  EXPECT_EQ(text("summary.json"), whole);
  EXPECT_EQ(lines(text("runs.jsonl")), 4);
}

TEST_F(ExperimentTest, MoreSeedsRepeatNoRun) {
  run(2);
  std::string runs = text("runs.jsonl");
  const size_t at = runs.find("\"recon_mse\":") + 12;  // a figure no run would give
  runs.replace(at, runs.find(',', at) - at, "77");
  std::ofstream(path("out/runs.jsonl")) << runs;
  const LabOutcome outcome = run(3);
  const std::vector<double>& found = outcome.points[0].methods.at("pca_lloyd").recon_mse.values;
  EXPECT_EQ(std::count(found.begin(), found.end(), 77), 1);
}

TEST_F(ExperimentTest, FreshRepeatsThem) {
  run(1);
  const std::string before = text("runs.jsonl");
  std::string runs = before;
  const size_t at = runs.find("\"recon_mse\":") + 12;
  runs.replace(at, runs.find(',', at) - at, "77");
  std::ofstream(path("out/runs.jsonl")) << runs;
  LabOptions fresh = options(1);
  fresh.fresh = true;
  run_lab(lab_comparison(small_settings(), {"pca_lloyd", "ste_autograd", "ste_manual"}), fresh,
          quiet_);
  EXPECT_EQ(text("runs.jsonl"), before);
}

TEST_F(ExperimentTest, RunsOfOtherSettingsAreReplaced) {
  run(2);
  LabSettings other = small_settings();
  other.commitment_weight = 0.5;
  EXPECT_EQ(run(1, other).runs.size(), 1u);
  EXPECT_EQ(lines(text("runs.jsonl")), 2);
}

TEST_F(ExperimentTest, AFileInTheWayIsADataError) {
  std::ofstream(path("out")) << "x";
  testing::expect_error(ErrorKind::Data, "--outdir", [&] { run(1); });
}

TEST_F(ExperimentTest, ChosenMethodsKeepTheBaseline) {
  LabOptions some = options(1);
  some.methods = {"ste_manual"};
  const LabOutcome outcome = run_lab(
      lab_comparison(small_settings(), {"pca_lloyd", "ste_autograd", "ste_manual"}), some, quiet_);
  EXPECT_EQ(outcome.points[0].point.methods, (std::vector<std::string>{"pca_lloyd", "ste_manual"}));
}

TEST_F(ExperimentTest, WhatDivergedHasNoNumber) {
  LabSettings s = small_settings();
  s.codebook_rate = 1e30;
  const LabOutcome outcome = run(2, s);
  EXPECT_EQ(outcome.points[0].methods.at("ste_autograd").diverged, 2);
  EXPECT_NE(lab_table(outcome).find("diverged"), std::string::npos);
  EXPECT_TRUE(
      json("summary.json").at("methods").at("ste_autograd").at("recon_mse").at("mean").is_null());
}

TEST_F(ExperimentTest, ASweepHasOnePictureAndASummaryForEachPoint) {
  LabExperiment sweep = lab_comparison(small_settings(), {"pca_lloyd", "ste_autograd"});
  sweep.name = "sizes";
  sweep.points.push_back(sweep.points[0]);
  sweep.points[0].name = "K=6";
  sweep.points[1].name = "K=9";
  sweep.points[1].settings.codebook_size = 9;
  const LabOutcome outcome = run_lab(sweep, options(2), quiet_);
  write_lab_results(outcome, options(2));
  EXPECT_FALSE(text("sizes.png").empty());
  const Json points = json("summary.json").at("points");
  EXPECT_EQ(points.at("K=9").at("config").at("settings").at("K"), 9);
  EXPECT_LT(points.at("K=9").at("methods").at("pca_lloyd").at("recon_mse").at("mean"),
            points.at("K=6").at("methods").at("pca_lloyd").at("recon_mse").at("mean"));
}

TEST(LabExperimentsTest, HaveTheSettingsOfTheReference) {
  const LabExperiment sizes = lab_experiment("codebook", "reference");
  EXPECT_EQ(sizes.points.size(), 4u);
  EXPECT_EQ(sizes.points[3].settings.codebook_size, 64);
  EXPECT_EQ(sizes.points[0].settings.steps, 300);
  EXPECT_EQ(sizes.points[0].encoder_rates.at("ste_manual"), 0.08);
  EXPECT_EQ(lab_experiment("commitment", "fair").points[0].settings.commitment_weight, 0);
  const LabSettings verification = lab_experiment("verification", "fair").points[0].settings;
  EXPECT_EQ(verification.codebook_size, 16);
  EXPECT_EQ(verification.train_rows, 10000);
  EXPECT_EQ(lab_experiment("stress", "fair").points.size(), 21u);
}

}  // namespace
}  // namespace tessera
