#include "tessera/kernels/routing_fold.h"

#include <cmath>

#include "tessera/group_table.h"
#include "testing/backends.h"
#include "testing/determinism.h"
#include "testing/guarded.h"
#include "testing/numbers.h"

namespace tessera::kernels {
namespace {

using testing::Guarded;

using testing::kUlp;

/// Categories of two families, 70 and 9 features: three read all of theirs, or some by a list.
struct Layer {
  explicit Layer(bool listed) {
    const auto add = [&](int32_t category, int32_t begin, int32_t family, int32_t out,
                         std::vector<int32_t> chosen) {
      RoutedCategory one{.in = listed ? static_cast<int32_t>(chosen.size()) : family,
                         .out = out,
                         .family_features = family,
                         .feature_begin = begin,
                         .category = category,
                         .list_begin = static_cast<int32_t>(features.size()),
                         .weight_begin = weights,
                         .folded_begin = folded};
      categories.push_back(one);
      if (listed) features.insert(features.end(), chosen.begin(), chosen.end());
      weights += int64_t{family} * out;
      folded += int64_t{one.in} * out + 3;  // a gap that nothing may write
    };
    add(0, 0, 70, 17, {0, 2, 3, 4, 5, 11, 60, 69, 12});
    add(2, 0, 70, 65, {69});
    add(3, 70, 9, 130, {70, 71, 72, 73, 74, 75, 76, 77, 78});
  }
  int32_t feature(const RoutedCategory& one, int32_t j) const {
    return features.empty() ? one.feature_begin + j : features[size_t(one.list_begin + j)];
  }
  /// Calls f(place in A, place in W, place in W', category, input) for every folded weight.
  template <class F>
  void for_each(F f) const {
    for (const RoutedCategory& one : categories)
      for (int32_t h = 0; h < one.out; ++h)
        for (int32_t j = 0; j < one.in; ++j) {
          const int32_t i = feature(one, j);
          f(size_t(i * kCategories + one.category),
            size_t(one.weight_begin + int64_t{h} * one.family_features + i - one.feature_begin),
            size_t(one.folded_begin + int64_t{h} * one.in + j));
        }
  }

