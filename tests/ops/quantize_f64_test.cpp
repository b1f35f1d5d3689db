#include <numeric>
#include <span>

#include "tessera/kernels/vq_update.h"
#include "tessera/ops.h"
#include "testing/gradcheck.h"
#include "testing/numbers.h"

namespace tessera::inline TESSERA_PRECISION {
namespace {

using gradcheck::expect_gradients;
using gradcheck::scalar_of;
using testing::uniform;

constexpr int64_t kRows = 12;

/// Two codebooks: 5 codes of 3 dimensions, 4 codes of 2. Three floats of padding between them.
class QuantizeTest : public ::testing::Test {
 protected:
  static std::vector<kernels::VqGroup> groups() {
    std::vector<kernels::VqGroup> groups = {{.dim = 3, .codebook_size = 5},
                                            {.dim = 2, .codebook_size = 4}};
    kernels::VqGroup::pack(groups);
    return groups;
  }
  VqTable table_{groups(), {}};
  int64_t codebook_values_ = 16 + 8;
  std::vector<real> codebooks_ = uniform<real>(codebook_values_, 1);
  std::vector<real> latents_ = uniform<real>(kRows * 5, 2);
  Tensor target_ = Tensor::from_host(kRows, 5, uniform<real>(kRows * 5, 3));

