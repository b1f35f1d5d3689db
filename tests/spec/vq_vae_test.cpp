// Conformance with the specification of a VQ-VAE (TorchLean, NN.Spec.Models.VqVae), in float and
// in double. Equality of numbers is equality of bits unless a tolerance is given.

#include <algorithm>

#include "spec/vq_vae_fixture.h"
#include "testing/golden.h"

namespace tessera::spec {
namespace {

TYPED_TEST_SUITE(VqVaeSpecTest, Precisions);

// D1
TYPED_TEST(VqVaeSpecTest, QuantizedIsTheRowBitForBitAndSoIsWhatTheDecoderGets) {
  using T = TypeParam;
  std::vector<T> decoded;
  auto model = this->identity_model(this->unusual_codebook());
  model.decoder = [&](const std::vector<T>& q) { return decoded = q; };
  for (int64_t index = 0; index < 3; ++index) {
    const auto begin = model.codebook.values().begin() + 3 * index;
    const std::vector<T> row(begin, begin + 3);
    EXPECT_TRUE(same_bits(quantized(model, index), row)) << index;
    forward(model, std::vector<T>(3), index);
    EXPECT_TRUE(same_bits(decoded, row)) << index;
  }
}

// D2. Volatile stores are roundings whatever the compiler does.
TYPED_TEST(VqVaeSpecTest, TotalIsTwoSumsOfTheRoundedTerms) {
  using T = TypeParam;
  const auto model = this->random_model();
  int told_apart = 0;
  for (int trial = 0; trial < kTrials; ++trial) {
    const auto x = this->random(kObservation);
    const T beta = std::abs(this->random(1)[0]);
    const Losses<T> terms = losses(model, x, trial % kCodes);
    const volatile T sum = terms.reconstruction + terms.codebook;
    const volatile T weighted = beta * terms.commitment;
    const volatile T expected = sum + weighted;
    EXPECT_EQ(loss(model, beta, x, trial % kCodes), expected);
    EXPECT_EQ(terms.total(beta), expected);
    told_apart += std::fma(beta, terms.commitment, T(sum)) != expected;
  }
  EXPECT_GT(told_apart, kTrials / 20) << "no trial tells a fused product from a rounded one";
}

// D2
TYPED_TEST(VqVaeSpecTest, EachTermIsTheOneOfTheStruct) {
  const auto model = this->random_model();
  const auto x = this->random(kObservation);
  const auto terms = losses(model, x, 2);
  EXPECT_EQ(reconstruction_loss(model, x, 2), terms.reconstruction);
  EXPECT_EQ(codebook_loss(model, x, 2), terms.codebook);
  EXPECT_EQ(commitment_loss(model, x, 2), terms.commitment);
  EXPECT_EQ(terms.reconstruction, mean_squared_difference(forward(model, x, 2), x));
  EXPECT_EQ(terms.codebook, mean_squared_difference(quantized(model, 2), encode(model, x)));
}

// D3
TYPED_TEST(VqVaeSpecTest, CodebookAndCommitmentLossHaveTheSameValue) {
  const auto model = this->random_model();
  for (int trial = 0; trial < kTrials; ++trial) {
    const auto terms = losses(model, this->random(kObservation), trial % kCodes);
    EXPECT_EQ(terms.codebook, terms.commitment);
  }
}

// D4
TYPED_TEST(VqVaeSpecTest, ReconstructionDependsOnTheIndexAlone) {
  const auto model = this->random_model();
  for (int64_t index = 0; index < kCodes; ++index) {
    const auto one = forward(model, this->random(kObservation), index);
    const auto other = forward(model, this->random(kObservation), index);
    EXPECT_TRUE(same_bits(one, other));
    EXPECT_FALSE(same_bits(one, forward(model, this->random(kObservation), (index + 1) % kCodes)));
  }
}

// D5
TYPED_TEST(VqVaeSpecTest, BetaZeroLeavesReconstructionAndCodebook) {
  const auto model = this->random_model();
  for (int trial = 0; trial < kTrials; ++trial) {
    const auto x = this->random(kObservation);
    const auto terms = losses(model, x, 1);
    EXPECT_EQ(loss(model, 0, x, 1), terms.reconstruction + terms.codebook);
  }
}

// D5
TYPED_TEST(VqVaeSpecTest, TotalNeverFallsAsBetaGrows) {
  using T = TypeParam;
  const auto model = this->random_model();
  for (int trial = 0; trial < kTrials; ++trial) {
    const auto terms = losses(model, this->random(kObservation), trial % kCodes);
    T beta = std::abs(this->random(1)[0]), before = terms.total(0);
    for (int step = 0; step < 50; ++step) {  // steps of one ulp of beta, where rounding could show
      EXPECT_LE(before, terms.total(beta));
      before = terms.total(beta);
      beta = std::nextafter(beta, T(2));
    }
  }
}

// D7
TYPED_TEST(VqVaeSpecTest, LatentEqualToARowCostsReconstructionAlone) {
  using T = TypeParam;
  auto model = this->random_model();
  const auto x = this->random(kObservation);
  for (int64_t index = 0; index < kCodes; ++index) {
    model.encoder = [&](const std::vector<T>&) { return quantized(model, index); };
    EXPECT_EQ(squared_distance(model.codebook, encode(model, x), index), 0.0);
    EXPECT_EQ(nearest_code(model.codebook, encode(model, x)), index);
    EXPECT_EQ(loss(model, T(0.25), x, index), reconstruction_loss(model, x, index));
  }
}

// D8
TYPED_TEST(VqVaeSpecTest, IndexOutOfRangeIsAnErrorBeforeTheDecoderRuns) {
  using T = TypeParam;
  bool decoded = false;
  auto model = this->identity_model(Codebook<T>(5, 2, this->random(10)));
  model.decoder = [&](const std::vector<T>& q) { return decoded = true, q; };
  const std::vector<T> x = {0, 1};
  for (const int64_t bad : {int64_t{7}, int64_t{5}, int64_t{-1}, INT64_MAX, INT64_MIN}) {
    const std::string part = "code " + std::to_string(bad) + " of 5";
    this->expect_usage_error([&] { quantized(model, bad); }, part);
    this->expect_usage_error([&] { forward(model, x, bad); }, part);
    this->expect_usage_error([&] { losses(model, x, bad); }, part);
    this->expect_usage_error([&] { loss(model, 1, x, bad); }, part);
    this->expect_usage_error([&] { reconstruction_loss(model, x, bad); }, part);
    this->expect_usage_error([&] { codebook_loss(model, x, bad); }, part);
    this->expect_usage_error([&] { commitment_loss(model, x, bad); }, part);
    this->expect_usage_error([&] { squared_distance(model.codebook, x, bad); }, part);
    this->expect_usage_error([&] { is_nearest_code(model.codebook, x, bad); }, part);
    this->expect_usage_error([&] { training_gradients(model.codebook, x, bad, x, 1); }, part);
  }
  EXPECT_FALSE(decoded);
}

// D9
TYPED_TEST(VqVaeSpecTest, IdentityModelHasTheGoldenValues) {
  using T = TypeParam;
  const golden::Golden test("torchlean_identity_model");
  const auto table = test.input_matrix("codebook");
  const auto x = test.input_matrix("x").as<T>();
  const auto model =
      this->identity_model(Codebook<T>(table.rows, table.cols, table.template as<T>()));
  EXPECT_EQ(test.tolerance(), 0);
  EXPECT_EQ(nearest_code(model.codebook, encode(model, x)), test.expected("nearest"));
  const auto distances = test.expected_matrix("mean_sq_dist").values;
  for (int64_t k = 0; k < table.rows; ++k) {
    const auto& expected = test.expected("by_index").at(std::to_string(k));
    const auto terms = losses(model, x, k);
    EXPECT_EQ(squared_distance(model.codebook, x, k) / 2, distances[k]);
    EXPECT_EQ(terms.reconstruction, expected.at("recon"));
    EXPECT_EQ(terms.codebook, expected.at("codebook"));
    EXPECT_EQ(terms.commitment, expected.at("commitment"));
    EXPECT_EQ(loss(model, test.input("beta"), x, k), expected.at("total_beta_0_25"));
  }
}

// D9. In float the inputs themselves are off by up to 2^-24 relative, three roundings follow.
TYPED_TEST(VqVaeSpecTest, TrainingGradientsHaveTheGoldenValues) {
  using T = TypeParam;
  const golden::Golden test("torchlean_training_gradients");
  const double tolerance = std::is_same_v<T, float> ? 0x1p-22 : test.tolerance();
  const auto selected = test.input_matrix("selected").as<T>();
  std::vector<T> values = {9, 9, 9, 9};
  values.insert(values.end(), selected.begin(), selected.end());
  values.insert(values.end(), {8, 8, 8, 8});
  const auto gradients =
      training_gradients(Codebook<T>(3, 4, values), test.input_matrix("encoded").as<T>(), 1,
                         test.input_matrix("g").as<T>(), test.input("beta"));
  golden::expect_close(gradients.encoder, test.expected_matrix("encoder").values, tolerance);
  std::vector<double> codebook(12, 0.0);  // rows that were not chosen get exactly nothing
  std::ranges::copy(test.expected_matrix("codebook").values, codebook.begin() + 4);
  golden::expect_close(gradients.codebook, codebook, tolerance);
  EXPECT_TRUE(std::count(gradients.codebook.begin(), gradients.codebook.end(), T(0)) == 8);
}

// D10
TYPED_TEST(VqVaeSpecTest, WritingBothVectorsTwiceLeavesTheirMean) {
  for (int64_t size = 1; size < 70; ++size) {
    auto a = this->random(size), b = this->random(size);
    const auto once = mean_squared_difference(a, b);
    for (auto* each : {&a, &b}) {
      const auto copy = *each;
      each->insert(each->end(), copy.begin(), copy.end());
    }
    EXPECT_EQ(mean_squared_difference(a, b), once) << size;
  }
}

// D10
TYPED_TEST(VqVaeSpecTest, RepeatingTheLatentLeavesEveryTerm) {
  using T = TypeParam;
  const auto model = this->random_model();
  const auto twice = [](std::vector<T> v) {
    v.resize(2 * v.size());
    std::copy_n(v.begin(), v.size() / 2, v.begin() + v.size() / 2);
    return v;
  };
  std::vector<T> rows;
  for (int64_t k = 0; k < kCodes; ++k) {
    const auto row = twice(quantized(model, k));
    rows.insert(rows.end(), row.begin(), row.end());
  }
  const Model<T> doubled = {[&](const std::vector<T>& x) { return twice(model.encoder(x)); },
                            Codebook<T>(kCodes, 2 * kLatent, rows),
                            [&](const std::vector<T>& q) {
                              return model.decoder({q.begin(), q.begin() + kLatent});
                            }};
  const auto x = this->random(kObservation);
  const auto one = losses(model, x, 3), two = losses(doubled, x, 3);
  EXPECT_EQ(one.reconstruction, two.reconstruction);
  EXPECT_EQ(one.codebook, two.codebook);
  EXPECT_EQ(one.commitment, two.commitment);
}

TYPED_TEST(VqVaeSpecTest, EmptyShapesHaveNoLoss) {
  using T = TypeParam;
  const auto model = this->identity_model(Codebook<T>(3, 0, {}));
  const auto terms = losses(model, {}, 2);
  EXPECT_EQ(terms.reconstruction, T(0));
  EXPECT_EQ(terms.codebook, T(0));
  EXPECT_EQ(terms.total(1), T(0));
  EXPECT_EQ(nearest_code(model.codebook, {}), 0);
  EXPECT_TRUE(is_nearest_code(model.codebook, {}, 2));
  EXPECT_TRUE(training_gradients(model.codebook, {}, 2, {}, 1).encoder.empty());
}

TYPED_TEST(VqVaeSpecTest, EmptyCodebookHasNoCode) {
  const auto model = this->identity_model(Codebook<TypeParam>(0, 2, {}));
  this->expect_usage_error([&] { quantized(model, 0); }, "code 0 of 0");
  this->expect_usage_error([&] { nearest_code(model.codebook, {0, 0}); }, "no codes");
}

TYPED_TEST(VqVaeSpecTest, WrongLengthsAreErrors) {
  using T = TypeParam;
  auto model = this->identity_model(Codebook<T>(2, 2, {0, 0, 1, 1}));
  this->expect_usage_error([&] { encode(model, {1, 2, 3}); }, "has 3 values where 2");
  this->expect_usage_error([&] { nearest_code(model.codebook, {1}); }, "has 1 values where 2");
  this->expect_usage_error(
      [&] {
        training_gradients(model.codebook, {1, 2}, 0, {1}, 1);
      },
      "gradient has 1 values where 2");
  this->expect_usage_error(
      [&] {
        Codebook<T>(2, 3, {1, 2, 3, 4, 5});
      },
      "5 values for 2 codes of 3");
  this->expect_usage_error([&] { Codebook<T>(-1, -2, {1, 2}); }, "2 values for -1 codes of -2");
  model.decoder = [](const std::vector<T>&) { return std::vector<T>(3); };
  this->expect_usage_error([&] { losses(model, {1, 2}, 0); }, "reconstruction has 3 values");
}

TYPED_TEST(VqVaeSpecTest, ModelWithoutFunctionsIsAnError) {
  const Model<TypeParam> model{{}, Codebook<TypeParam>(1, 1, {0}), {}};
  this->expect_usage_error([&] { encode(model, {1}); }, "no encoder");
  this->expect_usage_error([&] { forward(model, {1}, 0); }, "no decoder");
}

}  // namespace
}  // namespace tessera::spec
