// The Gumbel-softmax formulas against the golden file, in double.

#include "tessera/kernels/gumbel.h"
#include "testing/golden.h"

namespace tessera {
namespace {

using golden::expect_close;
using golden::Golden;
using golden::Matrix;

TEST(GumbelGoldenTest, NoiseFromUniformNumbers) {
  const Golden test("gumbel_noise_from_uniform");
  std::vector<double> found;
  for (const double u : test.input_matrix("u").values) found.push_back(kernels::gumbel_noise(u));
  expect_close(found, test.expected_matrix("g").values, test.tolerance());
  EXPECT_TRUE(std::isfinite(kernels::gumbel_noise(0)));
  EXPECT_TRUE(std::isfinite(kernels::gumbel_noise(1)));
}

TEST(GumbelGoldenTest, SoftmaxOfGivenNoiseAndItsGradient) {
  const Golden test("gumbel_softmax_given_noise");
  const Matrix logits = test.input_matrix("logits"), noise = test.input_matrix("noise"),
               upstream = test.input_matrix("upstream");
  const auto count = static_cast<int32_t>(logits.cols);
  for (const char* name : {"tau_1", "tau_0.5", "tau_0.1"}) {
    SCOPED_TRACE(name);
    const double temperature = std::stod(std::string(name).substr(4));
    const golden::Json& expected = test.expected(name);
    std::vector<double> soft, hard, slope;
    for (int64_t r = 0; r < logits.rows; ++r) {
      std::vector<double> y(static_cast<size_t>(count)), dl(y.size()), one_hot(y.size());
      kernels::gumbel_softmax_row(logits.row(r).data(), noise.row(r).data(), count, temperature,
                                  y.data());
      kernels::gumbel_softmax_row_grad(y.data(), upstream.row(r).data(), count, temperature,
                                       dl.data());
      one_hot[static_cast<size_t>(kernels::hard_category(y.data(), count))] = 1;
      soft.insert(soft.end(), y.begin(), y.end());
      hard.insert(hard.end(), one_hot.begin(), one_hot.end());
      slope.insert(slope.end(), dl.begin(), dl.end());
    }
    expect_close(soft, golden::matrix(expected.at("y_soft")).values, test.tolerance());
    expect_close(hard, golden::matrix(expected.at("y_hard")).values, test.tolerance());
    expect_close(slope, golden::matrix(expected.at("dL_dlogits")).values, test.tolerance());
  }
}

TEST(GumbelSoftmaxTest, WithoutNoiseItIsTheSoftmax) {
  const double logits[] = {0, std::log(2.0), std::log(5.0)};
  double y[3];
  kernels::gumbel_softmax_row(logits, nullptr, 3, 1, y);
  EXPECT_NEAR(y[0], 0.125, 1e-15);
  EXPECT_NEAR(y[2], 0.625, 1e-15);
}

}  // namespace
}  // namespace tessera
