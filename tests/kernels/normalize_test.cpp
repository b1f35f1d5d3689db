#include "tessera/kernels/normalize.h"


#include "tessera/tensor.h"
#include "testing/backends.h"
#include "testing/determinism.h"
#include "testing/numbers.h"

namespace tessera::kernels {
namespace {

using testing::kNan;
constexpr float kEpsilon = 1e-5f;

/// Mean and biased variance of x[begin], x[begin + stride], ...
struct Moments {
  double mean = 0, variance = 0;
};
Moments moments_of(const std::vector<float>& x, int64_t begin, int64_t stride, int64_t count) {
  Moments result;
  for (int64_t i = 0; i < count; ++i) result.mean += x[static_cast<size_t>(begin + i * stride)];
  result.mean /= double(count);
  for (int64_t i = 0; i < count; ++i) {
    const double t = x[static_cast<size_t>(begin + i * stride)] - result.mean;
    result.variance += t * t / double(count);
  }
  return result;
}

class NormalizeKernelTest : public testing::BackendTest {
 protected:
  Tensor upload(const std::vector<float>& values, int64_t rows = 1) {
    return Tensor::from_host(rows, static_cast<int64_t>(values.size()) / rows, values, device());
  }
  Tensor nan(int64_t rows, int64_t cols) {
    return upload(std::vector<float>(static_cast<size_t>(rows * cols), kNan), rows);
  }
};
TESSERA_FOR_EACH_BACKEND(NormalizeKernelTest);

TEST_P(NormalizeKernelTest, LayerNormMatchesItsFormula) {
  for (const auto& [rows, cols] :
       {std::pair<int64_t, int64_t>{1, 1}, {3, 15}, {70, 64}, {5, 1000}}) {
    SCOPED_TRACE(::testing::Message() << rows << " x " << cols);
    const auto x = testing::uniform<float>(rows * cols, 1, -2, 4);
    const auto gain = testing::uniform<float>(cols, 2), shift = testing::uniform<float>(cols, 3);
    const Tensor from = upload(x, rows), g = upload(gain), s = upload(shift);
    Tensor y = nan(rows, cols), mean = nan(1, rows), rstd = nan(1, rows);
    on_device(device(), [&](auto& context) {
      layer_norm(context, {.x = from.view(),
                           .gain = g.flat(),
                           .shift = s.flat(),
                           .y = y.mutable_view(),
                           .mean = mean.mutable_flat(),
                           .rstd = rstd.mutable_flat(),
                           .epsilon = kEpsilon});
    });
    std::vector<double> expected;
    for (int64_t i = 0; i < rows * cols; ++i) {
      const Moments m = moments_of(x, i / cols * cols, 1, cols);
      const size_t c = static_cast<size_t>(i % cols);
      expected.push_back((x[static_cast<size_t>(i)] - m.mean) / std::sqrt(m.variance + kEpsilon) *
                             gain[c] +
                         shift[c]);
    }
    testing::expect_close(y.to_host(), expected, 1e-6);
  }
}

TEST_P(NormalizeKernelTest, LayerNormOfValuesFarFromZeroLosesNothing) {
  std::vector<float> x = testing::uniform<float>(256, 1);
  for (float& value : x) value = 1000 + std::round(value * 1024) / 1024;  // exact in float
  const Tensor from = upload(x), one = upload(std::vector<float>(256, 1.0f)),
               zero = upload(std::vector<float>(256, 0.0f));
  Tensor y = nan(1, 256), mean = nan(1, 1), rstd = nan(1, 1);
  on_device(device(), [&](auto& context) {
    layer_norm(context, {.x = from.view(),
                         .gain = one.flat(),
                         .shift = zero.flat(),
                         .y = y.mutable_view(),
                         .mean = mean.mutable_flat(),
                         .rstd = rstd.mutable_flat(),
                         .epsilon = kEpsilon});
  });
  const Moments m = moments_of(x, 0, 1, 256);
  std::vector<double> expected;
  for (const float value : x)
    expected.push_back((value - m.mean) / std::sqrt(m.variance + kEpsilon));
  // The stored mean is a float: 1000 * 2^-25 = 3e-5, over a deviation of 0.58.
  testing::expect_close(y.to_host(), expected, 1e-4);
}

class BatchNormKernelTest : public NormalizeKernelTest {
 protected:
  static constexpr int64_t kRows = 37, kCols = 19;
  std::vector<float> x_ = testing::uniform<float>(kRows * kCols, 1, -2, 4);
  std::vector<float> gain_ = testing::uniform<float>(kCols, 2),
                     shift_ = testing::uniform<float>(kCols, 3);
  std::vector<float> mean_ = testing::uniform<float>(kCols, 4),
                     variance_ = testing::uniform<float>(kCols, 5, 0.5, 2);

