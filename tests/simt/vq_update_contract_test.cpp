#include <algorithm>
#include <cmath>
#include <numeric>

#include "tessera/group_table.h"
#include "tessera/kernels/vq_update.h"
#include "testing/backends.h"
#include "testing/guarded.h"
#include "testing/numbers.h"

namespace tessera {
namespace {

using kernels::VqGroup;
using testing::expect_near;
using testing::Guarded;
using testing::random_values;

using testing::kUlp;

/// Ragged codebooks with random codes: one code, a tile more or less than 8, more codes than threads,
/// more than 128 columns.
struct Problem {
  std::vector<VqGroup> groups = {{3, 1}, {1, 7}, {33, 8}, {130, 9}, {2, 300}};
  VqGroup::Sizes sizes = VqGroup::pack(groups);
  int64_t rows, count = static_cast<int64_t>(groups.size());
  std::vector<int32_t> codes;
  std::vector<float> latents, codebooks;

  explicit Problem(int64_t n)
      : rows(n),
        latents(random_values(n * sizes.latents, 1)),
        codebooks(random_values(sizes.codebooks, 2)) {
    std::mt19937 generator(3);
    for (int64_t i = 0; i < rows; ++i)
      for (const VqGroup& group : groups)  // low codes often, so that some get nothing
        codes.push_back(static_cast<int32_t>(
            std::min(generator() % group.codebook_size, generator() % group.codebook_size)));
  }
};

class VqUpdateContractTest : public testing::BackendTest {};
TESSERA_FOR_EACH_BACKEND(VqUpdateContractTest);

TEST_P(VqUpdateContractTest, LookupCopiesTheChosenRows) {
  for (const int64_t rows : {0, 1, 7, 8, 9, 65}) {
    const Problem problem(rows);
    const GroupTable<VqGroup> table(problem.groups, device());
    Guarded<int32_t> codes(problem.codes, rows, problem.count, device());
    Guarded<float> books(problem.codebooks, device());
    auto quantized = Guarded<float>::out(rows, problem.sizes.latents, device());
    run([&](auto& context) {
      kernels::vq_lookup(context, {.groups = table.view(),
                                   .codes = codes.matrix_view(),
                                   .codebooks = books.view(),
                                   .quantized = quantized.matrix()});
    });
    const std::vector<float> actual = quantized.values();
    for (int64_t n = 0; n < rows; ++n)
      for (int64_t g = 0; g < problem.count; ++g) {
        const VqGroup& group = problem.groups[g];
        for (int32_t d = 0; d < group.dim; ++d)
          ASSERT_EQ(actual[n * problem.sizes.latents + group.latent_begin + d],
                    problem.codebooks[group.codebook_begin +
                                      problem.codes[n * problem.count + g] * group.dim + d]);
      }
  }
}

// Rows ascending in binary64, so the bits are those of this loop.
TEST_P(VqUpdateContractTest, CodeSumsAddRowsInOrder) {
  for (const int64_t rows : {0, 1, 31, 33, 1023, 1025, 2100})
    for (const float beta : {0.0f, 1.0f}) {
      const Problem problem(rows);
      const GroupTable<VqGroup> table(problem.groups, device());
      const auto total = problem.sizes.codes, floats = problem.sizes.codebooks;
      Guarded<int32_t> codes(problem.codes, rows, problem.count, device());
      Guarded<float> latents(problem.latents, rows, problem.sizes.latents, device());
      auto counts = Guarded<float>::out(total, device());
      std::vector<float> expected = random_values(floats, 4);
      Guarded<float> sums(expected, device());
      Guarded<int64_t> usage(std::vector<int64_t>(total, 10), device());
      run([&](auto& context) {
        kernels::vq_code_sums(context, {.groups = table.view(),
                                        .codes = codes.matrix_view(),
                                        .rows = latents.matrix_view(),
                                        .counts = counts.vector(),
                                        .sums = sums.vector(),
                                        .usage = usage.vector(),
                                        .beta = beta,
                                        .scale = 0.3f});
      });
      std::vector<float> n(total);
      for (int64_t g = 0; g < problem.count; ++g) {
        const VqGroup& group = problem.groups[g];
        for (int32_t k = 0; k < group.codebook_size; ++k)
          for (int32_t d = 0; d < group.dim; ++d) {
            double sum = 0;
            for (int64_t i = 0; i < rows; ++i)
              if (problem.codes[i * problem.count + g] == k) {
                sum += problem.latents[i * problem.sizes.latents + group.latent_begin + d];
                if (d == 0) ++n[group.code_begin + k];
              }
            float& value = expected[group.codebook_begin + k * group.dim + d];
            value = static_cast<float>(std::fma(double(0.3f), sum, double(beta) * double(value)));
          }
      }
      EXPECT_EQ(counts.values(), n) << rows;
      EXPECT_EQ(sums.values(), expected) << rows;
      const std::vector<int64_t> used = usage.values();
      for (int64_t k = 0; k < total; ++k) EXPECT_EQ(used[k], 10 + static_cast<int64_t>(n[k]));
    }
}

TEST_P(VqUpdateContractTest, CodeSumsLeaveOutWhatIsNull) {
  const Problem problem(40);
  const GroupTable<VqGroup> table(problem.groups, device());
  Guarded<int32_t> codes(problem.codes, 40, problem.count, device());
  Guarded<float> latents(problem.latents, 40, problem.sizes.latents, device());
  auto counts = Guarded<float>::out(problem.sizes.codes, device());
  run([&](auto& context) {
    kernels::vq_code_sums(context, {.groups = table.view(),
                                    .codes = codes.matrix_view(),
                                    .rows = latents.matrix_view(),
                                    .counts = counts.vector(),
                                    .sums = {},
                                    .usage = {}});
  });
  const std::vector<float> actual = counts.values();
  EXPECT_EQ(std::accumulate(actual.begin(), actual.end(), 0.0f), 40.0f * problem.count);
}

TEST_P(VqUpdateContractTest, EmaUpdateFollowsItsFormula) {
  const Problem problem(1);
  const auto total = problem.sizes.codes, floats = problem.sizes.codebooks;
  const GroupTable<VqGroup> table(problem.groups, device());
  std::vector<float> n = random_values(total, 5), old_counts = random_values(total, 6);
  for (float& v : n) v = std::abs(v);
  for (float& v : old_counts) v = std::abs(v);
  for (int32_t k = 0; k < problem.groups[1].codebook_size; ++k)  // a codebook nobody uses
    n[problem.groups[1].code_begin + k] = old_counts[problem.groups[1].code_begin + k] = 0;
  const std::vector<float> s = random_values(floats, 7), old_sums = random_values(floats, 8);
  Guarded<float> batch_counts(n, device()), batch_sums(s, device());
  Guarded<float> counts(old_counts, device()), sums(old_sums, device());
  Guarded<float> books(problem.codebooks, device());
  run([&](auto& context) {
    kernels::vq_ema_update(context, {.groups = table.view(),
                                     .batch_counts = batch_counts.view(),
                                     .batch_sums = batch_sums.view(),
                                     .counts = counts.vector(),
                                     .sums = sums.vector(),
                                     .codebooks = books.vector(),
                                     .decay = 0.9f,
                                     .epsilon = 1e-2f});
  });
  const double decay = 0.9f, epsilon = 1e-2f;
  std::vector<double> new_counts(total), new_sums(old_sums.begin(), old_sums.end()),
      codes(problem.codebooks.begin(), problem.codebooks.end());
  for (const VqGroup& group : problem.groups) {
    double all = 0;
    for (int32_t k = group.code_begin; k < group.code_begin + group.codebook_size; ++k)
      all += new_counts[k] = decay * old_counts[k] + (1 - decay) * n[k];
    for (int32_t k = 0; k < group.codebook_size; ++k)
      for (int32_t d = 0; d < group.dim; ++d) {
        const int64_t i = group.codebook_begin + k * group.dim + d;
        new_sums[i] = decay * old_sums[i] + (1 - decay) * s[i];
        const double smoothed = (new_counts[group.code_begin + k] + epsilon) /
                                (all + group.codebook_size * epsilon) * all;
        if (all > 0) codes[i] = new_sums[i] / smoothed;
      }
  }
  expect_near(counts.values(), new_counts, 4 * kUlp);
  expect_near(books.values(), codes, 1e-5);
  std::vector<float> actual = sums.values();  // pack() leaves gaps that stay as they are
  expect_near(actual, new_sums, 4 * kUlp);
}

TEST_P(VqUpdateContractTest, CountUpdateDecays) {
  for (const int64_t size : testing::kSizes) {
    const std::vector<float> n = random_values(size, 9), old = random_values(size, 10);
    Guarded<float> batch(n, device()), counts(old, device());
    run([&](auto& context) {
      kernels::vq_count_update(context, {batch.view(), counts.vector(), 0.9f});
    });
    std::vector<double> expected;
    for (int64_t i = 0; i < size; ++i)
      expected.push_back(double(0.9f) * old[i] + (1 - double(0.9f)) * n[i]);
    expect_near(counts.values(), expected, 4 * kUlp);
  }
}

TEST_P(VqUpdateContractTest, RotationGradientFollowsItsDefinition) {
  for (const float beta : {0.0f, 1.0f}) {
    const int64_t rows = 33;
    const Problem problem(rows);
    const int64_t cols = problem.sizes.latents;
    const GroupTable<VqGroup> table(problem.groups, device());
    std::vector<float> q = random_values(rows * cols, 11), e = problem.latents;
    const std::vector<float> g = random_values(rows * cols, 12),
                             old = random_values(rows * cols, 13);
    for (int64_t i = 0; i < cols; ++i) e[i] = 0;             // a latent of norm 0
    for (int64_t i = cols; i < 2 * cols; ++i) q[i] = -e[i];  // opposite directions
    Guarded<float> e_in(e, rows, cols, device()), q_in(q, rows, cols, device());
    Guarded<float> g_in(g, rows, cols, device());
    Guarded<float> de(beta == 0 ? std::vector<float>(rows * cols, NAN) : old, rows, cols, device());
    run([&](auto& context) {
      kernels::vq_rotation_grad(context, {.groups = table.view(),
                                          .latents = e_in.matrix_view(),
                                          .quantized = q_in.matrix_view(),
                                          .dy = g_in.matrix_view(),
                                          .dlatents = de.matrix(),
                                          .beta = beta});
    });
    std::vector<double> expected(rows * cols);
    for (int64_t n = 0; n < rows; ++n)
      for (const VqGroup& group : problem.groups) {
        const int64_t at = n * cols + group.latent_begin;
        double ee = 0, qq = 0, eq = 0;
        for (int64_t i = at; i < at + group.dim; ++i) {
          ee += double(e[i]) * e[i];
          qq += double(q[i]) * q[i];
          eq += double(e[i]) * q[i];
        }
        const double e_norm = std::sqrt(ee), q_norm = std::sqrt(qq), c = eq / (e_norm * q_norm);
        const bool plain = e_norm < 1e-30 || 1 + c < 1e-6;
        std::vector<double> r(group.dim);
        double length = 0, along_r = 0, along_q = 0;
        for (int32_t d = 0; d < group.dim; ++d) {
          r[d] = e[at + d] / e_norm + q[at + d] / q_norm;
          length += r[d] * r[d];
        }
        for (int32_t d = 0; d < group.dim; ++d) {
          r[d] /= std::sqrt(length);
          along_r += r[d] * g[at + d];
          along_q += q[at + d] / q_norm * g[at + d];
        }
        for (int32_t d = 0; d < group.dim; ++d) {
          const double rotated =
              q_norm / e_norm * (g[at + d] - 2 * r[d] * along_r + 2 * e[at + d] / e_norm * along_q);
          expected[at + d] = (plain ? g[at + d] : rotated) + (beta == 0 ? 0 : old[at + d]);
        }
      }
    expect_near(de.values(), expected, 1e-5, 100);
  }
}

}  // namespace
}  // namespace tessera
