
#include "kernels/vq_groups.h"
#include "tessera/kernels/vq_update.h"
#include "testing/determinism.h"
#include "testing/numbers.h"

namespace tessera::kernels {
namespace {

using testing::kNan;

// The formula itself is checked in double in ops/quantize_f64_test.cpp.
class VqRotationGradTest : public VqGroupsTest {
 protected:
  std::vector<float> run(int64_t rows, const std::vector<float>& e, const std::vector<float>& q,
                         const std::vector<float>& dy, float beta = 0, float old = kNan) {
    const auto latents = upload(e), quantized = upload(q), upstream = upload(dy);
    auto out = upload(std::vector<float>(e.size(), old));
    on_device(device(), [&](auto& context) {
      vq_rotation_grad(context, {.groups = table_->view(),
                                 .latents = rows_of(latents.data(), rows),
                                 .quantized = rows_of(quantized.data(), rows),
                                 .dy = rows_of(upstream.data(), rows),
                                 .dlatents = rows_of(out.data(), rows),
                                 .beta = beta});
    });
    return out.to_host();
  }
  std::vector<float> dy_ = testing::uniform<float>(kColumns, 3);
};
TESSERA_FOR_EACH_BACKEND(VqRotationGradTest);

TEST_P(VqRotationGradTest, ALatentOnItsCodePassesTheGradientUnchanged) {
  const auto e = testing::uniform<float>(kColumns, 1);
  const std::vector<double> expected(dy_.begin(), dy_.end());
  testing::expect_close(run(1, e, e, dy_), expected, 2e-7);
}

TEST_P(VqRotationGradTest, ALongerCodeScalesTheGradient) {
  const auto e = testing::uniform<float>(kColumns, 1);
  std::vector<float> q = e;
  for (float& value : q) value *= 4;
  std::vector<double> expected;
  for (const float g : dy_) expected.push_back(4.0 * g);
  testing::expect_close(run(1, e, q, dy_), expected, 3e-7);
}

TEST_P(VqRotationGradTest, AQuarterTurnTurnsTheGradientBack) {
  // In the plane of the first two of three columns: e = x, q = 2 y, so R x = y, R y = -x.
  std::vector<float> e(kColumns, 1.0f), q(kColumns, 1.0f), dy(kColumns, 0.0f);
  std::copy_n(std::begin({3.0f, 0.0f, 0.0f}), 3, e.begin());
  std::copy_n(std::begin({0.0f, 6.0f, 0.0f}), 3, q.begin());
  std::copy_n(std::begin({1.0f, 10.0f, 100.0f}), 3, dy.begin());
  const auto de = run(1, e, q, dy);
  EXPECT_NEAR(de[0], 20, 1e-5);  // 2 R^T (1, 10, 100) = 2 (10, -1, 100)
  EXPECT_NEAR(de[1], -2, 1e-5);
  EXPECT_NEAR(de[2], 200, 1e-4);
}

TEST_P(VqRotationGradTest, PassesTheGradientUnchangedWhereThereIsNoRotation) {
  const auto row = testing::uniform<float>(kColumns, 1);
  const std::vector<float> zero(kColumns, 0.0f);
  std::vector<float> opposite = row, tiny = row;
  for (float& value : opposite) value *= -2;
  for (float& value : tiny) value *= 1e-20f;
  EXPECT_EQ(run(1, zero, row, dy_), dy_);
  EXPECT_EQ(run(1, row, zero, dy_), dy_);
  EXPECT_EQ(run(1, zero, zero, dy_), dy_);
  EXPECT_EQ(run(1, row, opposite, dy_), dy_);
  EXPECT_EQ(run(1, row, tiny, dy_), dy_);
  EXPECT_EQ(run(1, tiny, row, dy_), dy_);
}

TEST_P(VqRotationGradTest, KeepsTheLengthUpToTheRatio) {
  constexpr int64_t kRows = 40;
  const auto e = testing::uniform<float>(kRows * kColumns, 1),
             q = testing::uniform<float>(kRows * kColumns, 2),
             dy = testing::uniform<float>(kRows * kColumns, 3);
  const auto de = run(kRows, e, q, dy);
  for (size_t n = 0; n < kRows; ++n)
    for (const VqGroup& group : groups_) {
      const auto length = [&](const std::vector<float>& of) {
        double square = 0;
        for (int32_t d = 0; d < group.dim; ++d) {
          const double value = of[n * kColumns + static_cast<size_t>(group.latent_begin + d)];
          square += value * value;
        }
        return std::sqrt(square);
      };
      if (group.dim == 1) continue;  // opposite signs have no rotation
      const double expected = length(dy) * length(q) / length(e);
      EXPECT_NEAR(length(de), expected, 1e-6 * expected);
    }
}

TEST_P(VqRotationGradTest, AddsToWhatIsThereWithBeta) {
  const auto e = testing::uniform<float>(kColumns, 1), q = testing::uniform<float>(kColumns, 2);
  std::vector<double> expected;
  for (const float value : run(1, e, q, dy_)) expected.push_back(value + 5.0);
  testing::expect_close(run(1, e, q, dy_, 1, 5), expected, 2e-7);
}

TEST_P(VqRotationGradTest, NanComesOutAsNan) {
  const auto e = testing::uniform<float>(kColumns, 1), q = testing::uniform<float>(kColumns, 2);
  for (int operand = 0; operand < 3; ++operand) {
    std::vector<float> operands[] = {e, q, dy_};
    operands[operand][1] = kNan;  // of the first group, columns 0 to 2
    const auto de = run(1, operands[0], operands[1], operands[2]);
    EXPECT_TRUE(std::isnan(de[1])) << operand;
    EXPECT_FALSE(std::isnan(de[3])) << operand;
  }
}

TEST_P(VqRotationGradTest, CpuHasTheSameBitsForAnyThreadsAndInstructions) {
  if (device().type != DeviceType::Cpu) GTEST_SKIP() << "about the CPU";
  const auto e = testing::uniform<float>(200 * kColumns, 1),
             q = testing::uniform<float>(200 * kColumns, 2),
             dy = testing::uniform<float>(200 * kColumns, 3);
  testing::expect_same_bits_everywhere([&] { return run(200, e, q, dy, 1, 1); });
}

}  // namespace
}  // namespace tessera::kernels
