#include "tessera/kernels/grouped_linear.h"

#include <cmath>

#include "tessera/group_table.h"
#include "testing/backends.h"
#include "testing/determinism.h"
#include "testing/guarded.h"
#include "testing/numbers.h"

namespace tessera::kernels {
namespace {

using testing::Guarded;

/// Groups at and beside the edges of tiles, with gaps between them where operands allow it.
class GroupedLinearTest : public testing::BackendTest {
 protected:
  static std::vector<LinearGroup> make_groups() {
    std::vector<LinearGroup> groups = {{.in = 5, .out = 3},   {.in = 1, .out = 1},
                                       {.in = 64, .out = 65}, {.in = 70, .out = 17},
                                       {.in = 3, .out = 130}, {.in = 17, .out = 64}};
    sizes_ = LinearGroup::pack(groups);
    return groups;
  }
  std::vector<float> values(int64_t count, uint64_t seed) const {
    return testing::uniform<float>(count, seed);
  }
  float weight(const std::vector<float>& weights, const LinearGroup& g, int o, int i) const {
    return weights[static_cast<size_t>(g.weight_begin + int64_t{o} * g.in + i)];
  }

  static inline LinearGroup::Sizes sizes_;
  std::vector<LinearGroup> groups_ = make_groups();
  std::vector<int64_t> rows_ = {0, 1, 31, 64, 65, 130};
};
TESSERA_FOR_EACH_BACKEND(GroupedLinearTest);

TEST_P(GroupedLinearTest, ForwardIsOneChainForEachResult) {
  const GroupTable<LinearGroup> table(groups_, device());
  for (const int64_t rows : rows_)
    for (const bool has_bias : {true, false}) {
      const auto x = values(rows * sizes_.inputs, 1), w = values(sizes_.weights, 2),
                 b = values(sizes_.outputs, 3);
      Guarded<float> x_in(x, rows, sizes_.inputs, device()), w_in(w, device()), b_in(b, device());
      auto y = Guarded<float>::out(rows, sizes_.outputs, device());
      run([&](auto& context) {
        const int64_t before = context.launches();
        grouped_linear(context, {.groups = table.view(),
                                 .x = x_in.matrix_view(),
                                 .weights = w_in.view(),
                                 .bias = has_bias ? b_in.view() : VectorView<const float>{},
                                 .y = y.matrix()});
        EXPECT_EQ(context.launches() - before, 1);
      });
      std::vector<float> expected(static_cast<size_t>(rows * sizes_.outputs));
      for (int64_t n = 0; n < rows; ++n)
        for (const LinearGroup& g : groups_)
          for (int o = 0; o < g.out; ++o) {
            float sum = has_bias ? b[g.out_begin + o] : 0.0f;
            for (int i = 0; i < g.in; ++i)
              sum = std::fma(x[n * sizes_.inputs + g.in_begin + i], weight(w, g, o, i), sum);
            expected[static_cast<size_t>(n * sizes_.outputs + g.out_begin + o)] = sum;
          }
      testing::expect_same_bits(y.values(), expected);
    }
}

TEST_P(GroupedLinearTest, InputGradientIsOneChainForEachResult) {
  const GroupTable<LinearGroup> table(groups_, device());
  for (const int64_t rows : rows_)
    for (const float beta : {0.0f, 1.0f}) {
      const auto dy = values(rows * sizes_.outputs, 4), w = values(sizes_.weights, 2),
                 before = values(rows * sizes_.inputs, 5);
      Guarded<float> dy_in(dy, rows, sizes_.outputs, device()), w_in(w, device());
      Guarded<float> dx(before, rows, sizes_.inputs, device());
      run([&](auto& context) {
        grouped_linear_input_grad(context, {.groups = table.view(),
                                            .dy = dy_in.matrix_view(),
                                            .weights = w_in.view(),
                                            .dx = dx.matrix(),
                                            .beta = beta});
      });
      std::vector<float> expected = before;
      for (int64_t n = 0; n < rows; ++n)
        for (const LinearGroup& g : groups_)
          for (int i = 0; i < g.in; ++i) {
            float& result = expected[static_cast<size_t>(n * sizes_.inputs + g.in_begin + i)];
            float sum = beta == 0 ? 0.0f : result;
            for (int o = 0; o < g.out; ++o)
              sum = std::fma(dy[n * sizes_.outputs + g.out_begin + o], weight(w, g, o, i), sum);
            result = sum;
          }
      testing::expect_same_bits(dx.values(), expected);
    }
}

TEST_P(GroupedLinearTest, WeightGradientIsOneChainForEachResult) {
  const GroupTable<LinearGroup> table(groups_, device());
  for (const int64_t rows : rows_)
    for (const float beta : {0.0f, 1.0f}) {
      const auto dy = values(rows * sizes_.outputs, 4), x = values(rows * sizes_.inputs, 1),
                 before = values(sizes_.weights, 6);
      Guarded<float> dy_in(dy, rows, sizes_.outputs, device()),
          x_in(x, rows, sizes_.inputs, device());
      Guarded<float> dw(before, device());
      run([&](auto& context) {
        grouped_linear_weight_grad(context, {.groups = table.view(),
                                             .x = x_in.matrix_view(),
                                             .dy = dy_in.matrix_view(),
                                             .dweights = dw.vector(),
                                             .beta = beta});
      });
      std::vector<float> expected = before;  // padding keeps what it had
      for (const LinearGroup& g : groups_)
        for (int o = 0; o < g.out; ++o)
          for (int i = 0; i < g.in; ++i) {
            float& result = expected[static_cast<size_t>(g.weight_begin + int64_t{o} * g.in + i)];
            float sum = beta == 0 ? 0.0f : result;
            for (int64_t n = 0; n < rows; ++n)
              sum = std::fma(dy[n * sizes_.outputs + g.out_begin + o],
                             x[n * sizes_.inputs + g.in_begin + i], sum);
            result = sum;
          }
      testing::expect_same_bits(dw.values(), expected);
    }
}

}  // namespace
}  // namespace tessera::kernels
