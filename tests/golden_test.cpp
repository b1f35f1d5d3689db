// Golden vectors through the operations of the product in float: those whose numbers are exact in
// it, and code use.

#include <cmath>

#include "tessera/loss.h"
#include "tessera/metrics.h"
#include "testing/golden_ops.h"
#include "testing/tape_probe.h"

namespace tessera {
namespace {

using golden::expect_close;
using golden::Golden;
using golden::Json;
using golden::Matrix;
using namespace golden_ops;

class QuantizeFloatGoldenTest : public ::testing::TestWithParam<const char*> {};

TEST_P(QuantizeFloatGoldenTest, CodesAndRowsAreExact) {
  const Golden test(GetParam());
  const Matrix codebook = test.input_matrix("codebook");
  const NearestCodes nearest = quantize(test.input_matrix("z"), codebook);
  expect_codes(nearest, test.expected("indices"));
  EXPECT_EQ(nearest.quantized.value().to_host(), rows_of(codebook, test.expected("indices")));
}
INSTANTIATE_TEST_SUITE_P(GoldenVq, QuantizeFloatGoldenTest,
                         ::testing::Values("quantize_basic", "quantize_ties_lowest_index",
                                           "quantize_large_offset_f32"),
                         [](const auto& info) { return std::string(info.param); });

TEST(FloatGoldenTest, LossesOfDyadicNumbersAreExact) {
  const Golden test("losses_mean_reduction");
  const Json& input = test.input("case1");
  const Json& expected = test.expected("case1");
  EXPECT_EQ(test.tolerance("case1"), 0);
  const LossInputs in{var(input.at("reconstruction")), var(input.at("target")),
                      var(input.at("z_e")), var(input.at("z_q"))};
  const Var recon = reconstruction_loss(in), codebook = codebook_loss(in),
            commitment = commitment_loss(in), unweighted = add(recon, codebook);
  EXPECT_EQ(value_of(recon), expected.at("recon"));
  EXPECT_EQ(value_of(codebook), expected.at("codebook"));
  EXPECT_EQ(value_of(commitment), expected.at("commitment"));
  EXPECT_EQ(value_of(add(unweighted, commitment, 1, 0.25f)), expected.at("total_beta_0_25"));
  EXPECT_EQ(value_of(add(unweighted, commitment, 1, 0.5f)), expected.at("total_beta_0_5"));
}

// z + (q - z) would lose q here; an estimator hands on the row.
TEST(FloatGoldenTest, EstimatorsHandOnTheRowBitForBit) {
  const Golden test("ste_forward_exactness_f32");
  EXPECT_EQ(test.tolerance("required"), 0);
  const Tensor z = tensor(test.input_matrix("z")), q = tensor(test.input_matrix("q"));
  const auto group = probe::parameters({{z.to_host(), z.rows(), z.cols()}});
  Tape tape;
  const Var latents = tape.parameter((*group)[0]);
  const std::vector<float> required = test.expected_matrix("required").as<float>();
  EXPECT_EQ(straight_through(latents, q).value().to_host(), required);
  EXPECT_EQ(rotation_trick(one_codebook(1, 3, Device{}), latents, q).value().to_host(), required);
}

TEST(FloatGoldenTest, RotationTrickWithoutARotationPassesTheGradientOn) {
  const Golden test("rotation_trick_degenerate");
  EXPECT_EQ(test.tolerance("required"), 0);
  for (const auto& [name, input] : test.input("cases").items()) {
    SCOPED_TRACE(name);
    const Json& required = test.expected(name).at("required");
    const Matrix e = golden::matrix(input.at("e"));
    const auto group = probe::parameters({{e.as<float>(), 1, e.cols}});
    Tape tape;
    const Var turned =
        rotation_trick(one_codebook(1, e.cols, Device{}), tape.parameter((*group)[0]),
                       tensor(golden::matrix(input.at("q"))));
    EXPECT_EQ(turned.value().to_host(), required.at("forward").get<std::vector<float>>());
    tape.backward({{probe::loss_with_gradient(turned, input.at("g"))}});
    EXPECT_EQ((*group)[0].grad.to_host(),
              required.at("grad_e_policy_fallback_ste").get<std::vector<float>>());
  }
}

TEST(FloatGoldenTest, IdentityModelOfTheSpecificationIsExact) {
  const Golden test("torchlean_identity_model");
  const Matrix codebook = test.input_matrix("codebook"), x = test.input_matrix("x");
  EXPECT_EQ(quantize(x, codebook).codes.to_host()[0], test.expected("nearest").get<int32_t>());
  for (int64_t k = 0; k < codebook.rows; ++k) {
    const Json& expected = test.expected("by_index").at(std::to_string(k));
    const Var row(tensor({1, codebook.cols, codebook.row(k)})), z(tensor(x));
    const LossInputs in{row, z, z, row};
    const Var recon = reconstruction_loss(in), code = codebook_loss(in),
              commitment = commitment_loss(in);
    EXPECT_EQ(value_of(recon), expected.at("recon"));
    EXPECT_EQ(value_of(code), expected.at("codebook"));
    EXPECT_EQ(value_of(commitment), expected.at("commitment"));
    EXPECT_EQ(value_of(add(add(recon, code), commitment, 1, test.input("beta"))),
              expected.at("total_beta_0_25"));
  }
}

// The file's "utilization" is entropy over its maximum, "dead_frac" the share of unused codes.
TEST(FloatGoldenTest, CodeUseHasTheGoldenEntropies) {
  const Golden test("usage_entropy");
  for (const std::string name : {"case1", "case2", "case3"}) {
    SCOPED_TRACE(name);
    std::vector<int64_t> counts(test.input(name).at("K").get<size_t>());
    for (const int64_t code : test.input(name).at("indices")) ++counts.at(code);
    const CodeUse use = code_use(counts);
    const Json& expected = test.expected(name);
    const auto expect = [&](double found, const char* key) {
      SCOPED_TRACE(key);
      if (expected.contains(key)) expect_close(found, expected.at(key), test.tolerance());
    };
    const double codes = double(use.total);
    expect(use.entropy_nats, "entropy_nats");
    expect(use.entropy_nats / std::log(2.0), "entropy_bits");
    expect(use.perplexity, "perplexity");
    expect(use.entropy_nats / std::log(codes), "utilization");
    expect(double(use.dead) / codes, "dead_frac");
    EXPECT_FALSE(std::signbit(use.entropy_nats));
  }
}

}  // namespace
}  // namespace tessera
