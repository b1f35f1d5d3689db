#include "tessera/kernels/partial_weights.h"

#include "tessera/group_table.h"
#include "testing/backends.h"
#include "testing/guarded.h"
#include "testing/numbers.h"

namespace tessera::kernels {
namespace {

using testing::Guarded;

/// Two categories of all 300 features of a family, one of every other of them, and one of another
/// family of 7, on two levels.
class PartialWeightsTest : public testing::BackendTest {
 protected:
  static constexpr int64_t kFeatures = 307, kCategories = 4, kColumns = 2 * (2 * 300 + 150 + 7);
  const std::vector<PartialCategory> categories_ = {
      {.features = 300, .levels = 2},
      {.features = 300, .levels = 2, .partial_begin = 600},
      {.features = 150, .levels = 2, .partial_begin = 1200},
      {.features = 7, .levels = 2, .partial_begin = 1500}};
  const std::vector<float> weight_ = testing::uniform<float>(kFeatures, 2, 0, 1);
  std::vector<int32_t> features_ = std::vector<int32_t>(size_t{kColumns});
  PartialWeightsTest() {
    for (size_t k = 0; k < categories_.size(); ++k)
      for (int32_t l = 0; l < 2; ++l)
        for (int32_t j = 0; j < categories_[k].features; ++j)
          features_[size_t(categories_[k].partial_begin + l * categories_[k].features + j)] =
              feature(k, j);
  }
  static int32_t feature(size_t k, int32_t j) { return k == 2 ? 2 * j + 1 : k == 3 ? 300 + j : j; }
  static size_t at(int64_t i, size_t k) { return size_t(i * kCategories) + k; }
};
TESSERA_FOR_EACH_BACKEND(PartialWeightsTest);

TEST_P(PartialWeightsTest, AreTheSharesOfTheFeatures) {
  const GroupTable<PartialCategory> table(categories_, device());
  const auto a = testing::uniform<float>(kFeatures * kCategories, 1, 0, 1);
  Guarded<float> a_in(a, kFeatures, kCategories, device()), weight(weight_, device());
  Guarded<int32_t> features(features_, device());
  auto out = Guarded<float>::out(kColumns, device());
  run([&](auto& context) {
    const int64_t before = context.launches();
    partial_weights(context, {.categories = table.view(),
                              .features = features.view(),
                              .assignment = a_in.matrix_view(),
                              .feature_weight = weight.view(),
                              .weights = out.vector()});
    EXPECT_EQ(context.launches() - before, 1);
  });
  std::vector<float> expected(size_t{kColumns});
  for (size_t k = 0; k < categories_.size(); ++k)
    for (int32_t l = 0; l < 2; ++l)
      for (int32_t j = 0; j < categories_[k].features; ++j) {
        const int32_t i = feature(k, j);
        expected[size_t(categories_[k].partial_begin + l * categories_[k].features + j)] =
            a[at(i, k)] * weight_[size_t(i)] / 2;
      }
  testing::expect_same_bits(out.values(), expected);
}

TEST_P(PartialWeightsTest, GradientIsTheErrorOfAllLevels) {
  const GroupTable<PartialCategory> table(categories_, device());
  const auto sums = testing::uniform<double>(kColumns, 3, 0, 1);
  for (const float beta : {0.0f, 1.0f}) {
    const auto old = testing::old_values(kFeatures * kCategories, beta);
    Guarded<double> sums_in(sums, device());
    Guarded<int32_t> features(features_, device());
    Guarded<float> weight(weight_, device()), dloss({1.5f}, device()),
        da(old, kFeatures, kCategories, device());
    run([&](auto& context) {
      partial_weights_grad(context, {.categories = table.view(),
                                     .features = features.view(),
                                     .sums = sums_in.view(),
                                     .feature_weight = weight.view(),
                                     .dloss = dloss.view(),
                                     .dassignment = da.matrix(),
                                     .factor = 0.25,
                                     .beta = beta});
    });
    std::vector<double> expected(old.begin(), old.end());  // of no column: as it was
    for (size_t k = 0; k < categories_.size(); ++k)
      for (int32_t j = 0; j < categories_[k].features; ++j) {
        const int32_t i = feature(k, j);
        const size_t p = size_t(categories_[k].partial_begin + j);
        expected[at(i, k)] = (beta == 0 ? 0 : double(old[at(i, k)])) +
                             1.5 * 0.25 * double(weight_[size_t(i)]) / 2 *
                                 (sums[p] + sums[p + size_t(categories_[k].features)]);
      }
    testing::expect_close(da.values(), expected, 0x1p-23);
  }
}

}  // namespace
}  // namespace tessera::kernels
