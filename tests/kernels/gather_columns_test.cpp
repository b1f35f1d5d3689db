#include "tessera/kernels/gather_columns.h"

#include "testing/backends.h"
#include "testing/guarded.h"
#include "testing/numbers.h"

namespace tessera::kernels {
namespace {

using testing::Guarded;

/// Columns of 37: some twice, some never.
class GatherColumnsTest : public testing::BackendTest {
 protected:
  static constexpr int64_t kFrom = 37, kTaken = 50;
  const std::vector<int32_t> columns_ = testing::integers(kTaken, 1, 30);
  const std::vector<int64_t> rows_ = {0, 1, 16, 33};
};
TESSERA_FOR_EACH_BACKEND(GatherColumnsTest);

TEST_P(GatherColumnsTest, TakesTheColumnsInOrder) {
  for (const int64_t rows : rows_) {
    const auto x = testing::uniform<float>(rows * kFrom, 2);
    Guarded<float> x_in(x, rows, kFrom, device()), y = Guarded<float>::out(rows, kTaken, device());
    Guarded<int32_t> columns(columns_, device());
    run([&](auto& context) {
      gather_columns(context,
                     {.x = x_in.matrix_view(), .columns = columns.view(), .y = y.matrix()});
    });
    std::vector<float> expected;
    for (int64_t n = 0; n < rows; ++n)
      for (const int32_t c : columns_) expected.push_back(x[size_t(n * kFrom + c)]);
    testing::expect_same_bits(y.values(), expected);
  }
}

TEST_P(GatherColumnsTest, GradientAddsUpOverTheCopies) {
  std::vector<int32_t> first = {0}, places;
  for (int32_t i = 0; i < kFrom; ++i) {
    for (int32_t t = 0; t < kTaken; ++t)
      if (columns_[size_t(t)] == i) places.push_back(t);
    first.push_back(static_cast<int32_t>(places.size()));
  }
  for (const int64_t rows : rows_)
    for (const float beta : {0.0f, 1.0f}) {
      const auto dy = testing::uniform<float>(rows * kTaken, 3),
                 old = testing::old_values(rows * kFrom, beta);
      Guarded<float> dy_in(dy, rows, kTaken, device()), dx(old, rows, kFrom, device());
      Guarded<int32_t> first_in(first, device()), places_in(places, device());
      run([&](auto& context) {
        gather_columns_grad(context, {.dy = dy_in.matrix_view(),
                                      .first = first_in.view(),
                                      .places = places_in.view(),
                                      .dx = dx.matrix(),
                                      .beta = beta});
      });
      std::vector<float> sums(old.size()), expected;
      for (int64_t n = 0; n < rows; ++n)
        for (int64_t t = 0; t < kTaken; ++t)
          sums[size_t(n * kFrom + columns_[size_t(t)])] += dy[size_t(n * kTaken + t)];
      for (size_t e = 0; e < sums.size(); ++e)
        expected.push_back(beta == 0 ? sums[e] : old[e] + sums[e]);
      testing::expect_same_bits(dx.values(), expected);
    }
}

}  // namespace
}  // namespace tessera::kernels
