#include "tessera/kernels/distances.h"

#include <cmath>

#include "tessera/group_table.h"
#include "testing/backends.h"
#include "testing/determinism.h"
#include "testing/guarded.h"
#include "testing/numbers.h"

namespace tessera::kernels {
namespace {

using testing::Guarded;

using testing::kUlp;

class DistancesTest : public testing::BackendTest {
 protected:
  static std::vector<ColumnGroup> make_groups() {
    std::vector<ColumnGroup> groups = {{.cols = 4}, {.cols = 1}, {.cols = 19}};
    ColumnGroup::pack(groups);
    return groups;
  }
  static double distance(const std::vector<float>& x, const ColumnGroup& g, int64_t i, int64_t j) {
    double sum = 0;
    for (int32_t c = g.begin; c < g.begin + g.cols; ++c) {
      const double t = double(x[static_cast<size_t>(i * kCols + c)]) -
                       double(x[static_cast<size_t>(j * kCols + c)]);
      sum += t * t;
    }
    return std::sqrt(sum);
  }
  /// Rows of which every seventh repeats the first.
  static std::vector<float> rows_of(int64_t n) {
    auto x = testing::uniform<float>(n * kCols, 1);
    for (int64_t i = 7; i < n; i += 7) std::copy_n(x.begin(), kCols, x.begin() + i * kCols);
    return x;
  }
  /// Rows of `classes` kinds, in no order.
  static std::vector<float> repeated(int64_t n, int64_t classes) {
    const auto kinds = testing::uniform<float>(classes * kCols, 1);
    std::vector<float> x(static_cast<size_t>(n * kCols));
    for (int64_t i = 0; i < n; ++i)
      std::copy_n(kinds.begin() + i * 7919 % classes * kCols, kCols, x.begin() + i * kCols);
    return x;
  }

  void expect_distances(const std::vector<float>& x, int64_t n) {
    const GroupTable<ColumnGroup> table(groups_, device());
    Guarded<float> x_in(x, n, kCols, device());
    auto out = Guarded<float>::out(n, n, device());
    run([&](auto& context) {
      mean_distances(context,
                     {.groups = table.view(), .x = x_in.matrix_view(), .distances = out.matrix()});
    });
    const std::vector<float> found = out.values();
    std::vector<double> expected;
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < n; ++j) {
        double sum = 0;
        for (const ColumnGroup& g : groups_) sum += distance(x, g, i, j);
        expected.push_back(sum / double(groups_.size()));
        EXPECT_EQ(found[static_cast<size_t>(i * n + j)], found[static_cast<size_t>(j * n + i)]);
      }
    testing::expect_near(found, expected, 16 * kUlp);
    for (int64_t i = 0; i < n; ++i) EXPECT_EQ(found[static_cast<size_t>(i * n + i)], 0.0f);
  }

  void expect_gradient(const std::vector<float>& x, int64_t n, float beta) {
    const GroupTable<ColumnGroup> table(groups_, device());
    const auto old = testing::uniform<float>(n * kCols, 3);
    auto dd = testing::uniform<float>(n * n, 2);
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < i; ++j)
        dd[static_cast<size_t>(i * n + j)] = dd[static_cast<size_t>(j * n + i)];
    Guarded<float> x_in(x, n, kCols, device()), dd_in(dd, n, n, device()),
        dx(old, n, kCols, device());
    run([&](auto& context) {
      mean_distances_grad(context, {.groups = table.view(),
                                    .x = x_in.matrix_view(),
                                    .dd = dd_in.matrix_view(),
                                    .dx = dx.matrix(),
                                    .beta = beta});
    });
    std::vector<double> expected;
    for (int64_t i = 0; i < n; ++i)
      for (const ColumnGroup& g : groups_)
        for (int32_t c = g.begin; c < g.begin + g.cols; ++c) {
          double sum = double(beta) * double(old[static_cast<size_t>(i * kCols + c)]);
          for (int64_t j = 0; j < n; ++j)
            if (const double dist = distance(x, g, i, j); dist > 0)
              sum += 2 * double(dd[static_cast<size_t>(i * n + j)]) *
                     (double(x[static_cast<size_t>(i * kCols + c)]) -
                      double(x[static_cast<size_t>(j * kCols + c)])) /
                     (double(groups_.size()) * dist);
          expected.push_back(sum);
        }
    // Sums of n terms of size 1.
    testing::expect_near(dx.values(), expected, 64 * kUlp, 4 * std::max(1.0, double(n) / 50));
  }

