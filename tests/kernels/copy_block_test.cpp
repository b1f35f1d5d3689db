#include "tessera/kernels/copy_block.h"

#include "testing/backends.h"
#include "testing/determinism.h"
#include "testing/guarded.h"
#include "testing/numbers.h"

namespace tessera::kernels {
namespace {

using testing::Guarded;

class CopyBlockTest : public testing::BackendTest {
 protected:
  std::vector<float> copied(const std::vector<float>& x, const std::vector<float>& before,
                            int64_t rows, int64_t cols, float beta) {
    Guarded<float> x_in(x, rows, cols, device()), y(before, rows, cols, device());
    run([&](auto& context) {
      copy_block(context, {.x = x_in.matrix_view(), .y = y.matrix(), .beta = beta});
    });
    return y.values();
  }
  const std::vector<std::pair<int64_t, int64_t>> shapes_ = {
      {0, 5}, {3, 0}, {1, 1}, {5, 1}, {1, 37}, {33, 31}, {70, 257}, {3, 20000}};
};
TESSERA_FOR_EACH_BACKEND(CopyBlockTest);

TEST_P(CopyBlockTest, WithBetaZeroTheOldValuesAreNotRead) {
  for (const auto& [rows, cols] : shapes_) {
    const auto x = testing::uniform<float>(rows * cols, 1);
    testing::expect_same_bits(copied(x, testing::old_values(rows * cols, 0), rows, cols, 0), x);
  }
}

TEST_P(CopyBlockTest, AddsToBetaTimesTheOldValues) {
  for (const auto& [rows, cols] : shapes_)
    for (const float beta : {1.0f, -0.5f}) {
      const auto x = testing::uniform<float>(rows * cols, 1);
      const auto before = testing::old_values(rows * cols, beta);
      std::vector<float> expected;
      for (size_t e = 0; e < x.size(); ++e) expected.push_back(x[e] + beta * before[e]);
      testing::expect_same_bits(copied(x, before, rows, cols, beta), expected);
    }
}

TEST_P(CopyBlockTest, BlocksOfOneMatrixStandSideBySide) {
  const auto left = testing::uniform<float>(7 * 3, 1), right = testing::uniform<float>(7 * 4, 2);
  Guarded<float> left_in(left, 7, 3, device()), right_in(right, 7, 4, device()),
      all = Guarded<float>::out(7, 7, device());
  const MatrixView<real> whole = all.matrix();
  run([&](auto& context) {
    copy_block(context, {.x = left_in.matrix_view(), .y = {whole.data, 7, 3, whole.ld}});
    copy_block(context, {.x = right_in.matrix_view(), .y = {whole.data + 3, 7, 4, whole.ld}});
  });
  std::vector<float> expected;
  for (size_t r = 0; r < 7; ++r) {
    expected.insert(expected.end(), left.begin() + 3 * r, left.begin() + 3 * r + 3);
    expected.insert(expected.end(), right.begin() + 4 * r, right.begin() + 4 * r + 4);
  }
  testing::expect_same_bits(all.values(), expected);
}

TEST(CopyBlockThreadsTest, AnyNumberOfThreadsGivesTheSameBits) {
  const int64_t rows = 131, cols = 300;
  const auto x = testing::uniform<float>(rows * cols, 1);
  testing::expect_same_bits_everywhere([&] {
    Guarded<float> x_in(x, rows, cols, {}), y(x, rows, cols, {});
    on_device({}, [&](auto& context) {
      copy_block(context, {.x = x_in.matrix_view(), .y = y.matrix(), .beta = 0.3f});
    });
    return y.values();
  });
}

}  // namespace
}  // namespace tessera::kernels
