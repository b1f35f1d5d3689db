#include "tessera/kernels/column_loss.h"

#include <cmath>

#include "testing/backends.h"
#include "testing/determinism.h"
#include "testing/guarded.h"
#include "testing/numbers.h"

namespace tessera::kernels {
namespace {

using testing::Guarded;

using testing::kUlp;

class ColumnLossTest : public testing::BackendTest {
 protected:
  /// Prediction, target and weights of a problem; with `mapped`, columns are compared with others.
  struct Problem {
    int64_t rows, cols, target_cols;
    std::vector<float> p, t, weight;
    std::vector<int32_t> target;
    double factor;

    Problem(int64_t n, int64_t c, bool mapped)
        : rows(n), cols(c), target_cols(mapped ? (c + 2) / 3 : c), factor(0.37 / double(n)) {
      p = testing::uniform<float>(n * c, 1);
      t = testing::uniform<float>(n * target_cols, 2);
      weight = testing::uniform<float>(c, 3, 0, 2);
      for (int64_t i = 0; mapped && i < c; ++i)
        target.push_back(static_cast<int32_t>((i * 7) % target_cols));
    }
    double diff(int64_t n, int64_t c) const {
      const int64_t at = target.empty() ? c : target[static_cast<size_t>(c)];
      return double(p[static_cast<size_t>(n * cols + c)]) -
             double(t[static_cast<size_t>(n * target_cols + at)]);
    }
  };
  std::vector<Problem> problems() const {
    std::vector<Problem> all;
    for (const int64_t rows : {1, 5, 64, 131})
      for (const int64_t cols : {1, 8, 33, 130})
        for (const bool mapped : {false, true}) all.emplace_back(rows, cols, mapped);
    return all;
  }
};
TESSERA_FOR_EACH_BACKEND(ColumnLossTest);

TEST_P(ColumnLossTest, LossIsTheWeightedSumOfTheColumns) {
  for (const Problem& one : problems()) {
    Guarded<float> p(one.p, one.rows, one.cols, device()),
        t(one.t, one.rows, one.target_cols, device()), weight(one.weight, device());
    Guarded<int32_t> target(one.target, device());
    auto sums = Guarded<double>::out(one.cols, device());
    auto loss = Guarded<float>::out(1, device());
    run([&](auto& context) {
      column_squared_error(
          context, {.p = p.matrix_view(),
                    .t = t.matrix_view(),
                    .target = one.target.empty() ? VectorView<const int32_t>{} : target.view(),
                    .weight = weight.view(),
                    .sums = sums.vector(),
                    .loss = loss.vector(),
                    .factor = one.factor});
    });
    double expected = 0;
    const std::vector<double> found = sums.values();
    for (int64_t c = 0; c < one.cols; ++c) {
      double sum = 0;
      for (int64_t n = 0; n < one.rows; ++n) sum += one.diff(n, c) * one.diff(n, c);
      EXPECT_NEAR(found[static_cast<size_t>(c)], sum, 1e-12 * sum) << "column " << c;
      expected += double(one.weight[static_cast<size_t>(c)]) * sum;
    }
    testing::expect_near(loss.values(), {one.factor * expected}, kUlp, 0);
  }
}

TEST_P(ColumnLossTest, GradientIsTwiceTheWeightedDifference) {
  for (const Problem& one : problems())
    for (const float beta : {0.0f, 1.0f}) {
      const auto old = testing::uniform<float>(one.rows * one.cols, 4);
      Guarded<float> p(one.p, one.rows, one.cols, device()),
          t(one.t, one.rows, one.target_cols, device()), weight(one.weight, device()),
          dloss({1.5f}, device()), dp(old, one.rows, one.cols, device());
      Guarded<int32_t> target(one.target, device());
      run([&](auto& context) {
        column_squared_error_grad(
            context, {.p = p.matrix_view(),
                      .t = t.matrix_view(),
                      .target = one.target.empty() ? VectorView<const int32_t>{} : target.view(),
                      .weight = weight.view(),
                      .dloss = dloss.view(),
                      .dp = dp.matrix(),
                      .factor = one.factor,
                      .beta = beta});
      });
      std::vector<double> expected;
      for (int64_t i = 0; i < one.rows * one.cols; ++i)
        expected.push_back(double(beta) * double(old[static_cast<size_t>(i)]) +
                           1.5 * 2 * one.factor *
                               double(one.weight[static_cast<size_t>(i % one.cols)]) *
                               one.diff(i / one.cols, i % one.cols));
      testing::expect_near(dp.values(), expected, 4 * kUlp, 2);
    }
}

}  // namespace
}  // namespace tessera::kernels
