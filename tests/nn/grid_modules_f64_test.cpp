#include "tessera/grid_nn.h"
#include "testing/gradcheck.h"
#include "testing/numbers.h"

namespace tessera::inline TESSERA_PRECISION {
namespace {

using gradcheck::scalar_of;
using testing::uniform;

/// Modules behind a trained input; gains and shifts moved off 1 and 0.
class GridModulesTest : public ::testing::Test {
 protected:
  ParameterGroup group_{"model", kModelGroup};

  void declare_input(const GridLayout& layout, int64_t channels) {
    layout_ = layout;
    group_.declare({"x", layout.rows(), channels,
                    [values = uniform<real>(layout.rows() * channels, 7)](int64_t i) {
                      return values[static_cast<size_t>(i)];
                    }});
  }
  void allocate() {
    group_.allocate({});
    for (size_t i = 1; i < group_.parameters().size(); ++i) {
      Tensor& value = group_[i].value;
      std::vector<real> moved = value.to_host();
      const std::vector<real> by = uniform<real>(value.size(), 10 + i, -0.2, 0.2);
      for (size_t j = 0; j < moved.size(); ++j) moved[j] += by[j];
      value.write(moved);
    }
  }
  /// `forward` of the input against fixed numbers, in every element.
  template <class Forward>
  void expect_gradients(const Forward& forward, bool training = true) {
    allocate();
    const auto output = [&](const Pass& pass) {
      return forward(pass, GridVar{pass.parameter(group_[0]), layout_});
    };
    const Var y = output({.training = training});
    const Tensor target = Tensor::from_host(y.rows(), y.cols(), uniform<real>(y.value().size(), 2));
    // Short: many ReLUs, and few of them within 2e-5 of their kink.
    gradcheck::expect_gradients(group_,
                                [&](const Pass& pass) { return scalar_of(output(pass), target); },
                                {.training = training, .tolerance = 1e-8, .step = 1e-5});
  }

  GridLayout layout_;
};

const std::vector<GridSize> kGrids = {{9, 7}, {1, 1}, {6, 12}};
const std::vector<int32_t> kLengths = {20, 1, 9, 33};
constexpr ResNet3::Widths kNarrow = {3, 2, 4, 3};

TEST_F(GridModulesTest, ResidualBlockMatchesDifferencesWithASkipOfItsOwn) {
  declare_input(GridLayout::packed({{4, 3}, {1, 2}}, {}), 2);
  ResidualBlock block(group_, "block", GridAxes::Grid, 2, 3, 2, {}, 0);
  expect_gradients(
      [&](const Pass& pass, const GridVar& x) { return block.forward(pass, x).values; });
}

TEST_F(GridModulesTest, ResidualBlockMatchesDifferencesWhereItSkipsNothing) {
  declare_input(GridLayout::packed({{4, 3}, {1, 2}}, {}), 2);
  ResidualBlock block(group_, "block", GridAxes::Grid, 2, 2, 1, {}, 0);
  expect_gradients(
      [&](const Pass& pass, const GridVar& x) { return block.forward(pass, x).values; });
}

TEST_F(GridModulesTest, ResNet3MatchesDifferencesOnGrids) {
  declare_input(GridLayout::packed(kGrids, {}), 2);
  ResNet3 net(group_, "net", GridAxes::Grid, 2, {}, 0, kNarrow);
  expect_gradients([&](const Pass& pass, const GridVar& x) { return net.forward(pass, x); });
}

TEST_F(GridModulesTest, ResNet3MatchesDifferencesOnSeries) {
  declare_input(GridLayout::series(kLengths, {}), 2);
  ResNet3 net(group_, "net", GridAxes::Series, 2, {}, 0, kNarrow);
  expect_gradients([&](const Pass& pass, const GridVar& x) { return net.forward(pass, x); });
}

TEST_F(GridModulesTest, ResNet3MatchesDifferencesInEvaluation) {
  declare_input(GridLayout::series(kLengths, {}), 2);
  ResNet3 net(group_, "net", GridAxes::Series, 2, {}, 0, kNarrow);
  expect_gradients([&](const Pass& pass, const GridVar& x) { return net.forward(pass, x); }, false);
}

TEST_F(GridModulesTest, HeadMatchesDifferences) {
  declare_input(GridLayout::uniform(6, {1, 1}, {}), 3);
  const auto head = make_head(group_, "head", 3, 4, true, {}, 0);
  expect_gradients(
      [&](const Pass& pass, const GridVar& x) { return head->forward(pass, x.values); });
}

TEST_F(GridModulesTest, ConvStartsUniformWithinOneOverTheRootOfItsFanIn) {
  const Conv conv(group_, "conv", 6, 50, centred_window(GridAxes::Grid, 3, 1), 4);
  group_.allocate({});
  const double bound = 1 / std::sqrt(54.0);
  double square_sum = 0;
  for (const real w : group_[0].value.to_host()) {
    EXPECT_LE(std::abs(w), bound);
    square_sum += w * w;
  }
  // The variance of U(-a, a) is a^2 / 3; of 2700 draws it is within some 2 % of that.
  EXPECT_NEAR(square_sum / 2700, bound * bound / 3, 0.1 * bound * bound / 3);
}

TEST_F(GridModulesTest, ABackboneHasTwoBuffersForEachNormalization) {
  ResNet3 net(group_, "net", GridAxes::Grid, 1, {}, 0);
  std::vector<NamedTensor> buffers;
  net.add_buffers(buffers);
  EXPECT_EQ(buffers.size(), 2u * (1 + 3 * 3));
  EXPECT_EQ(buffers.front().name, "net/stem/norm/running_mean");
}

}  // namespace
}  // namespace tessera::inline TESSERA_PRECISION