  static constexpr int64_t kCols = 24;
  std::vector<ColumnGroup> groups_ = make_groups();
};
TESSERA_FOR_EACH_BACKEND(DistancesTest);

TEST_P(DistancesTest, MeansOverGroupsOfEuclideanDistances) {
  for (const int64_t n : {1, 2, 15, 16, 17, 50, 131}) expect_distances(rows_of(n), n);
}

TEST_P(DistancesTest, RowsThatRepeatHaveTheSameDistances) {
  for (const int64_t classes : {1, 5, 12, 40}) expect_distances(repeated(100, classes), 100);
}

TEST_P(DistancesTest, GradientPullsAlongTheDifferences) {
  for (const int64_t n : {1, 2, 15, 17, 50, 131})
    for (const float beta : {0.0f, 1.0f}) expect_gradient(rows_of(n), n, beta);
}

// More rows than are added up at a time, and more classes than are looked at together.
TEST_P(DistancesTest, RowsThatRepeatArePulledTheSame) {
  for (const int64_t classes : {1, 5, 40}) expect_gradient(repeated(100, classes), 100, 1);
  expect_gradient(repeated(700, 300), 700, 0);
}

TEST_P(DistancesTest, CorrelationAndItsGradients) {
  for (const int64_t n : {2, 31, 4097, 70001}) {
    const auto a = testing::uniform<float>(n, 1, 3, 5), noise = testing::uniform<float>(n, 2);
    std::vector<float> b(a.size());
    for (size_t i = 0; i < b.size(); ++i) b[i] = 0.5f * a[i] + noise[i];
    const auto old = testing::uniform<float>(n, 3);
    Guarded<float> a_in(a, device()), b_in(b, device()), dr({-0.7f}, device()), da(old, device()),
        db(old, device());
    auto moments = Guarded<double>::out(5, device());
    auto r = Guarded<float>::out(1, device());
    run([&](auto& context) {
      vector_correlation(
          context,
          {.a = a_in.view(), .b = b_in.view(), .moments = moments.vector(), .r = r.vector()});
      vector_correlation_grad(context, {.a = a_in.view(),
                                        .b = b_in.view(),
                                        .moments = moments.view(),
                                        .dr = dr.view(),
                                        .da = da.vector(),
                                        .db = db.vector(),
                                        .beta_a = 0,
                                        .beta_b = 1});
    });
    double mean_a = 0, mean_b = 0, aa = 0, bb = 0, ab = 0;
    for (size_t i = 0; i < a.size(); ++i) mean_a += a[i] / double(n), mean_b += b[i] / double(n);
    for (size_t i = 0; i < a.size(); ++i) {
      const double x = a[i] - mean_a, y = b[i] - mean_b;
      aa += x * x, bb += y * y, ab += x * y;
    }
    const double s = std::sqrt(aa * bb) + 1e-8;
    testing::expect_near(r.values(), {ab / s}, kUlp);
    std::vector<double> expected_a, expected_b;
    for (size_t i = 0; i < a.size(); ++i) {
      const double x = a[i] - mean_a, y = b[i] - mean_b;
      expected_a.push_back(-0.7 * (y / s - ab * std::sqrt(bb / aa) * x / (s * s)));
      expected_b.push_back(old[i] - 0.7 * (x / s - ab * std::sqrt(aa / bb) * y / (s * s)));
    }
    testing::expect_near(da.values(), expected_a, 4 * kUlp, 0.01);
    testing::expect_near(db.values(), expected_b, 4 * kUlp);
  }
}

// A constant has no direction: r is 0 and pulls nothing but the other along it.
TEST_P(DistancesTest, CorrelationOfAConstantIsZero) {
  Guarded<float> a({1, 2, 3}, device()), b({5, 5, 5}, device()), dr({1}, device());
  auto moments = Guarded<double>::out(5, device());
  auto r = Guarded<float>::out(1, device()), da = Guarded<float>::out(3, device()),
       db = Guarded<float>::out(3, device());
  run([&](auto& context) {
    vector_correlation(context, {a.view(), b.view(), moments.vector(), r.vector()});
    vector_correlation_grad(
        context, {a.view(), b.view(), moments.view(), dr.view(), da.vector(), db.vector()});
  });
  EXPECT_EQ(r.values()[0], 0.0f);
  for (const float value : da.values()) EXPECT_EQ(value, 0.0f);
  for (const float value : db.values()) EXPECT_TRUE(std::isfinite(value));
}

}  // namespace
}  // namespace tessera::kernels
