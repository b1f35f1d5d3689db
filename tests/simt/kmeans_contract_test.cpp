#include <cmath>

#include "tessera/kernels/kmeans.h"
#include "testing/backends.h"
#include "testing/guarded.h"

namespace tessera {
namespace {

using testing::Guarded;
using testing::random_values;

class KmeansContractTest : public testing::BackendTest {
 protected:
  // Draws `draws` centres and returns them.
  std::vector<float> draw(const std::vector<float>& rows, int64_t dim, int64_t draws,
                          uint64_t seed) {
    const int64_t count = static_cast<int64_t>(rows.size()) / dim;
    Guarded<float> x(rows, count, dim, device());
    auto centres = Guarded<float>::out(draws, dim, device());
    auto sq_dist = Guarded<float>::out(count, device());
    auto sums = Guarded<double>::out((count + 1023) / 1024, device());
    for (int64_t i = 0; i < draws; ++i)
      run([&](auto& context) {
        kernels::kmeans_draw(context, {.rows = x.matrix_view(),
                                       .sq_dist = sq_dist.vector(),
                                       .centres = centres.matrix(),
                                       .block_sums = sums.vector(),
                                       .draw = i,
                                       .seed = seed,
                                       .stream_step = 2});
      });
    sq_dist.values();
    sums.values();
    return centres.values();
  }
};
TESSERA_FOR_EACH_BACKEND(KmeansContractTest);

// Squared distances in float, running sums in binary64 over blocks of 1,024 rows. A different last
// bit of a distance moves a border between rows by 1e-7 of the total: no draw here is that close.
TEST_P(KmeansContractTest, DrawsFollowTheDefinition) {
  for (const auto& [count, dim] : std::vector<std::pair<int64_t, int64_t>>{
           {1, 3}, {17, 1}, {100, 16}, {1025, 17}, {3000, 5}}) {
    constexpr uint64_t kSeed = 11;
    const int64_t draws = std::min<int64_t>(count, 8);
    const std::vector<float> rows = random_values(count * dim, 1);
    const std::vector<float> centres = draw(rows, dim, draws, kSeed);
    std::vector<double> nearest(count, INFINITY);
    for (int64_t i = 0; i < draws; ++i) {
      const double u = double(kernels::random_uniform(kSeed, kernels::kStreamKmeans, 2, i));
      int64_t row = static_cast<int64_t>(u * static_cast<double>(count));
      if (i > 0) {
        double total = 0, running = 0;
        for (int64_t n = 0; n < count; ++n) {
          double dist = 0;
          for (int64_t d = 0; d < dim; ++d) {
            const double t = double(rows[n * dim + d]) - centres[(i - 1) * dim + d];
            dist += t * t;
          }
          nearest[n] = std::min(nearest[n], dist);
          total += nearest[n];
        }
        row = 0;
        while (row + 1 < count && !((running += nearest[row]) > u * total)) ++row;
      }
      for (int64_t d = 0; d < dim; ++d)
        ASSERT_EQ(centres[i * dim + d], rows[row * dim + d]) << "draw " << i << " of " << count;
    }
  }
}

TEST_P(KmeansContractTest, EqualRowsGiveTheFirstRowEveryTime) {
  const std::vector<float> centres = draw(std::vector<float>(50, 0.5f), 2, 3, 7);
  EXPECT_EQ(centres, std::vector<float>(6, 0.5f));
}

TEST_P(KmeansContractTest, CentresAreMeansAndEmptyOnesStay) {
  constexpr int64_t kSize = 70, kDim = 5;
  std::vector<float> counts, sums = random_values(kSize * kDim, 2);
  for (int64_t k = 0; k < kSize; ++k) counts.push_back(static_cast<float>(k % 4));
  const std::vector<float> old = random_values(kSize * kDim, 3);
  Guarded<float> n(counts, device()), s(sums, kSize, kDim, device());
  Guarded<float> centres(old, kSize, kDim, device());
  run([&](auto& context) {
    kernels::kmeans_centres(context, {n.view(), s.matrix_view(), centres.matrix()});
  });
  const std::vector<float> actual = centres.values();
  for (int64_t i = 0; i < kSize * kDim; ++i)
    EXPECT_EQ(actual[i], counts[i / kDim] > 0 ? sums[i] / counts[i / kDim] : old[i]);
}

}  // namespace
}  // namespace tessera
