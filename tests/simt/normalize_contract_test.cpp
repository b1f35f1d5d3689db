#include <cmath>

#include "tessera/kernels/normalize.h"
#include "testing/backends.h"
#include "testing/guarded.h"

namespace tessera {
namespace {

using testing::expect_near;
using testing::Guarded;
using testing::random_values;

constexpr double kTolerance = 1e-5;  // a handful of float roundings on values of size 1 to 5
constexpr float kContractEpsilon = 1e-5f;

struct MatrixShape {
  int64_t rows, cols;
};
constexpr MatrixShape kShapes[] = {{1, 2},  {3, 31}, {8, 32},  {9, 33},  {33, 7},
                             {63, 8}, {64, 9}, {65, 65}, {200, 1}, {130, 17}};

/// Mean and variance along one axis, and the normalized values, in binary64.
struct Normalized {
  std::vector<double> mean, rstd, variance, xhat;

  Normalized(const std::vector<float>& x, MatrixShape shape, bool by_column) : xhat(x.size()) {
    const int64_t rows = shape.rows, cols = shape.cols;
    const int64_t count = by_column ? cols : rows, length = by_column ? rows : cols;
    for (int64_t i = 0; i < count; ++i) {
      const auto at = [&](int64_t j) { return by_column ? j * cols + i : i * cols + j; };
      double sum = 0, square = 0;
      for (int64_t j = 0; j < length; ++j) sum += x[at(j)];
      const double m = sum / static_cast<double>(length);
      for (int64_t j = 0; j < length; ++j) square += (x[at(j)] - m) * (x[at(j)] - m);
      mean.push_back(m);
      variance.push_back(square / static_cast<double>(length));
      rstd.push_back(1 / std::sqrt(variance.back() + double(kContractEpsilon)));
      for (int64_t j = 0; j < length; ++j) xhat[at(j)] = (x[at(j)] - m) * rstd.back();
    }
  }
};

std::vector<float> shifted(std::vector<float> values, float by) {
  for (float& v : values) v += by;
  return values;
}
std::vector<float> rounded(const std::vector<double>& values) {
  return {values.begin(), values.end()};
}

class LayerNormContractTest : public testing::BackendTest {};
TESSERA_FOR_EACH_BACKEND(LayerNormContractTest);

TEST_P(LayerNormContractTest, ForwardFollowsItsFormula) {
  for (const MatrixShape& shape : kShapes) {
    const auto [rows, cols] = shape;
    const std::vector<float> x = shifted(random_values(rows * cols, 1), 3);
    const std::vector<float> gain = random_values(cols, 2), shift = random_values(cols, 3);
    Guarded<float> x_in(x, rows, cols, device()), g(gain, device()), s(shift, device());
    auto y = Guarded<float>::out(rows, cols, device());
    auto mean = Guarded<float>::out(rows, device()), rstd = Guarded<float>::out(rows, device());
    run([&](auto& context) {
      kernels::layer_norm(context, {.x = x_in.matrix_view(),
                                    .gain = g.view(),
                                    .shift = s.view(),
                                    .y = y.matrix(),
                                    .mean = mean.vector(),
                                    .rstd = rstd.vector(),
                                    .epsilon = kContractEpsilon});
    });
    const Normalized expected(x, shape, false);
    std::vector<double> values;
    for (int64_t i = 0; i < rows * cols; ++i)
      values.push_back(expected.xhat[i] * gain[i % cols] + shift[i % cols]);
    expect_near(y.values(), values, kTolerance);
    expect_near(mean.values(), expected.mean, kTolerance);
    expect_near(rstd.values(), expected.rstd, kTolerance);
  }
}

TEST_P(LayerNormContractTest, GradientsFollowTheirFormula) {
  for (const MatrixShape& shape : kShapes)
    for (const float beta : {0.0f, 1.0f}) {
      const auto [rows, cols] = shape;
      const std::vector<float> x = random_values(rows * cols, 1),
                               dy = random_values(rows * cols, 4);
      const std::vector<float> gain = random_values(cols, 2), old = random_values(rows * cols, 5);
      const Normalized at(x, shape, false);
      Guarded<float> x_in(x, rows, cols, device()), dy_in(dy, rows, cols, device());
      Guarded<float> g(gain, device()), mean(rounded(at.mean), device()),
          rstd(rounded(at.rstd), device());
      const auto start = [&](int64_t n) {
        return beta == 0 ? std::vector<float>(n, NAN)
                         : std::vector<float>(old.begin(), old.begin() + n);
      };
      Guarded<float> dx(start(rows * cols), rows, cols, device());
      Guarded<float> dgain(start(cols), device()), dshift(start(cols), device());
      run([&](auto& context) {
        kernels::layer_norm_grad(context, {.x = x_in.matrix_view(),
                                           .dy = dy_in.matrix_view(),
                                           .gain = g.view(),
                                           .mean = mean.view(),
                                           .rstd = rstd.view(),
                                           .dx = dx.matrix(),
                                           .dgain = dgain.vector(),
                                           .dshift = dshift.vector(),
                                           .beta_x = beta,
                                           .beta_p = beta});
      });
      std::vector<double> x_grad(rows * cols), gain_grad(cols), shift_grad(cols);
      for (int64_t n = 0; n < rows; ++n) {
        double sum = 0, product = 0;
        for (int64_t c = 0; c < cols; ++c) {
          sum += double(dy[n * cols + c]) * gain[c] / static_cast<double>(cols);
          product += dy[n * cols + c] * gain[c] * at.xhat[n * cols + c] / static_cast<double>(cols);
        }
        for (int64_t c = 0; c < cols; ++c) {
          const int64_t i = n * cols + c;
          x_grad[i] = at.rstd[n] * (double(dy[i]) * gain[c] - sum - at.xhat[i] * product) +
                      (beta == 0 ? 0 : old[i]);
          gain_grad[c] += dy[i] * at.xhat[i] + (beta == 0 || n > 0 ? 0 : old[c]);
          shift_grad[c] += dy[i] + (beta == 0 || n > 0 ? 0 : old[c]);
        }
      }
      // Two columns can be as close as 1e-2: rstd of 100 amplifies the roundings of mean and xhat.
      expect_near(dx.values(), x_grad, kTolerance, 10);
      expect_near(dgain.values(), gain_grad, kTolerance, 10);
      expect_near(dshift.values(), shift_grad, kTolerance);
    }
}

class BatchNormContractTest : public testing::BackendTest {};
TESSERA_FOR_EACH_BACKEND(BatchNormContractTest);

TEST_P(BatchNormContractTest, ForwardFollowsItsFormulaAndMovesRunningStatistics) {
  for (const MatrixShape& shape : kShapes)
    for (const bool training : {true, false}) {
      const auto [rows, cols] = shape;
      const std::vector<float> x = shifted(random_values(rows * cols, 1), 3);
      const std::vector<float> gain = random_values(cols, 2), shift = random_values(cols, 3);
      const std::vector<float> old_mean = random_values(cols, 4), old_variance(cols, 1.5f);
      Guarded<float> x_in(x, rows, cols, device()), g(gain, device()), s(shift, device());
      Guarded<float> running_mean(old_mean, device()), running_variance(old_variance, device());
      auto y = Guarded<float>::out(rows, cols, device());
      auto mean = Guarded<float>::out(cols, device()), rstd = Guarded<float>::out(cols, device());
      run([&](auto& context) {
        kernels::batch_norm(context, {.x = x_in.matrix_view(),
                                      .gain = g.view(),
                                      .shift = s.view(),
                                      .y = y.matrix(),
                                      .mean = mean.vector(),
                                      .rstd = rstd.vector(),
                                      .running_mean = running_mean.vector(),
                                      .running_variance = running_variance.vector(),
                                      .epsilon = kContractEpsilon,
                                      .momentum = 0.1f,
                                      .training = training});
      });
      const Normalized batch(x, shape, true);
      std::vector<double> values, means, variances;
      for (int64_t i = 0; i < rows * cols; ++i) {
        const int64_t c = i % cols;
        const double xhat =
            training ? batch.xhat[i] : (x[i] - old_mean[c]) / std::sqrt(1.5 + double(kContractEpsilon));
        values.push_back(xhat * gain[c] + shift[c]);
      }
      for (int64_t c = 0; c < cols; ++c) {
        const double unbiased = batch.variance[c] * static_cast<double>(rows) /
                                static_cast<double>(std::max<int64_t>(1, rows - 1));
        means.push_back(training ? 0.9 * old_mean[c] + 0.1 * batch.mean[c] : old_mean[c]);
        variances.push_back(training ? 0.9 * 1.5 + 0.1 * unbiased : 1.5);
      }
      // One row: variance 0, rstd 316, which the rounding of the mean would show through.
      expect_near(y.values(), values, kTolerance, rows == 1 ? 400 : 1);
      expect_near(running_mean.values(), means, kTolerance);
      expect_near(running_variance.values(), variances, kTolerance);
    }
}

TEST_P(BatchNormContractTest, GradientsFollowTheirFormula) {
  for (const MatrixShape& shape : kShapes)
    for (const bool training : {true, false})
      for (const float beta : {0.0f, 1.0f}) {
        const auto [rows, cols] = shape;
        if (rows == 1) continue;  // nothing but the roundings of 316 * 0
        const std::vector<float> x = random_values(rows * cols, 1);
        const std::vector<float> dy = random_values(rows * cols, 4), gain = random_values(cols, 2);
        const std::vector<float> old = random_values(rows * cols, 5);
        const Normalized at(x, shape, true);
        Guarded<float> x_in(x, rows, cols, device()), dy_in(dy, rows, cols, device());
        Guarded<float> g(gain, device()), mean(rounded(at.mean), device()),
            rstd(rounded(at.rstd), device());
        Guarded<float> dx(beta == 0 ? std::vector<float>(rows * cols, NAN) : old, rows, cols,
                          device());
        auto dgain = Guarded<float>::out(cols, device()), dshift = dgain;
        dshift = Guarded<float>::out(cols, device());
        run([&](auto& context) {
          kernels::batch_norm_grad(context, {.x = x_in.matrix_view(),
                                             .dy = dy_in.matrix_view(),
                                             .gain = g.view(),
                                             .mean = mean.view(),
                                             .rstd = rstd.view(),
                                             .dx = dx.matrix(),
                                             .dgain = dgain.vector(),
                                             .dshift = dshift.vector(),
                                             .training = training,
                                             .beta_x = beta,
                                             .beta_p = 0});
        });
        std::vector<double> x_grad(rows * cols), gain_grad(cols), shift_grad(cols);
        for (int64_t i = 0; i < rows * cols; ++i) {
          gain_grad[i % cols] += dy[i] * at.xhat[i];
          shift_grad[i % cols] += dy[i];
        }
        for (int64_t i = 0; i < rows * cols; ++i) {
          const int64_t c = i % cols;
          const double through =
              training ? (shift_grad[c] + at.xhat[i] * gain_grad[c]) / static_cast<double>(rows)
                       : 0;
          x_grad[i] = gain[c] * at.rstd[c] * (dy[i] - through) + (beta == 0 ? 0 : old[i]);
        }
        expect_near(dx.values(), x_grad, kTolerance);
        expect_near(dgain.values(), gain_grad, kTolerance);
        expect_near(dshift.values(), shift_grad, kTolerance);
      }
}

}  // namespace
}  // namespace tessera
