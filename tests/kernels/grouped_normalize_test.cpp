#include "tessera/kernels/grouped_normalize.h"

#include "tessera/group_table.h"
#include "tessera/kernels/normalize.h"
#include "testing/backends.h"
#include "testing/determinism.h"
#include "testing/guarded.h"
#include "testing/numbers.h"

namespace tessera::kernels {
namespace {

using testing::Guarded;

constexpr float kGroupedEpsilon = 1e-5f;

/// Each group must be what layer norm makes of its columns alone.
class GroupedNormalizeTest : public testing::BackendTest {
 protected:
  struct Columns {
    std::vector<float> values;
    int64_t rows, cols;
  };
  /// Columns of one group of a [rows, all] matrix.
  static std::vector<float> part(const std::vector<float>& all, int64_t rows, int64_t pitch,
                                 int64_t begin, int64_t cols) {
    std::vector<float> result;
    for (int64_t n = 0; n < rows; ++n)
      result.insert(result.end(), all.begin() + n * pitch + begin,
                    all.begin() + n * pitch + begin + cols);
    return result;
  }

  std::vector<ColumnGroup> groups_ = [] {
    std::vector<ColumnGroup> groups = {{.cols = 5}, {.cols = 1}, {.cols = 64}, {.cols = 17}};
    ColumnGroup::pack(groups);
    return groups;
  }();
  static constexpr int64_t kCols = 87, kGroups = 4;
};
TESSERA_FOR_EACH_BACKEND(GroupedNormalizeTest);

TEST_P(GroupedNormalizeTest, GroupsAreLayerNormsOfTheirColumns) {
  const GroupTable<ColumnGroup> table(groups_, device());
  for (const int64_t rows : {1, 7, 33, 70}) {
    const auto x = testing::uniform<float>(rows * kCols, 1, -2, 4);
    const auto gain = testing::uniform<float>(kCols, 2), shift = testing::uniform<float>(kCols, 3);
    Guarded<float> x_in(x, rows, kCols, device()), g_in(gain, device()), s_in(shift, device());
    auto y = Guarded<float>::out(rows, kCols, device());
    auto mean = Guarded<float>::out(rows, kGroups, device());
    auto rstd = Guarded<float>::out(rows, kGroups, device());
    run([&](auto& context) {
      const int64_t before = context.launches();
      grouped_layer_norm(context, {.groups = table.view(),
                                   .x = x_in.matrix_view(),
                                   .gain = g_in.view(),
                                   .shift = s_in.view(),
                                   .y = y.matrix(),
                                   .mean = mean.matrix(),
                                   .rstd = rstd.matrix(),
                                   .epsilon = kGroupedEpsilon});
      EXPECT_EQ(context.launches() - before, 1);
    });
    const auto y_values = y.values(), means = mean.values(), rstds = rstd.values();
    for (size_t g = 0; g < groups_.size(); ++g) {
      const int32_t cols = groups_[g].cols, begin = groups_[g].begin;
      const auto slice = [&](const std::vector<float>& all) {
        return std::vector<float>(all.begin() + begin, all.begin() + begin + cols);
      };
      Guarded<float> x_part(part(x, rows, kCols, begin, cols), rows, cols, device());
      Guarded<float> g_part(slice(gain), device()), s_part(slice(shift), device());
      auto alone = Guarded<float>::out(rows, cols, device());
      auto alone_mean = Guarded<float>::out(rows, device());
      auto alone_rstd = Guarded<float>::out(rows, device());
      run([&](auto& context) {
        layer_norm(context, {.x = x_part.matrix_view(),
                             .gain = g_part.view(),
                             .shift = s_part.view(),
                             .y = alone.matrix(),
                             .mean = alone_mean.vector(),
                             .rstd = alone_rstd.vector(),
                             .epsilon = kGroupedEpsilon});
      });
      testing::expect_same_bits(part(y_values, rows, kCols, begin, cols), alone.values());
      testing::expect_same_bits(part(means, rows, kGroups, static_cast<int64_t>(g), 1),
                                alone_mean.values());
      testing::expect_same_bits(part(rstds, rows, kGroups, static_cast<int64_t>(g), 1),
                                alone_rstd.values());
    }
  }
}

TEST_P(GroupedNormalizeTest, GradientsAreThoseOfTheGroupsAlone) {
  const GroupTable<ColumnGroup> table(groups_, device());
  for (const int64_t rows : {1, 7, 70})
    for (const float beta : {0.0f, 1.0f}) {
      const auto x = testing::uniform<float>(rows * kCols, 1, -2, 4),
                 dy = testing::uniform<float>(rows * kCols, 2),
                 gain = testing::uniform<float>(kCols, 3),
                 old = testing::uniform<float>(rows * kCols, 4),
                 old_gain = testing::uniform<float>(kCols, 5),
                 means = testing::uniform<float>(rows * kGroups, 6),
                 rstds = testing::uniform<float>(rows * kGroups, 7, 1, 2);
      Guarded<float> x_in(x, rows, kCols, device()), dy_in(dy, rows, kCols, device()),
          g_in(gain, device()), mean(means, rows, kGroups, device()),
          rstd(rstds, rows, kGroups, device()), dx(old, rows, kCols, device()),
          dgain(old_gain, device()), dshift(old_gain, device());
      run([&](auto& context) {
        grouped_layer_norm_grad(context, {.groups = table.view(),
                                          .x = x_in.matrix_view(),
                                          .dy = dy_in.matrix_view(),
                                          .gain = g_in.view(),
                                          .mean = mean.matrix_view(),
                                          .rstd = rstd.matrix_view(),
                                          .dx = dx.matrix(),
                                          .dgain = dgain.vector(),
                                          .dshift = dshift.vector(),
                                          .beta_x = beta,
                                          .beta_p = beta});
      });
      const auto dx_all = dx.values(), dgain_all = dgain.values(), dshift_all = dshift.values();
      for (size_t g = 0; g < groups_.size(); ++g) {
        const int32_t cols = groups_[g].cols, begin = groups_[g].begin;
        const auto slice = [&](const std::vector<float>& all) {
          return std::vector<float>(all.begin() + begin, all.begin() + begin + cols);
        };
        const auto columns = [&](const std::vector<float>& all) {
          return part(all, rows, kCols, begin, cols);
        };
        const auto statistic = [&](const std::vector<float>& all) {
          return part(all, rows, kGroups, static_cast<int64_t>(g), 1);
        };
        Guarded<float> x1(columns(x), rows, cols, device()), dy1(columns(dy), rows, cols, device()),
            g1(slice(gain), device()), m1(statistic(means), device()),
            r1(statistic(rstds), device()), dx1(columns(old), rows, cols, device()),
            dg1(slice(old_gain), device()), ds1(slice(old_gain), device());
        run([&](auto& context) {
          layer_norm_grad(context, {.x = x1.matrix_view(),
                                    .dy = dy1.matrix_view(),
                                    .gain = g1.view(),
                                    .mean = m1.view(),
                                    .rstd = r1.view(),
                                    .dx = dx1.matrix(),
                                    .dgain = dg1.vector(),
                                    .dshift = ds1.vector(),
                                    .beta_x = beta,
                                    .beta_p = beta});
        });
        testing::expect_same_bits(columns(dx_all), dx1.values());
        testing::expect_same_bits(slice(dgain_all), dg1.values());
        testing::expect_same_bits(slice(dshift_all), ds1.values());
      }
    }
}

}  // namespace
}  // namespace tessera::kernels
