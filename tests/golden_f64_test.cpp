// Golden vectors through the operations of the product, compiled with real = double. Tolerances
// are the file's own.

#include <algorithm>

#include "core/context.h"
#include "tessera/kernels/kmeans.h"
#include "tessera/kmeans.h"
#include "tessera/loss.h"
#include "testing/golden_ops.h"

namespace tessera {
namespace {

using golden::expect_close;
using golden::Golden;
using golden::Json;
using golden::Matrix;
using namespace golden_ops;

/// Squared distance of every row to every code: each code is a codebook of its own.
std::vector<double> squared_distances(const Matrix& z, const Matrix& codebook) {
  std::vector<kernels::VqGroup> groups(static_cast<size_t>(codebook.rows),
                                       {.dim = static_cast<int32_t>(z.cols), .codebook_size = 1});
  const auto sizes = kernels::VqGroup::pack(groups);
  std::vector<double> codes(static_cast<size_t>(sizes.codebooks));
  for (int64_t k = 0; k < codebook.rows; ++k) {
    const std::vector<double> row = codebook.row(k);
    std::copy(row.begin(), row.end(), codes.begin() + groups[k].codebook_begin);
    groups[k].latent_begin = 0;  // all read the same columns
  }
  const VqTable table(groups, Device{});
  const Tensor rows = tensor(z), book = Tensor::from_host(1, sizes.codebooks, codes);
  Buffer<int32_t> chosen(z.rows * codebook.rows, Device{});
  Tensor sq_dist = Tensor::empty(z.rows, codebook.rows, Device{});
  kernels::vq_assign(cpu_context(), {.groups = table.view(),
                                     .latents = rows.view(),
                                     .codebooks = book.flat(),
                                     .codes = {chosen.data(), z.rows, codebook.rows, codebook.rows},
                                     .quantized = {},
                                     .sq_dist = sq_dist.mutable_view(),
                                     .nonfinite = {}});
  return sq_dist.to_host();
}

class QuantizeGoldenTest : public ::testing::TestWithParam<const char*> {};

TEST_P(QuantizeGoldenTest, CodesRowsAndDistances) {
  const Golden test(GetParam());
  const Matrix z = test.input_matrix("z"), codebook = test.input_matrix("codebook");
  const NearestCodes nearest = quantize(z, codebook);
  expect_codes(nearest, test.expected("indices"));
  EXPECT_EQ(nearest.quantized.value().to_host(), rows_of(codebook, test.expected("indices")));
  expect_close(squared_distances(z, codebook), test.expected_matrix("sq_dist").values,
               test.tolerance("sq_dist"));
}
INSTANTIATE_TEST_SUITE_P(GoldenVq, QuantizeGoldenTest,
                         ::testing::Values("quantize_basic", "quantize_ties_lowest_index",
                                           "quantize_large_offset_f32"),
                         [](const auto& info) { return std::string(info.param); });

TEST(GoldenTest, LossesAreMeansOverAllElements) {
  const Golden test("losses_mean_reduction");
  for (const std::string name : {"case1", "case2"}) {
    const Json& input = test.input(name);
    const Json& expected = test.expected(name);
    const LossInputs in{var(input.at("reconstruction")), var(input.at("target")),
                        var(input.at("z_e")), var(input.at("z_q"))};
    const Var recon = reconstruction_loss(in), codebook = codebook_loss(in),
              commitment = commitment_loss(in);
    const auto expect = [&](const Var& loss, const char* key) {
      SCOPED_TRACE(name + " " + key);
      expect_close(value_of(loss), expected.at(key), test.tolerance(name));
    };
    expect(recon, "recon");
    expect(codebook, "codebook");
    expect(commitment, "commitment");
    const Var unweighted = add(recon, codebook);
    expect(add(unweighted, commitment, 1, 0.25), "total_beta_0_25");
    if (expected.contains("total_beta_0_5"))
      expect(add(unweighted, commitment, 1, 0.5), "total_beta_0_5");
  }
}

TEST(GoldenTest, LloydIterationsAndTheirEmptyCluster) {
  const Golden test("kmeans_lloyd_and_pp");
  const Matrix rows = test.input_matrix("Z");
  Matrix centres = test.input_matrix("centers");
  const Tensor z = tensor(rows);
  Tensor moved = tensor(centres);
  for (const std::string i : {"1", "2"}) {
    expect_codes(quantize(rows, centres), test.expected("assign" + i));
    lloyd_iteration(z.view(), moved);
    centres.values = moved.to_host();
    expect_close(centres.values, test.expected_matrix("centers" + i).values, test.tolerance());
  }
}

TEST(GoldenTest, KmeansPlusPlusWeightsAfterGivenDraws) {
  const Golden test("kmeans_lloyd_and_pp");
  const Matrix rows = test.input_matrix("Z");
  const Tensor z = tensor(rows);
  Tensor centres = Tensor::zeros(3, 2, Device{});
  Buffer<double> sq_dist(rows.rows, Device{}), block_sums(1, Device{});
  // Draw j takes the distances to centre j - 1 in; the row it then picks is of no interest.
  const auto distances_after = [&](int64_t draw, const char* row) {
    std::vector<double> values = centres.to_host();
    const std::vector<double> centre = rows.row(test.input(row));
    std::copy(centre.begin(), centre.end(), values.begin() + 2 * (draw - 1));
    centres.write(values);
    kernels::kmeans_draw(cpu_context(), {.rows = z.view(),
                                         .sq_dist = sq_dist.mutable_view(),
                                         .centres = centres.mutable_view(),
                                         .block_sums = block_sums.mutable_view(),
                                         .draw = draw,
                                         .seed = 0,
                                         .stream_step = 0});
    return sq_dist.to_host();
  };
  std::vector<double> weights = distances_after(1, "first");
  const double total = block_sums.to_host()[0];
  for (double& weight : weights) weight /= total;
  expect_close(weights, test.expected("pp_prob_after_first"), test.tolerance());
  expect_close(distances_after(2, "second"), test.expected("pp_d2_after_second"), test.tolerance());
}

TEST(GoldenTest, IdentityModelOfTheSpecification) {
  const Golden test("torchlean_identity_model");
  const Matrix codebook = test.input_matrix("codebook"), x = test.input_matrix("x");
  expect_codes(quantize(x, codebook), Json::array({test.expected("nearest")}));
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

}  // namespace
}  // namespace tessera