  /// dL/dy of scalar_of(y, target).
  std::vector<double> upstream(const std::vector<real>& y) const {
    std::vector<double> dy;
    const std::vector<real> target = target_.to_host();
    for (size_t i = 0; i < y.size(); ++i)
      dy.push_back(2.0 / double(y.size()) * (double(y[i]) - double(target[i])));
    return dy;
  }
};

TEST_F(QuantizeTest, CodebookGradientMatchesDifferencesAndIsZeroInThePadding) {
  const auto group = gradcheck::make_group({{1, codebook_values_, codebooks_}});
  const Var latents(Tensor::from_host(kRows, 5, latents_));
  expect_gradients(*group, [&](const Pass& pass) {
    return scalar_of(nearest_codes(table_, latents, pass.parameter((*group)[0])).quantized,
                     target_);
  });
  EXPECT_EQ((*group)[0].grad.to_host()[15], 0);
}

TEST_F(QuantizeTest, CodebookGradientAddsUpOverTwoUses) {
  const auto group = gradcheck::make_group({{1, codebook_values_, codebooks_}});
  const Var latents(Tensor::from_host(kRows, 5, latents_));
  const Var others(Tensor::from_host(kRows, 5, uniform<real>(kRows * 5, 4)));
  expect_gradients(*group, [&](const Pass& pass) {
    const Var books = pass.parameter((*group)[0]);
    return scalar_of(add(nearest_codes(table_, latents, books).quantized,
                         nearest_codes(table_, others, books).quantized),
                     target_);
  });
}

TEST_F(QuantizeTest, NearestCodesPassNothingToTheLatents) {
  const auto group =
      gradcheck::make_group({{kRows, 5, latents_}, {1, codebook_values_, codebooks_}});
  gradcheck::run_backward(*group,
                          [&](const Pass& pass) {
                            return scalar_of(nearest_codes(table_, pass.parameter((*group)[0]),
                                                           pass.parameter((*group)[1]))
                                                 .quantized,
                                             target_);
                          },
                          {});
  EXPECT_EQ((*group)[0].grad.to_host(), std::vector<real>(kRows * 5, 0));
}

TEST_F(QuantizeTest, RefusesLatentsWiderThanTheTable) {
  const Var codebooks(Tensor::from_host(1, codebook_values_, codebooks_));
  EXPECT_THROW(nearest_codes(table_, Var(Tensor::zeros(2, 6, {})), codebooks), Error);
  EXPECT_THROW(nearest_codes(table_, Var(Tensor::zeros(2, 4, {})), codebooks), Error);
}

TEST_F(QuantizeTest, RefusesCodebooksShorterThanTheTable) {
  const Var codebooks(Tensor::zeros(1, 22, {}));
  EXPECT_THROW(nearest_codes(table_, Var(Tensor::zeros(2, 5, {})), codebooks), Error);
}

class EstimatorTest : public QuantizeTest {
 protected:
  Tensor quantized() {
    return nearest_codes(table_, Var(Tensor::from_host(kRows, 5, latents_)),
                         Var(Tensor::from_host(1, codebook_values_, codebooks_)))
        .quantized.value();
  }
  /// The gradient an estimator gives to the latents, which it meets twice.
  template <class F>
  std::vector<real> gradient_of(F&& estimate) {
    const auto group = gradcheck::make_group({{kRows, 5, latents_}});
    gradcheck::run_backward(
        *group,
        [&](const Pass& pass) { return scalar_of(estimate(pass.parameter((*group)[0])), target_); },
        {});
    return (*group)[0].grad.to_host();
  }
  /// lambda R^T g of kernels/vq_update.h for one row and group, with R written out.
  static std::vector<double> rotated(std::span<const real> e, std::span<const real> q,
                                     std::span<const double> g) {
    const size_t dim = e.size();
    const double e_norm = std::sqrt(std::inner_product(e.begin(), e.end(), e.begin(), 0.0));
    const double q_norm = std::sqrt(std::inner_product(q.begin(), q.end(), q.begin(), 0.0));
    std::vector<double> r(dim), result(dim);
    double r_norm = 0;
    for (size_t d = 0; d < dim; ++d) {
      r[d] = e[d] / e_norm + q[d] / q_norm;
      r_norm += r[d] * r[d];
    }
    for (size_t i = 0; i < dim; ++i)
      for (size_t j = 0; j < dim; ++j) {  // entry [j][i] of R: its transpose times g
        const double rotation =
            (i == j) - 2 * r[j] * r[i] / r_norm + 2 * (q[j] / q_norm) * (e[i] / e_norm);
        result[i] += q_norm / e_norm * rotation * g[j];
      }
    return result;
  }
};

TEST_F(EstimatorTest, StraightThroughPassesTheGradientUnchanged) {
  const Tensor hard = quantized();
  const auto found = gradient_of([&](const Var& z) { return straight_through(z, hard); });
  testing::expect_close(found, upstream(hard.to_host()), 1e-15);
}

TEST_F(EstimatorTest, StraightThroughAddsToWhatAnotherUseLeft) {
  const Tensor hard = quantized();
  const auto found = gradient_of(
      [&](const Var& z) { return add(straight_through(z, hard), straight_through(z, hard)); });
  std::vector<real> twice = hard.to_host();
  for (real& value : twice) value *= 2;
  std::vector<double> expected = upstream(twice);
  for (double& value : expected) value *= 2;
  testing::expect_close(found, expected, 1e-15);
}

TEST_F(EstimatorTest, BothGiveTheHardRowsBitForBit) {
  const Tensor hard = quantized();
  const Var latents(Tensor::from_host(kRows, 5, latents_));
  EXPECT_EQ(straight_through(latents, hard).value().to_host(), hard.to_host());
  EXPECT_EQ(rotation_trick(table_, latents, hard).value().to_host(), hard.to_host());
}

TEST_F(EstimatorTest, RotationTurnsAndScalesTheGradient) {
  const Tensor hard = quantized();
  const std::vector<real> q = hard.to_host();
  const auto found = gradient_of([&](const Var& z) { return rotation_trick(table_, z, hard); });
  const std::vector<double> dy = upstream(q);
  std::vector<double> expected;
  for (size_t n = 0; n < kRows; ++n)
    for (const auto& [begin, dim] : {std::pair<size_t, size_t>{0, 3}, {3, 2}}) {
      const size_t at = 5 * n + begin;
      for (const double value : rotated({&latents_[at], dim}, {&q[at], dim}, {&dy[at], dim}))
        expected.push_back(value);
    }
  testing::expect_close(found, expected, 1e-13);
}

TEST_F(EstimatorTest, RotationCarriesEachLatentToItsCode) {
  const Tensor hard = quantized();
  const std::vector<real> q = hard.to_host();
  // R^T is orthogonal, so lambda R^T q = lambda^2 e.
  Tensor dy = hard, de = Tensor::zeros(kRows, 5, {});
  kernels::vq_rotation_grad(cpu_context(), {.groups = table_.view(),
                                            .latents = {latents_.data(), kRows, 5, 5},
                                            .quantized = hard.view(),
                                            .dy = dy.view(),
                                            .dlatents = de.mutable_view()});
  const std::vector<real> found = de.to_host();
  for (size_t n = 0; n < kRows; ++n) {
    const double ratio = std::hypot(q[5 * n + 3], q[5 * n + 4]) /
                         std::hypot(latents_[5 * n + 3], latents_[5 * n + 4]);
    EXPECT_NEAR(found[5 * n + 3], ratio * ratio * latents_[5 * n + 3], 1e-12);
    EXPECT_NEAR(found[5 * n + 4], ratio * ratio * latents_[5 * n + 4], 1e-12);
  }
}

}  // namespace
}  // namespace tessera::inline TESSERA_PRECISION
