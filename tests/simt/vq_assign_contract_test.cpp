#include <cmath>
#include <limits>

#include "tessera/group_table.h"
#include "tessera/kernels/vq_assign.h"
#include "testing/backends.h"
#include "testing/guarded.h"

namespace tessera {
namespace {

using kernels::VqGroup;
using testing::Guarded;
using testing::random_values;

constexpr float kInf = std::numeric_limits<float>::infinity();

/// The contract, word for word.
double distance(const float* z, const float* e, int32_t dim) {
  double sum = 0;
  for (int32_t d = 0; d < dim; ++d)
    sum = std::fma(double(z[d]) - double(e[d]), double(z[d]) - double(e[d]), sum);
  return sum;
}
bool finite(const float* x, int32_t dim) {
  for (int32_t d = 0; d < dim; ++d)
    if (!std::isfinite(x[d])) return false;
  return true;
}
int32_t nearest(const float* z, const float* codebook, int32_t size, int32_t dim) {
  int32_t best = 0;
  double best_dist = INFINITY;
  for (int32_t k = 0; k < size && finite(z, dim); ++k) {
    const float* e = codebook + int64_t{k} * dim;
    if (!finite(e, dim) || !(distance(z, e, dim) < best_dist)) continue;
    best = k;
    best_dist = distance(z, e, dim);
  }
  return best;
}

class VqAssignContractTest : public testing::BackendTest {
 protected:
  // Runs the kernel and compares all outputs with the contract, bit for bit.
  void check(std::vector<VqGroup> groups, int64_t rows, const std::vector<float>& latents,
             const std::vector<float>& codebooks) {
    const GroupTable<VqGroup> table(groups, device());
    const int64_t count = table.size();
    const int64_t cols = static_cast<int64_t>(latents.size()) / std::max<int64_t>(1, rows);
    Guarded<float> z(latents, rows, cols, device()), e(codebooks, device());
    auto codes = Guarded<int32_t>::out(rows, count, device());
    auto quantized = Guarded<float>::out(rows, cols, device());
    auto sq_dist = Guarded<float>::out(rows, count, device());
    Guarded<int32_t> bad(std::vector<int32_t>{5}, device());
    run([&](auto& context) {
      const int64_t before = context.launches();
      kernels::vq_assign(context, {.groups = table.view(),
                                   .latents = z.matrix_view(),
                                   .codebooks = e.view(),
                                   .codes = codes.matrix(),
                                   .quantized = quantized.matrix(),
                                   .sq_dist = sq_dist.matrix(),
                                   .nonfinite = bad.vector()});
      EXPECT_LE(context.launches() - before, 1);
    });
    const std::vector<int32_t> codes_out = codes.values();
    const std::vector<float> rows_out = quantized.values(), dist_out = sq_dist.values();
    int32_t expected_bad = 5;
    for (int64_t n = 0; n < rows; ++n)
      for (int64_t g = 0; g < count; ++g) {
        const VqGroup& group = groups[g];
        const float* row = &latents[n * cols + group.latent_begin];
        const float* book = &codebooks[group.codebook_begin];
        const int32_t k = nearest(row, book, group.codebook_size, group.dim);
        ASSERT_EQ(codes_out[n * count + g], k) << "row " << n << " group " << g << " of "
                                               << group.codebook_size << " codes x " << group.dim;
        const float* code = book + int64_t{k} * group.dim;
        for (int32_t d = 0; d < group.dim; ++d)
          ASSERT_TRUE(rows_out[n * cols + group.latent_begin + d] == code[d] || code[d] != code[d]);
        expected_bad += finite(row, group.dim) ? 0 : 1;
        const float dist = static_cast<float>(distance(row, code, group.dim));
        ASSERT_TRUE(dist_out[n * count + g] == dist || dist != dist);
      }
    EXPECT_EQ(bad.values(), std::vector{expected_bad});
  }

