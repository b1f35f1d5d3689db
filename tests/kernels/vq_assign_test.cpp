#include <algorithm>

#include "kernels/vq_assign_cases.h"
#include "testing/backends.h"
#include "testing/numbers.h"

namespace tessera {
namespace {

using kernels::VqGroup;
using testing::VqCase;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
using testing::kNan;

class VqAssignTest : public testing::BackendTest {};
TESSERA_FOR_EACH_BACKEND(VqAssignTest);

TEST_P(VqAssignTest, CodesAreThoseOfTheDefinition) {
  for (const int64_t rows : {0, 1, 31, 32, 33, 65})
    for (const int32_t codes : {1, 2, 31, 32, 33, 512})
      for (const int32_t dim : {1, 3, 4, 31, 32, 33}) VqCase(rows, codes, dim).check(device());
  for (const int32_t dim : {64, 100, 784}) VqCase(33, 130, dim).check(device());
}

TEST_P(VqAssignTest, LargeCodebooksAreSearchedWhole) {
  for (const int32_t codes : {1023, 1024, 1056, 1057, 2500, 5000})
    VqCase(37, codes, 3).check(device());
}

// Beyond what the bound of the CPU's float search is proven for; that of CUDA is proven further than
// an emulated thread gets in good time.
TEST_P(VqAssignTest, HugeDimensionsAreExactToo) {
  VqCase(2, 3, device().type == DeviceType::Cpu ? 70'000 : 3'000).check(device());
}

TEST_P(VqAssignTest, GroupsOfUnequalSizesShareALaunch) {
  VqCase({{1, 1}, {5, 33}, {64, 2}, {33, 64}, {2, 600}, {17, 5}, {4, 1100}}, 530).check(device());
}

// On a coarse grid exact ties are frequent: the lowest code wins.
TEST_P(VqAssignTest, TieGoesToLowestCode) {
  for (const int32_t codes : {2, 40, 512, 1200}) {
    VqCase one(100, codes, 3);
    for (float& v : one.latents) v = std::round(v * 2) / 2;
    for (float& v : one.codebooks) v = std::round(v * 2) / 2;
    one.check(device());
  }
}

TEST_P(VqAssignTest, DuplicatesOfEveryCodeChangeNothing) {
  VqCase one(70, 300, 20);
  for (int64_t k = 0; k < 150; ++k) std::copy_n(one.code(k), 20, one.code(299 - k));
  one.check(device());
  VqCase same(40, 1500, 7);
  for (int64_t k = 1; k < 1500; ++k) std::copy_n(same.code(0), 7, same.code(k));
  same.check(device());
}

// Between two codes float rounding decides wrongly in about half of the rows.
TEST_P(VqAssignTest, RowsHalfWayBetweenCodesAreExact) {
  VqCase one(400, 64, 24);
  for (int64_t n = 0; n < one.rows; ++n)
    for (int32_t d = 0; d < 24; ++d) {
      float middle = (one.code(n % 64)[d] + one.code((n * 7 + 1) % 64)[d]) / 2;
      if (d == n % 24) middle = std::nextafter(middle, n % 3 == 0 ? 10.0f : -10.0f);
      one.latent(n)[d] = middle;
    }
  one.check(device());
}

// The offset leaves three decimal digits of the differences, which decide.
TEST_P(VqAssignTest, LargeOffsetsAreExact) {
  for (const float spread : {1.0f, 0.01f, 0.002f}) {
    VqCase one(150, 200, 16);
    for (float& v : one.latents) v = 1e4f + spread * v;
    for (float& v : one.codebooks) v = 1e4f + spread * v;
    one.check(device());
  }
}

TEST_P(VqAssignTest, TinyDifferencesBetweenCodesAreExact) {
  VqCase one(200, 100, 40);
  for (int64_t k = 1; k < 100; ++k)
    for (int32_t d = 0; d < 40; ++d)
      one.code(k)[d] = one.code(0)[d] * (1 + static_cast<float>((k * 37 + d * 11) % 5) * 0x1p-23f);
  one.check(device());
}

TEST_P(VqAssignTest, HeavyTailedNormsAreExact) {
  VqCase one(120, 300, 12);
  for (int64_t k = 0; k < 300; ++k)
    for (int32_t d = 0; d < 12; ++d)
      one.code(k)[d] *= std::exp(0.05f * static_cast<float>(k % 290));
  for (int64_t n = 0; n < one.rows; ++n)
    for (int32_t d = 0; d < 12; ++d) one.latent(n)[d] *= std::exp(0.12f * static_cast<float>(n));
  one.check(device());
}

// Codes of a thousand times the norm, and rows on both sides of the border to them.
TEST_P(VqAssignTest, OutlierCodesAreExact) {
  VqCase one(400, 250, 9);
  for (const int64_t k : {3, 77, 249})
    for (int32_t d = 0; d < 9; ++d) one.code(k)[d] *= 1000;
  for (int64_t n = 0; n < one.rows; n += 2) {
    const float* outlier = one.code(n % 3 == 0 ? 3 : 77);
    const float share =
        n % 4 == 0 ? 0.5f + static_cast<float>(n - 200) * 1e-5f : static_cast<float>(n) / 200.0f;
    for (int32_t d = 0; d < 9; ++d) one.latent(n)[d] = share * outlier[d];
  }
  one.check(device());
}

TEST_P(VqAssignTest, NonFiniteRowsGetCodeZeroAndAreCounted) {
  VqCase one({{6, 50}, {3, 20}}, 90);
  one.latent(3)[2] = kNan;
  one.latent(40)[5] = kInfinity;
  one.latent(41)[0] = -kInfinity;
  one.latent(89, 1)[1] = kNan;
  one.check(device());
  EXPECT_EQ(one.run(device()).nonfinite, 4);
}

TEST_P(VqAssignTest, NonFiniteCodesAreNeverChosen) {
  for (const int32_t codes : {5, 600}) {
    VqCase one(60, codes, 4);
    one.code(0)[0] = kNan;
    one.code(2)[3] = kInfinity;
    one.code(codes - 1)[1] = -kInfinity;
    std::copy_n(one.code(1), 4, one.latent(7));
    one.check(device());
  }
}

// What lies behind the codebook in memory must not be taken for codes: here, the rows themselves.
TEST_P(VqAssignTest, WithoutAFiniteCodeAllRowsGetCodeZero) {
  VqCase one(20, 9, 3);
  one.codebooks.insert(one.codebooks.end(), one.latents.begin(), one.latents.end());
  for (int64_t k = 0; k < 9; ++k) one.code(k)[k % 3] = k % 2 == 0 ? kNan : kInfinity;
  one.check(device());
}

TEST_P(VqAssignTest, HugeValuesAreExact) {
  for (const float scale : {0x1p58f, 0x1p60f, 0x1p62f, 0x1p100f, 0x1p126f}) {
    VqCase rows(40, 30, 5), codes(40, 30, 5), both(40, 30, 5), one_code(40, 30, 5);
    for (float& v : rows.latents) v *= scale / 4;
    for (float& v : codes.codebooks) v *= scale / 4;
    for (float& v : both.latents) v *= scale / 4;
    both.codebooks = codes.codebooks;
    one_code.code(11)[2] = -scale;
    for (VqCase* one : {&rows, &codes, &both, &one_code}) one->check(device());
  }
}

TEST_P(VqAssignTest, DenormalsAreExact) {
  for (const float scale : {0x1p-60f, 0x1p-75f, 0x1p-100f, 0x1p-126f, 0x1p-140f, 0x1p-147f}) {
    VqCase one(80, 40, 6);
    for (float& v : one.latents) v *= scale;
    for (float& v : one.codebooks) v *= scale;
    one.check(device());
  }
}

TEST_P(VqAssignTest, BatchSplitsDoNotShow) {
  VqCase whole({{9, 100}, {4, 17}}, 77);
  const testing::Assigned all = whole.run(device());
  for (const int64_t cut : {1, 13, 32, 64}) {
    VqCase head = whole, tail = whole;
    head.rows = cut;
    tail.rows = whole.rows - cut;
    head.latents.resize(cut * whole.sizes.latents);
    tail.latents.erase(tail.latents.begin(), tail.latents.begin() + cut * whole.sizes.latents);
    std::vector<int32_t> codes = head.run(device()).codes;
    const std::vector<int32_t> rest = tail.run(device()).codes;
    codes.insert(codes.end(), rest.begin(), rest.end());
    testing::expect_same_bits(codes, all.codes);
  }
}

TEST_P(VqAssignTest, OptionalOutputsMayBeLeftOut) {
  VqCase one(50, 40, 5);
  one.latent(7)[0] = kNan;
  const GroupTable<VqGroup> table(one.groups, device());
  const auto latents = Buffer<float>::from_host(one.latents, device());
  const auto codebooks = Buffer<float>::from_host(one.codebooks, device());
  testing::GuardedMatrix<int32_t> codes(50, 1, -7, device());
  on_device(device(), [&](auto& context) {
    kernels::vq_assign(context, {.groups = table.view(),
                                 .latents = {latents.data(), 50, 5, 5},
                                 .codebooks = codebooks.view(),
                                 .codes = codes.view(),
                                 .quantized = {},
                                 .sq_dist = {},
                                 .nonfinite = {}});
  });
  testing::expect_same_bits(codes.read(), one.expected().codes);
}

TEST(VqAssignCpuTest, EveryInstructionSetAndThreadCountIsExact) {
  for (const int64_t target : testing::simd_targets())
    for (const int threads : {1, 2, 3}) {
      SCOPED_TRACE(::testing::Message()
                   << hwy::TargetName(target) << ", " << threads << " threads");
      const testing::ForcedSimdTarget forced(target);
      const testing::ForcedThreads forced_threads(threads);
      VqCase({{10, 70}, {1, 3}, {35, 40}}, 600).check();
      VqCase(40, 1100, 6).check();
      VqCase ties(90, 100, 2);
      for (float& v : ties.latents) v = std::round(v * 2) / 2;
      for (float& v : ties.codebooks) v = std::round(v * 2) / 2;
      ties.latents[13] = kNan;
      ties.codebooks[50] = kInfinity;
      ties.check();
    }
}

}  // namespace
}  // namespace tessera
