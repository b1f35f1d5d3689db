#include <cmath>
#include <set>

#include "tessera/methods.h"
#include "testing/determinism.h"
#include "training/run_fixture.h"

namespace tessera {
namespace {

using testing::expect_error;

LabSettings small_settings(uint64_t seed = 0) {
  LabSettings s;
  s.data_dim = 16;
  s.rank = 5;
  s.latent_dim = 3;
  s.codebook_size = 8;
  s.train_rows = 1500;
  s.eval_rows = 500;
  s.batch = 128;
  s.steps = 40;
  s.seed = seed;
  return s;
}

void expect_refused(const std::string& part, const std::function<void(LabSettings&)>& change) {
  LabSettings s = small_settings();
  change(s);
  expect_error(ErrorKind::Usage, part, [&] { make_lab_problem(s, {}); });
}

TEST(LabSettingsTest, MoreLatentFeaturesThanFeatures) {
  expect_refused("--m 17", [](LabSettings& s) { s.latent_dim = 17; });
}
TEST(LabSettingsTest, MoreDirectionsThanFeatures) {
  expect_refused("--rank 17", [](LabSettings& s) { s.rank = 17; });
}
TEST(LabSettingsTest, MoreCodesThanRows) {
  expect_refused("--K 1501", [](LabSettings& s) { s.codebook_size = 1501; });
}
TEST(LabSettingsTest, NoSteps) {
  expect_refused("--steps 0", [](LabSettings& s) { s.steps = 0; });
}
TEST(LabSettingsTest, RatesBelowZeroOrNotNumbers) {
  expect_refused("--lrW -0.1", [](LabSettings& s) { s.encoder_rate = -0.1; });
  expect_refused("--lrE nan", [](LabSettings& s) { s.codebook_rate = std::nan(""); });
}
TEST(LabSettingsTest, DataBeyondMemory) {
  expect_refused("give fewer rows", [](LabSettings& s) {
    s.data_dim = 4096;
    s.train_rows = 2000000000;
  });
}

TEST(LabProblemTest, DataHaveTheVariancesOfTheirLaw) {
  LabSettings s = small_settings();
  s.train_rows = 20000;
  const std::vector<float> rows = make_lab_problem(s, {}).train.to_host();
  double square = 0;
  for (const float value : rows) square += double(value) * double(value);
  // Geometric from 4 to 1/4 in five: 4 + 2 + 1 + 1/2 + 1/4. Its standard error is
  // sqrt(2 sum lambda^2 / n) = 0.046.
  EXPECT_NEAR(square / 20000, 7.75, 4 * 0.046);
}

TEST(LabProblemTest, NoiseAddsItsVarianceToEveryFeature) {
  LabSettings s = small_settings();
  const auto energy = [&] {
    double square = 0;
    for (const float value : make_lab_problem(s, {}).eval.to_host())
      square += double(value) * value;
    return square / double(s.eval_rows);
  };
  const double without = energy();
  s.noise_variance = 0.5;
  EXPECT_NEAR(energy() - without, 0.5 * 16, 1.0);
}

TEST(LabProblemTest, BatchesAreDrawnFromAllRowsAndDifferByStep) {
  const LabProblem problem = make_lab_problem(small_settings(), {});
  std::vector<int32_t> one(128), two(128);
  problem.draw_batch(1, one);
  problem.draw_batch(2, two);
  EXPECT_NE(one, two);
  EXPECT_GT(std::set<int32_t>(one.begin(), one.end()).size(), 100u);
  EXPECT_LT(*std::max_element(one.begin(), one.end()), 1500);
  EXPECT_GE(*std::min_element(one.begin(), one.end()), 0);
}

TEST(LabProblemTest, FairStartIsTheBaselinesResult) {
  const LabProblem fair = make_lab_problem(small_settings(), {});
  EXPECT_EQ(fair.start_codebook, fair.lloyd_codebook);
  LabSettings s = small_settings();
  s.start = "reference";
  const LabProblem reference = make_lab_problem(s, {});
  EXPECT_NE(reference.start_codebook, reference.lloyd_codebook);
  EXPECT_EQ(reference.lloyd_codebook, fair.lloyd_codebook);
}

class LabMethodTest : public ::testing::TestWithParam<LabMethod> {};
INSTANTIATE_TEST_SUITE_P(, LabMethodTest, ::testing::ValuesIn(lab_methods()),
                         [](const auto& info) { return std::string(info.param.name); });

TEST_P(LabMethodTest, SameSeedGivesTheSameBitsForAnyThreadCount) {
  const auto run = [] {
    const LabResult result = GetParam().train(make_lab_problem(small_settings(), {}));
    std::vector<double> values = result.encoder;
    values.insert(values.end(), result.codebook.begin(), result.codebook.end());
    values.push_back(result.metrics.recon_mse);
    return values;
  };
  const std::vector<double> shared = run();
  for (const int count : {1, 3}) {
    const testing::ForcedThreads threads(count);
    EXPECT_EQ(run(), shared) << count << " threads";
  }
  const PrivateCpu own;
  EXPECT_EQ(run(), shared);
}

TEST_P(LabMethodTest, AnotherSeedGivesAnotherResult) {
  EXPECT_NE(GetParam().train(make_lab_problem(small_settings(0), {})).metrics.recon_mse,
            GetParam().train(make_lab_problem(small_settings(1), {})).metrics.recon_mse);
}

TEST_P(LabMethodTest, MetricsAreWithinTheirBounds) {
  const LabResult result = GetParam().train(make_lab_problem(small_settings(), {}));
  EXPECT_LE(result.metrics.usage_entropy, std::log(8.0));
  EXPECT_GT(result.metrics.usage_entropy, 1.5);
  EXPECT_GE(result.metrics.dead_frac, 0);
  // Reverse water-filling at log2 8 = 3 bits for the variances 4, 2, 1, 1/2, 1/4: level
  // (4 * 2 * 1 / 64)^(1/3) = 1/2, error 3/2 + 1/2 + 1/4.
  EXPECT_GT(result.metrics.recon_mse, 2.25);
  EXPECT_LT(result.metrics.recon_mse, 4.5);
  EXPECT_GT(result.metrics.recon_mse, result.metrics.in_sub_dist);
}

TEST_P(LabMethodTest, StepsAreLoggedAtTheirIntervalAndTheEnd) {
  LabSettings s = small_settings();
  s.steps = 45;
  const LabResult result = GetParam().train(make_lab_problem(s, {}));
  std::vector<int64_t> steps;
  for (const LabLogEntry& entry : result.log) steps.push_back(entry.step);
  EXPECT_EQ(steps,
            GetParam().has_steps ? (std::vector<int64_t>{0, 20, 40, 45}) : std::vector<int64_t>{});
  if (GetParam().has_steps) {
    EXPECT_EQ(result.log.back().metrics.recon_mse, result.metrics.recon_mse);
    EXPECT_TRUE(std::isnan(result.log.front().losses.rec));
    EXPECT_GT(result.log.back().losses.rec, 0);
  }
}

TEST(LabMethodsTest, BestOfTenIsNoWorseOnItsTrainingRowsThanOneStart) {
  LabSettings s = small_settings();
  s.lloyd_iterations = 100;
  LabProblem problem = make_lab_problem(s, {});
  problem.eval = problem.train;
  EXPECT_LE(lab_method("lloyd_best").train(problem).metrics.in_sub_dist,
            lab_method("pca_lloyd").train(problem).metrics.in_sub_dist);
}

TEST(LabMethodsTest, RatesThatBlowUpAreReportedAsDivergence) {
  LabSettings s = small_settings();
  s.codebook_rate = 1e30;
  const LabResult result = lab_method("ste_autograd").train(make_lab_problem(s, {}));
  EXPECT_GT(result.diverged_at, 0);
  EXPECT_TRUE(std::isnan(result.metrics.recon_mse));
}

TEST(LabMethodsTest, UnknownNameIsRefusedWithTheKnownOnes) {
  expect_error(ErrorKind::Usage, "pca_lloyd, ste_autograd", [] { lab_method("stee"); });
}

}  // namespace
}  // namespace tessera
