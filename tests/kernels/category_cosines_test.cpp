#include "tessera/kernels/category_cosines.h"

#include <cmath>

#include "testing/backends.h"
#include "testing/guarded.h"
#include "testing/numbers.h"

namespace tessera::kernels {
namespace {

using testing::Guarded;

using testing::kUlp;

class CategoryCosinesTest : public testing::BackendTest {
 protected:
  /// Products of random columns [3 K]; `zero` is the number of a column of zeros, if any.
  static std::vector<float> products(int64_t count, int64_t zero = -1) {
    auto s = testing::uniform<float>(3 * count, 1);
    std::vector<float> g(size_t(count * count));
    for (int64_t r = 0; r < 3 && zero >= 0; ++r) s[size_t(r * count + zero)] = 0;
    for (int64_t k = 0; k < count; ++k)
      for (int64_t j = 0; j < count; ++j)
        for (int64_t r = 0; r < 3; ++r)
          g[size_t(k * count + j)] += s[size_t(r * count + k)] * s[size_t(r * count + j)];
    return g;
  }
  static double inverse(const std::vector<float>& g, int64_t count, int64_t k, int64_t j) {
    const double square = double(g[size_t(k * count + k)]) * double(g[size_t(j * count + j)]);
    return square > 0 ? 1 / std::sqrt(square) : 0;
  }
  const std::vector<int64_t> counts_ = {1, 2, 5, 33, 70};
};
TESSERA_FOR_EACH_BACKEND(CategoryCosinesTest);

TEST_P(CategoryCosinesTest, LossIsTheMeanSizeOverPairs) {
  for (const int64_t count : counts_) {
    const std::vector<float> g = products(count, count > 2 ? 1 : -1);
    Guarded<float> g_in(g, count, count, device());
    auto loss = Guarded<float>::out(1, device());
    run([&](auto& context) {
      category_cosines(context, {.products = g_in.matrix_view(), .loss = loss.vector()});
    });
    double sum = 0, pairs = 0;
    for (int64_t k = 0; k < count; ++k)
      for (int64_t j = 0; j < k; ++j, ++pairs)
        sum += std::abs(double(g[size_t(k * count + j)])) * inverse(g, count, k, j);
    testing::expect_near(loss.values(), {pairs > 0 ? sum / pairs : 0}, kUlp);
  }
}

TEST_P(CategoryCosinesTest, CoefficientsAreThoseOfTheGradient) {
  for (const int64_t count : counts_) {
    const std::vector<float> g = products(count, count > 2 ? 1 : -1);
    Guarded<float> g_in(g, count, count, device()), dloss({1.5f}, device());
    auto c = Guarded<float>::out(count, count, device());
    run([&](auto& context) {
      category_cosines_grad(
          context,
          {.products = g_in.matrix_view(), .dloss = dloss.view(), .coefficients = c.matrix()});
    });
    const double scale = count > 1 ? 1.5 * 2 / (double(count) * double(count - 1)) : 0;
    std::vector<double> expected(g.size());
    for (int64_t k = 0; k < count; ++k)
      for (int64_t j = 0; j < count; ++j) {
        const double product = double(g[size_t(k * count + j)]), by = inverse(g, count, k, j);
        if (j == k) continue;
        expected[size_t(k * count + j)] = scale * (product > 0 ? 1 : product < 0 ? -1 : 0) * by;
        expected[size_t(k * count + k)] -= scale * std::abs(product) * by * inverse(g, count, k, k);
      }
    testing::expect_near(c.values(), expected, kUlp);
  }
}

}  // namespace
}  // namespace tessera::kernels