  static constexpr int64_t kFeatures = 79, kCategories = 4;
  std::vector<RoutedCategory> categories;
  std::vector<int32_t> features;
  int64_t weights = 0, folded = 0;
};

class RoutingFoldTest : public testing::BackendTest {
 protected:
  const std::vector<float> a_ =
      testing::uniform<float>(Layer::kFeatures * Layer::kCategories, 1, 0, 1);
  static VectorView<const int32_t> list(const Guarded<int32_t>& features) {
    return features.view().size > 0 ? features.view() : VectorView<const int32_t>{};
  }
};
TESSERA_FOR_EACH_BACKEND(RoutingFoldTest);

TEST_P(RoutingFoldTest, ScalesEachColumnByItsShare) {
  for (const bool listed : {false, true}) {
    const Layer layer(listed);
    const GroupTable<RoutedCategory> table(layer.categories, device());
    const auto w = testing::uniform<float>(layer.weights, 2),
               before = testing::uniform<float>(layer.folded, 3);
    Guarded<float> a(a_, Layer::kFeatures, Layer::kCategories, device()), w_in(w, device()),
        folded(before, device());
    Guarded<int32_t> features(layer.features, device());
    run([&](auto& context) {
      const int64_t launches = context.launches();
      routing_fold(context, {.categories = table.view(),
                             .assignment = a.matrix_view(),
                             .weights = w_in.view(),
                             .features = list(features),
                             .folded = folded.vector()});
      EXPECT_EQ(context.launches() - launches, 1);
    });
    std::vector<float> expected = before;
    layer.for_each(
        [&](size_t at_a, size_t at_w, size_t at_f) { expected[at_f] = a_[at_a] * w[at_w]; });
    testing::expect_same_bits(folded.values(), expected);
  }
}

TEST_P(RoutingFoldTest, GradientsAddUpOverTheHiddenUnits) {
  for (const bool listed : {false, true})
    for (const float beta : {0.0f, 1.0f}) {
      const Layer layer(listed);
      const GroupTable<RoutedCategory> table(layer.categories, device());
      const auto w = testing::uniform<float>(layer.weights, 2),
                 df = testing::uniform<float>(layer.folded, 4),
                 old_w = testing::old_values(layer.weights, beta),
                 old_a = testing::old_values(Layer::kFeatures * Layer::kCategories, beta);
      Guarded<float> a(a_, Layer::kFeatures, Layer::kCategories, device()), w_in(w, device()),
          df_in(df, device()), dw(old_w, device()),
          da(old_a, Layer::kFeatures, Layer::kCategories, device());
      Guarded<int32_t> features(layer.features, device());
      run([&](auto& context) {
        const int64_t launches = context.launches();
        routing_fold_grad(context, {.categories = table.view(),
                                    .assignment = a.matrix_view(),
                                    .weights = w_in.view(),
                                    .dfolded = df_in.view(),
                                    .features = list(features),
                                    .dweights = dw.vector(),
                                    .dassignment = da.matrix(),
                                    .beta_w = beta,
                                    .beta_a = beta});
        EXPECT_EQ(context.launches() - launches, 1);
      });
      std::vector<float> expected_w = old_w;
      std::vector<double> sums(old_a.size()), expected_a(old_a.begin(), old_a.end());
      std::vector<bool> read(old_a.size());
      layer.for_each([&](size_t at_a, size_t at_w, size_t at_f) {
        expected_w[at_w] =
            beta == 0 ? a_[at_a] * df[at_f] : std::fma(a_[at_a], df[at_f], old_w[at_w]);
        sums[at_a] += double(w[at_w]) * double(df[at_f]);
        read[at_a] = true;
      });
      for (size_t e = 0; e < sums.size(); ++e)  // what no category reads stays as it was
        if (read[e]) expected_a[e] = (beta == 0 ? 0 : double(old_a[e])) + sums[e];
      testing::expect_same_bits(dw.values(), expected_w);
      testing::expect_close(da.values(), expected_a, kUlp);
    }
}

TEST_P(RoutingFoldTest, EitherGradientMayBeLeftOut) {
  const Layer layer(false);
  const GroupTable<RoutedCategory> table(layer.categories, device());
  const auto w = testing::uniform<float>(layer.weights, 2),
             df = testing::uniform<float>(layer.folded, 4);
  Guarded<float> a(a_, Layer::kFeatures, Layer::kCategories, device()), w_in(w, device()),
      df_in(df, device()), dw(w, device()), dw_alone(w, device()),
      da(a_, Layer::kFeatures, Layer::kCategories, device()),
      da_alone(a_, Layer::kFeatures, Layer::kCategories, device());
  const auto gradients = [&](VectorView<float> dweights, MatrixView<float> dassignment) {
    run([&](auto& context) {
      routing_fold_grad(context, {.categories = table.view(),
                                  .assignment = a.matrix_view(),
                                  .weights = w_in.view(),
                                  .dfolded = df_in.view(),
                                  .features = {},
                                  .dweights = dweights,
                                  .dassignment = dassignment});
    });
  };
  gradients(dw.vector(), da.matrix());
  gradients(dw_alone.vector(), {});
  gradients({}, da_alone.matrix());
  testing::expect_same_bits(dw_alone.values(), dw.values());
  testing::expect_same_bits(da_alone.values(), da.values());
}

TEST(RoutingFoldBitsTest, AreTheSameForEveryTargetAndThreadCount) {
  for (const bool listed : {false, true}) {
    const Layer layer(listed);
    const GroupTable<RoutedCategory> table(layer.categories, Device{});
    const auto a = testing::uniform<float>(Layer::kFeatures * Layer::kCategories, 1, 0, 1),
               w = testing::uniform<float>(layer.weights, 2);
    const VectorView<const int32_t> features{layer.features.data(), int64_t(layer.features.size())};
    testing::expect_same_bits_everywhere([&] {
      std::vector<float> folded(size_t(layer.folded)), da(a.size()), dw(w.size());
      const MatrixView<const float> share{a.data(), Layer::kFeatures, Layer::kCategories,
                                          Layer::kCategories};
      routing_fold(cpu_context(), {.categories = table.view(),
                                   .assignment = share,
                                   .weights = {w.data(), layer.weights},
                                   .features = listed ? features : VectorView<const int32_t>{},
                                   .folded = {folded.data(), layer.folded}});
      routing_fold_grad(cpu_context(),
                        {.categories = table.view(),
                         .assignment = share,
                         .weights = {w.data(), layer.weights},
                         .dfolded = {folded.data(), layer.folded},
                         .features = listed ? features : VectorView<const int32_t>{},
                         .dweights = {dw.data(), layer.weights},
                         .dassignment = {da.data(), share.rows, share.cols, share.ld}});
      folded.insert(folded.end(), dw.begin(), dw.end());
      folded.insert(folded.end(), da.begin(), da.end());
      return folded;
    });
  }
}

}  // namespace
}  // namespace tessera::kernels