  /// y, running mean and running variance.
  std::array<std::vector<float>, 3> run(bool training) {
    const Tensor from = upload(x_, kRows), g = upload(gain_), s = upload(shift_);
    Tensor y = nan(kRows, kCols), mean = nan(1, kCols), rstd = nan(1, kCols);
    Tensor running_mean = upload(mean_), running_variance = upload(variance_);
    on_device(device(), [&](auto& context) {
      batch_norm(context, {.x = from.view(),
                           .gain = g.flat(),
                           .shift = s.flat(),
                           .y = y.mutable_view(),
                           .mean = mean.mutable_flat(),
                           .rstd = rstd.mutable_flat(),
                           .running_mean = running_mean.mutable_flat(),
                           .running_variance = running_variance.mutable_flat(),
                           .epsilon = kEpsilon,
                           .momentum = 0.25f,
                           .training = training});
    });
    return {y.to_host(), running_mean.to_host(), running_variance.to_host()};
  }
  std::vector<double> normalized(const std::vector<Moments>& by_column) {
    std::vector<double> y;
    for (size_t i = 0; i < x_.size(); ++i) {
      const size_t c = i % kCols;
      y.push_back((x_[i] - by_column[c].mean) / std::sqrt(by_column[c].variance + kEpsilon) *
                      gain_[c] +
                  shift_[c]);
    }
    return y;
  }
};
TESSERA_FOR_EACH_BACKEND(BatchNormKernelTest);

TEST_P(BatchNormKernelTest, TrainingUsesTheBatchAndMovesTheRunningStatistics) {
  const auto [y, mean, variance] = run(true);
  std::vector<Moments> batch;
  std::vector<double> expected_mean, expected_variance;
  for (int64_t c = 0; c < kCols; ++c) {
    const Moments m = moments_of(x_, c, kCols, kRows);
    batch.push_back(m);
    const size_t at = static_cast<size_t>(c);
    expected_mean.push_back(0.75 * mean_[at] + 0.25 * m.mean);
    expected_variance.push_back(0.75 * variance_[at] + 0.25 * m.variance * kRows / (kRows - 1.0));
  }
  testing::expect_close(y, normalized(batch), 1e-6);
  testing::expect_close(mean, expected_mean, 1e-7);
  testing::expect_close(variance, expected_variance, 1e-7);
}

TEST_P(BatchNormKernelTest, EvaluationUsesTheRunningStatisticsAndLeavesThem) {
  const auto [y, mean, variance] = run(false);
  std::vector<Moments> running;
  for (size_t c = 0; c < kCols; ++c) running.push_back({mean_[c], variance_[c]});
  testing::expect_close(y, normalized(running), 1e-6);
  EXPECT_EQ(mean, mean_);
  EXPECT_EQ(variance, variance_);
}

// Gradients are checked in double (ops/normalize_f64_test.cpp); here only what float adds to that.
TEST(NormalizeKernelCpuTest, HasTheSameBitsForAnyThreadsAndInstructions) {
  constexpr int64_t kRows = 131, kCols = 77;
  const auto x = testing::uniform<float>(kRows * kCols, 1),
             dy = testing::uniform<float>(kRows * kCols, 2),
             gain = testing::uniform<float>(kCols, 3);
  const MatrixView<const float> in = {x.data(), kRows, kCols, kCols};
  const MatrixView<const float> upstream = {dy.data(), kRows, kCols, kCols};
  testing::expect_same_bits_everywhere([&] {
    std::vector<float> y(kRows * kCols), dx(kRows * kCols), mean(kRows), rstd(kRows), dgain(kCols),
        dshift(kCols), running(2 * kCols, 1.0f), all;
    const auto keep = [&] {
      for (const auto* part : {&y, &dx, &dgain, &dshift, &running})
        all.insert(all.end(), part->begin(), part->end());
    };
    layer_norm(cpu_context(), {in,
                               {gain.data(), kCols},
                               {gain.data(), kCols},
                               {y.data(), kRows, kCols, kCols},
                               {mean.data(), kRows},
                               {rstd.data(), kRows},
                               kEpsilon});
    layer_norm_grad(cpu_context(), {in,
                                    upstream,
                                    {gain.data(), kCols},
                                    {mean.data(), kRows},
                                    {rstd.data(), kRows},
                                    {dx.data(), kRows, kCols, kCols},
                                    {dgain.data(), kCols},
                                    {dshift.data(), kCols},
                                    0,
                                    0});
    keep();
    batch_norm(cpu_context(), {in,
                               {gain.data(), kCols},
                               {gain.data(), kCols},
                               {y.data(), kRows, kCols, kCols},
                               {mean.data(), kCols},
                               {rstd.data(), kCols},
                               {running.data(), kCols},
                               {running.data() + kCols, kCols},
                               kEpsilon,
                               0.1f,
                               true});
    batch_norm_grad(cpu_context(), {in,
                                    upstream,
                                    {gain.data(), kCols},
                                    {mean.data(), kCols},
                                    {rstd.data(), kCols},
                                    {dx.data(), kRows, kCols, kCols},
                                    {dgain.data(), kCols},
                                    {dshift.data(), kCols},
                                    true,
                                    0,
                                    0});
    keep();
    return all;
  });
}

/// What batch_norm and its gradient sum over rows, of more rows and columns than are summed in one piece.
class BatchNormManyRowsTest : public ::testing::Test {
 protected:
  static constexpr int64_t kRows = 3073, kCols = 70;
  std::vector<float> x_ = testing::uniform<float>(kRows * kCols, 1, -2, 4),
                     dy_ = testing::uniform<float>(kRows * kCols, 2, -1, 2),
                     gain_ = testing::uniform<float>(kCols, 3);
  std::vector<float> mean_ = std::vector<float>(kCols), rstd_ = mean_, running_mean_ = mean_,
                     running_variance_ = mean_, dgain_ = mean_, dshift_ = mean_;
  std::vector<float> y_ = std::vector<float>(x_.size()), dx_ = y_;

