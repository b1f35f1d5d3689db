#include "tessera/kernels/losses.h"


#include "tessera/tensor.h"
#include "testing/backends.h"
#include "testing/determinism.h"
#include "testing/numbers.h"

namespace tessera::kernels {
namespace {

using testing::kNan;

class MeanSquaredErrorKernelTest : public testing::BackendTest {
 protected:
  Tensor upload(const std::vector<float>& values) {
    return Tensor::from_host(1, static_cast<int64_t>(values.size()), values, device());
  }
  float loss(const std::vector<float>& p, const std::vector<float>& t) {
    const Tensor a = upload(p), b = upload(t);
    Tensor out = upload({kNan});
    on_device(device(), [&](auto& context) {
      mean_squared_error(context, {.p = a.flat(), .t = b.flat(), .loss = out.mutable_flat()});
    });
    return out.to_host()[0];
  }
};
TESSERA_FOR_EACH_BACKEND(MeanSquaredErrorKernelTest);

TEST_P(MeanSquaredErrorKernelTest, MatchesItsFormulaToOneRounding) {
  for (const int64_t n : {1, 15, 16, 17, 1000, 65536, 65537, 200003}) {
    const auto p = testing::uniform<float>(n, 1, 9, 11), t = testing::uniform<float>(n, 2, 9, 11);
    double sum = 0;
    for (size_t i = 0; i < p.size(); ++i) sum += (double(p[i]) - t[i]) * (double(p[i]) - t[i]);
    EXPECT_NEAR(loss(p, t), sum / double(n), 6e-8 * sum / double(n)) << n;  // 2^-24
  }
}

TEST_P(MeanSquaredErrorKernelTest, OfNothingIsZero) { EXPECT_EQ(loss({}, {}), 0.0f); }

TEST_P(MeanSquaredErrorKernelTest, NanComesOutAsNan) {
  EXPECT_TRUE(std::isnan(loss({1, kNan, 2}, {1, 1, 2})));
}

TEST_P(MeanSquaredErrorKernelTest, GradientMatchesItsFormula) {
  constexpr int64_t kCount = 33003;
  const auto p = testing::uniform<float>(kCount, 1), t = testing::uniform<float>(kCount, 2),
             old = testing::uniform<float>(kCount, 3);
  for (const float beta : {0.0f, 1.0f}) {
    const Tensor a = upload(p), b = upload(t), upstream = upload({1000.0f});
    Tensor dp = upload(beta == 0 ? std::vector<float>(old.size(), kNan) : old);
    on_device(device(), [&](auto& context) {
      mean_squared_error_grad(context, {.p = a.flat(),
                                        .t = b.flat(),
                                        .dloss = upstream.flat(),
                                        .dp = dp.mutable_flat(),
                                        .beta = beta});
    });
    std::vector<double> expected;
    for (size_t i = 0; i < p.size(); ++i)
      expected.push_back((beta == 0 ? 0 : old[i]) + 2000.0 / kCount * (double(p[i]) - t[i]));
    testing::expect_close(dp.to_host(), expected, 2.5e-7);  // four roundings of 2^-24
  }
}

TEST(MeanSquaredErrorCpuTest, HasTheSameBitsForAnyThreadsAndInstructions) {
  constexpr int64_t kCount = 200003;
  const auto p = testing::uniform<float>(kCount, 1), t = testing::uniform<float>(kCount, 2);
  testing::expect_same_bits_everywhere([&] {
    std::vector<float> out(1 + kCount, 1.0f);
    mean_squared_error(cpu_context(),
                       {.p = {p.data(), kCount}, .t = {t.data(), kCount}, .loss = {out.data(), 1}});
    mean_squared_error_grad(cpu_context(), {.p = {p.data(), kCount},
                                            .t = {t.data(), kCount},
                                            .dloss = {out.data(), 1},
                                            .dp = {out.data() + 1, kCount},
                                            .beta = 1});
    return out;
  });
}

}  // namespace
}  // namespace tessera::kernels