  static std::vector<float> on_grid(int64_t count, unsigned seed) {
    std::mt19937 generator(seed);
    std::vector<float> values(static_cast<size_t>(count));
    for (float& v : values) v = 0.5f * static_cast<float>(static_cast<int>(generator() % 5) - 2);
    return values;
  }
};
TESSERA_FOR_EACH_BACKEND(VqAssignContractTest);

// Values on a coarse grid: exact ties between codes are frequent, and go to the lowest.
TEST_P(VqAssignContractTest, TiesGoToTheLowestCodeAtEveryShape) {
  constexpr std::pair<int32_t, int32_t> kBooks[] = {{1, 1},   {3, 31},  {15, 63}, {16, 64},
                                                    {17, 65}, {33, 70}, {1, 130}, {32, 2}};
  for (const int64_t rows : {0, 1, 31, 33, 63, 64, 65, 130})
    for (const auto& [dim, size] : kBooks) {
      std::vector<VqGroup> group = {{dim, size}};
      const int64_t floats = VqGroup::pack(group).codebooks;
      check(group, rows, on_grid(rows * dim, 1), on_grid(floats, 2));
    }
}

TEST_P(VqAssignContractTest, GroupsOfDifferentSizesRunAsOneLaunch) {
  std::vector<VqGroup> groups = {{1, 1}, {5, 33}, {33, 64}, {2, 200}, {64, 17}};
  const VqGroup::Sizes sizes = VqGroup::pack(groups);
  for (const int64_t rows : {1, 64, 129})
    check(groups, rows, random_values(rows * sizes.latents, 3), random_values(sizes.codebooks, 4));
}

// Codes one float step apart along one axis, latents between them: float distances are equal or
// even reversed; only binary64 tells them apart.
TEST_P(VqAssignContractTest, DecidesWhatFloatCannot) {
  constexpr int32_t kDim = 24, kCodes = 96;
  std::vector<VqGroup> group = {{kDim, kCodes}};
  VqGroup::pack(group);
  std::vector<float> codebook(kDim * kCodes, 1.0f);
  for (int32_t k = 0; k < kCodes; ++k) {
    float& first = codebook[k * kDim + k % kDim];
    for (int step = 0; step < (k * 37) % 11; ++step) first = std::nextafter(first, 2.0f);
  }
  std::vector<float> latents = random_values(65 * kDim, 5, 0.25f);
  for (int32_t d = 0; d < kDim; ++d) latents[d] = 1.0f;
  check(group, 65, latents, codebook);
}

// Two codes for each row, at distances that differ in the order of their terms alone: the float sums
// of about half the rows are the wrong way round.
TEST_P(VqAssignContractTest, DecidesWhatTheOrderOfFloatSumsReverses) {
  constexpr int32_t kDim = 24, kRows = 70;
  std::vector<VqGroup> group = {{kDim, 2 * kRows}};
  VqGroup::pack(group);
  const std::vector<float> latents = random_values(kRows * kDim, 17, 3);
  const std::vector<float> offsets = random_values(kRows * kDim, 18, 0.5f);
  std::vector<float> codebook(2 * kRows * kDim);
  for (int32_t n = 0; n < kRows; ++n)
    for (int32_t d = 0; d < kDim; ++d) {
      const int32_t i = n * kDim + d, reversed = n * kDim + kDim - 1 - d;
      codebook[i] = latents[i] + offsets[i];
      codebook[kRows * kDim + i] = latents[i] + offsets[reversed];
    }
  check(group, kRows, latents, codebook);
}

// A cluster of spread 1 at distance 1000 from the origin: |z|^2 - 2 z e + |e|^2 has no digit left.
TEST_P(VqAssignContractTest, FarFromTheOrigin) {
  std::vector<VqGroup> group = {{8, 100}};
  VqGroup::pack(group);
  std::vector<float> latents = random_values(100 * 8, 6), codebook = random_values(100 * 8, 7);
  for (float& v : latents) v += 1000;
  for (float& v : codebook) v += 1000;
  check(group, 100, latents, codebook);
}

TEST_P(VqAssignContractTest, EqualCodesEverywhereGiveCodeZero) {
  std::vector<VqGroup> group = {{4, 70}};
  VqGroup::pack(group);
  check(group, 66, random_values(66 * 4, 8), std::vector<float>(4 * 70, 0.25f));
}

// Squares that overflow or vanish in float have their place in binary64.
TEST_P(VqAssignContractTest, HugeAndTinyValues) {
  std::vector<VqGroup> group = {{3, 67}};
  VqGroup::pack(group);
  for (const float scale : {3e37f, 1e25f, 1e19f, 1e-20f, 1e-22f, 3e-23f, 1e-25f, 1e-44f})
    check(group, 65, random_values(65 * 3, 9, scale), random_values(67 * 3 + 3, 10, scale));
}

// Squares of 0.49 and 0.51 times the least float round to 0 and to 1 of it, so the float sum of three
// of the former is less than that of one of the latter.
TEST_P(VqAssignContractTest, SquaresBelowTheLeastFloatCountInBinary64) {
  std::vector<VqGroup> group = {{3, 2}};
  VqGroup::pack(group);
  const auto root = [](double part) { return static_cast<float>(std::sqrt(part * 0x1p-149)); };
  const float low = root(0.49), high = root(0.51);
  check(group, 1, {0, 0, 0}, {low, low, low, high, 0, 0});
}

TEST_P(VqAssignContractTest, RowsThatAreNotFiniteGetCodeZeroAndAreCounted) {
  std::vector<VqGroup> groups = {{5, 40}, {3, 12}};
  const VqGroup::Sizes sizes = VqGroup::pack(groups);
  std::vector<float> latents = random_values(70 * sizes.latents, 11);
  latents[3] = NAN;
  latents[9 * sizes.latents + 6] = kInf;
  latents[69 * sizes.latents] = -kInf;
  latents[69 * sizes.latents + 7] = NAN;
  check(groups, 70, latents, random_values(sizes.codebooks, 12));
}

TEST_P(VqAssignContractTest, CodesThatAreNotFiniteAreNeverChosen) {
  std::vector<VqGroup> groups = {{5, 40}, {3, 2}};
  const VqGroup::Sizes sizes = VqGroup::pack(groups);
  std::vector<float> codebooks = random_values(sizes.codebooks, 13);
  for (const int64_t k : {0, 7, 39}) codebooks[k * 5 + k % 5] = k == 7 ? kInf : NAN;
  for (int64_t k = 0; k < 2; ++k) codebooks[groups[1].codebook_begin + k * 3] = NAN;  // all of them
  check(groups, 33, random_values(33 * sizes.latents, 14), codebooks);
}

TEST_P(VqAssignContractTest, NullOutputsAreNotWritten) {
  std::vector<VqGroup> group = {{6, 20}};
  VqGroup::pack(group);
  const GroupTable<VqGroup> table(group, device());
  const std::vector<float> latents = random_values(40 * 6, 15), codebook = random_values(120, 16);
  Guarded<float> z(latents, 40, 6, device()), e(codebook, device());
  auto codes = Guarded<int32_t>::out(40, 1, device());
  run([&](auto& context) {
    kernels::vq_assign(context, {.groups = table.view(),
                                 .latents = z.matrix_view(),
                                 .codebooks = e.view(),
                                 .codes = codes.matrix(),
                                 .quantized = {},
                                 .sq_dist = {},
                                 .nonfinite = {}});
  });
  const std::vector<int32_t> actual = codes.values();
  for (int64_t n = 0; n < 40; ++n)
    EXPECT_EQ(actual[n], nearest(&latents[n * 6], codebook.data(), 20, 6));
}

}  // namespace
}  // namespace tessera