  void run() {
    const auto matrix = [](auto& values) {
      return MatrixView<std::remove_reference_t<decltype(values[0])>>{values.data(), kRows, kCols,
                                                                      kCols};
    };
    const auto vector = [](std::vector<float>& values) {
      return VectorView<float>{values.data(), kCols};
    };
    batch_norm(cpu_context(), {.x = matrix(std::as_const(x_)),
                               .gain = {gain_.data(), kCols},
                               .shift = {gain_.data(), kCols},
                               .y = matrix(y_),
                               .mean = vector(mean_),
                               .rstd = vector(rstd_),
                               .running_mean = vector(running_mean_),
                               .running_variance = vector(running_variance_),
                               .epsilon = kEpsilon,
                               .momentum = 1,  // the running statistics are the batch's
                               .training = true});
    batch_norm_grad(cpu_context(), {.x = matrix(std::as_const(x_)),
                                    .dy = matrix(std::as_const(dy_)),
                                    .gain = {gain_.data(), kCols},
                                    .mean = {mean_.data(), kCols},
                                    .rstd = {rstd_.data(), kCols},
                                    .dx = matrix(dx_),
                                    .dgain = vector(dgain_),
                                    .dshift = vector(dshift_),
                                    .training = true});
  }
};

TEST_F(BatchNormManyRowsTest, SumsRunOverAllRows) {
  run();
  for (int64_t c = 0; c < kCols; ++c) {
    const auto at = static_cast<size_t>(c);
    const Moments m = moments_of(x_, c, kCols, kRows);
    double dy = 0, dy_xhat = 0;
    for (int64_t n = 0; n < kRows; ++n) {
      const auto i = static_cast<size_t>(n * kCols + c);
      dy += dy_[i];
      dy_xhat += dy_[i] * (x_[i] - m.mean) / std::sqrt(m.variance + kEpsilon);
    }
    EXPECT_NEAR(running_mean_[at], m.mean, 1e-6);
    EXPECT_NEAR(running_variance_[at], m.variance * kRows / (kRows - 1), 1e-6);
    EXPECT_NEAR(dshift_[at], dy, 1e-4);
    // The stored mean is a float: 2^-25 of 1, times the sum of dy, some 1500.
    EXPECT_NEAR(dgain_[at], dy_xhat, 3e-4);
  }
}

TEST_F(BatchNormManyRowsTest, HasTheSameBitsForAnyThreadsAndInstructions) {
  testing::expect_same_bits_everywhere([&] {
    run();
    std::vector<float> all = y_;
    for (const auto* part : {&dx_, &dgain_, &dshift_, &running_mean_, &running_variance_})
      all.insert(all.end(), part->begin(), part->end());
    return all;
  });
}

// More rows than one piece of a sum takes, and columns of every vector's tail.
TEST(NormalizeKernelCpuTest, BatchNormOfManyRowsMatchesItsFormulaWithTheSameBits) {
  constexpr int64_t kRows = 2100, kCols = 71;
  const auto x = testing::uniform<float>(kRows * kCols, 1, -1, 3),
             dy = testing::uniform<float>(kRows * kCols, 2);
  const std::vector<float> gain(kCols, 2.0f), shift(kCols, 0.5f);
  const MatrixView<const float> in = {x.data(), kRows, kCols, kCols};
  std::vector<float> y(x.size()), mean(kCols), rstd(kCols), dgain(kCols), dshift(kCols);
  const auto run = [&] {
    std::vector<float> running(2 * kCols, 1.0f), dx(x.size());
    batch_norm(cpu_context(), {in,
                               {gain.data(), kCols},
                               {shift.data(), kCols},
                               {y.data(), kRows, kCols, kCols},
                               {mean.data(), kCols},
                               {rstd.data(), kCols},
                               {running.data(), kCols},
                               {running.data() + kCols, kCols},
                               kEpsilon,
                               0.1f,
                               true});
    batch_norm_grad(cpu_context(), {in,
                                    {dy.data(), kRows, kCols, kCols},
                                    {gain.data(), kCols},
                                    {mean.data(), kCols},
                                    {rstd.data(), kCols},
                                    {dx.data(), kRows, kCols, kCols},
                                    {dgain.data(), kCols},
                                    {dshift.data(), kCols},
                                    true,
                                    0,
                                    0});
    for (const auto* part : {&y, &dgain, &dshift}) dx.insert(dx.end(), part->begin(), part->end());
    return dx;
  };
  testing::expect_same_bits_everywhere(run);
  const std::vector<float> dx = run();
  std::vector<double> expected, expected_dshift(kCols);
  for (size_t i = 0; i < kCols; ++i) {  // the first row
    const Moments m = moments_of(x, int64_t(i), kCols, kRows);
    expected.push_back((x[i] - m.mean) / std::sqrt(m.variance + kEpsilon) * 2 + 0.5);
  }
  for (size_t i = 0; i < dy.size(); ++i) expected_dshift[i % kCols] += dy[i];
  y.resize(expected.size());
  testing::expect_close(y, expected, 1e-6);
  testing::expect_close(dshift, expected_dshift, 1e-6);
  // Neither a shift nor a scale of a column changes y, so dx is orthogonal to both.
  for (size_t c = 0; c < kCols; ++c) {
    double along_shift = 0, along_scale = 0;
    for (size_t i = c; i < x.size(); i += kCols) {
      along_shift += dx[i];
      along_scale += double(dx[i]) * x[i];
    }
    EXPECT_NEAR(along_shift, 0, 2e-4);  // rounding of 2100 terms of magnitude 1
    EXPECT_NEAR(along_scale, 0, 5e-3);  // epsilon over the variance, times sums of some 100
  }
}

}  // namespace
}  // namespace tessera::kernels
