#include "tessera/kernels/code_terms.h"

#include <cmath>

#include "kernels/vq_groups.h"
#include "testing/guarded.h"
#include "testing/numbers.h"

namespace tessera::kernels {
namespace {

using testing::Guarded;

using testing::kUlp;

class CodeTermsTest : public VqGroupsTest {
 protected:
  std::vector<float> books() const {
    auto values = testing::uniform<float>(kFlat, 2);
    for (int d = 0; d < 3; ++d) values[static_cast<size_t>(d)] = 0;  // a code without direction
    return values;
  }
  double element(const std::vector<float>& books, size_t g, int32_t k, int32_t d) const {
    return books[static_cast<size_t>(groups_[g].codebook_begin + k * groups_[g].dim + d)];
  }
  double cosine(const std::vector<double>& books, size_t g, int32_t i, int32_t j) const {
    const VqGroup& group = groups_[g];
    double ii = 0, jj = 0, ij = 0;
    for (int32_t d = 0; d < group.dim; ++d) {
      const double x = books[static_cast<size_t>(group.codebook_begin + i * group.dim + d)];
      const double y = books[static_cast<size_t>(group.codebook_begin + j * group.dim + d)];
      ii += x * x, jj += y * y, ij += x * y;
    }
    return ii > 0 && jj > 0 ? ij / std::sqrt(ii * jj) : 0;
  }
  double orthogonality(const std::vector<double>& books) const {
    double total = 0;
    for (size_t g = 0; g < groups_.size(); ++g) {
      const int32_t size = groups_[g].codebook_size;
      double sum = 0;
      for (int32_t i = 0; i < size; ++i)
        for (int32_t j = 0; j < size; ++j)
          if (i != j) sum += std::pow(cosine(books, g, i, j), 2);
      total += sum / (double(size) * (size - 1));
    }
    return total / double(groups_.size());
  }
  double entropy(const std::vector<double>& latents, int64_t rows, const std::vector<float>& books,
                 double temperature) const {
    double total = 0;
    for (size_t g = 0; g < groups_.size(); ++g) {
      const VqGroup& group = groups_[g];
      std::vector<double> use(static_cast<size_t>(group.codebook_size));
      for (int64_t n = 0; n < rows; ++n) {
        std::vector<double> soft;
        double sum = 0;
        for (int32_t k = 0; k < group.codebook_size; ++k) {
          double square = 0;
          for (int32_t d = 0; d < group.dim; ++d)
            square += std::pow(latents[static_cast<size_t>(n * kColumns + group.latent_begin + d)] -
                                   element(books, g, k, d),
                               2);
          soft.push_back(std::exp(-square / (temperature * group.dim)));
          sum += soft.back();
        }
        for (size_t k = 0; k < use.size(); ++k) use[k] += soft[k] / sum / double(rows);
      }
      total += std::log(double(group.codebook_size));
      for (const double p : use) total += p * std::log(p);
    }
    return total / double(groups_.size());
  }
};
TESSERA_FOR_EACH_BACKEND(CodeTermsTest);

TEST_P(CodeTermsTest, OrthogonalityIsTheMeanSquaredCosine) {
  const auto values = books();
  Guarded<float> book(values, device());
  auto parts = Guarded<double>::out(kGroups, device());
  auto loss = Guarded<float>::out(1, device());
  run([&](auto& context) {
    code_orthogonality(context, {table_->view(), book.view(), parts.vector(), loss.vector()});
  });
  testing::expect_near(loss.values(), {orthogonality({values.begin(), values.end()})}, 2 * kUlp);
}

TEST_P(CodeTermsTest, OrthogonalityGradientMatchesDifferences) {
  const auto values = books();
  const std::vector<double> exact(values.begin(), values.end());
  Guarded<float> book(values, device()), dloss({1.5f}, device());
  Guarded<float> dbook(std::vector<float>(values.size(), 0.25f), device());
  run([&](auto& context) {
    code_orthogonality_grad(context, {table_->view(), book.view(), dloss.view(), dbook.vector()});
  });
  const std::vector<float> found = dbook.values();
  for_elements([&](size_t g, int32_t k, int32_t d, size_t where) {
    if ((k * 7 + d) % 11 != 0 || (g == 0 && k == 0))
      return;  // a sample; the zero code has no slope
    std::vector<double> up = exact, down = exact;
    up[where] += 1e-5, down[where] -= 1e-5;
    const double slope = (orthogonality(up) - orthogonality(down)) / 2e-5;
    EXPECT_NEAR(found[where], 0.25 + 1.5 * slope, 1e-5) << g << " " << k << " " << d;
  });
}

TEST_P(CodeTermsTest, EntropyAndItsGradientMatchTheFormula) {
  constexpr int64_t kRows = 37;
  constexpr double kTemperature = 0.3;
  const auto values = books(), z = testing::uniform<float>(kRows * kColumns, 5);
  const std::vector<double> exact(z.begin(), z.end());
  Guarded<float> book(values, device()), latents(z, kRows, kColumns, device()),
      dloss({2.0f}, device()), dz(std::vector<float>(z.size(), 0.5f), kRows, kColumns, device());
  auto use = Guarded<double>::out(kCodes, device());
  auto parts = Guarded<double>::out(kGroups, device());
  auto loss = Guarded<float>::out(1, device());
  run([&](auto& context) {
    code_entropy(context, {.groups = table_->view(),
                           .latents = latents.matrix_view(),
                           .codebooks = book.view(),
                           .use = use.vector(),
                           .parts = parts.vector(),
                           .loss = loss.vector(),
                           .temperature = kTemperature});
    code_entropy_grad(context, {.groups = table_->view(),
                                .latents = latents.matrix_view(),
                                .codebooks = book.view(),
                                .dloss = dloss.view(),
                                .use = use.view(),
                                .dlatents = dz.matrix(),
                                .temperature = kTemperature,
                                .beta = 1});
  });
  testing::expect_near(loss.values(), {entropy(exact, kRows, values, kTemperature)}, 1e-6);
  const std::vector<float> found = dz.values();
  for (size_t i = 0; i < exact.size(); i += 29) {
    std::vector<double> up = exact, down = exact;
    up[i] += 1e-5, down[i] -= 1e-5;
    const double slope =
        (entropy(up, kRows, values, kTemperature) - entropy(down, kRows, values, kTemperature)) /
        2e-5;
    EXPECT_NEAR(found[i], 0.5 + 2 * slope, 2e-6) << "latent " << i;
  }
}

}  // namespace
}  // namespace tessera::kernels
