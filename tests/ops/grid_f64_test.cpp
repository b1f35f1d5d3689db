#include <numeric>

#include "tessera/grid_ops.h"
#include "testing/backends.h"
#include "testing/gradcheck.h"
#include "testing/numbers.h"

namespace tessera::inline TESSERA_PRECISION {
namespace {

using gradcheck::expect_gradients;
using gradcheck::scalar_of;
using testing::uniform;

constexpr Window kStride2 = {
    .height = 3, .width = 3, .stride_y = 2, .stride_x = 2, .pad_y = 1, .pad_x = 1};
constexpr Window kSeries = {.width = 5, .stride_x = 2, .pad_x = 2};

Tensor random(int64_t rows, int64_t cols, uint64_t seed) {
  return Tensor::from_host(rows, cols, uniform<real>(rows * cols, seed));
}
/// Numbers at least 0.05 apart: no difference changes which of them is the largest.
std::vector<real> shuffled(int64_t n, uint64_t seed) {
  std::vector<real> values(static_cast<size_t>(n));
  for (size_t i = 0; i < values.size(); ++i) values[i] = real(0.05) * real(i) - 1;
  for (size_t i = values.size(); i-- > 1;)
    std::swap(values[i], values[testing::next_word(seed) % (i + 1)]);
  return values;
}

void expect_conv_gradients(const GridLayout& layout, int64_t channels, const Window& window) {
  const int64_t rows = layout.rows(), seen = int64_t{window.height} * window.width * channels;
  const auto group = gradcheck::make_group(
      {{rows, channels, uniform<real>(rows * channels, 1)}, {3, seen, uniform<real>(3 * seen, 2)}});
  const Tensor target = random(layout.after(window).rows(), 3, 3);
  expect_gradients(*group, [&](const Pass& pass) {
    const GridVar x = {pass.parameter((*group)[0]), layout};
    return scalar_of(conv(x, pass.parameter((*group)[1]), window).values, target);
  });
}

TEST(ConvGradientTest, MatchesDifferencesOnGridsOfOneSize) {
  expect_conv_gradients(GridLayout::uniform(2, {4, 5}, {}), 2, kStride2);
}

TEST(ConvGradientTest, MatchesDifferencesOnGridsOfManySizes) {
  expect_conv_gradients(GridLayout::packed({{3, 4}, {1, 1}, {5, 2}}, {}), 2, kStride2);
}

TEST(ConvGradientTest, MatchesDifferencesOnSeries) {
  const std::vector<int32_t> lengths = {6, 1, 3};
  expect_conv_gradients(GridLayout::series(lengths, {}), 2, kSeries);
}

TEST(ConvGradientTest, MatchesDifferencesWherePositionsAreSkipped) {
  expect_conv_gradients(GridLayout::packed({{3, 4}, {2, 5}}, {}), 3,
                        {.stride_y = 2, .stride_x = 2});
}

TEST(ConvGradientTest, AddsUpWhereAWeightIsUsedTwice) {
  const auto layout = GridLayout::packed({{2, 3}, {3, 2}}, {});
  const Window window = {.height = 3, .width = 3, .pad_y = 1, .pad_x = 1};
  const auto group = gradcheck::make_group(
      {{12, 2, uniform<real>(24, 1)}, {2, 18, uniform<real>(36, 2, -0.3, 0.3)}});
  const Tensor target = random(12, 2, 3);
  expect_gradients(*group, [&](const Pass& pass) {
    const Var weight = pass.parameter((*group)[1]);
    const GridVar x = {pass.parameter((*group)[0]), layout};
    return scalar_of(conv(conv(x, weight, window), weight, window).values, target);
  });
}

TEST(ConvGradientTest, ReachesTheWeightOfAConstantInput) {
  const auto layout = GridLayout::uniform(2, {3, 3}, {});
  const auto group = gradcheck::make_group({{2, 9, uniform<real>(18, 2)}});
  const GridVar x = {Var(random(18, 1, 1)), layout};
  const Tensor target = random(layout.after(kStride2).rows(), 2, 3);
  expect_gradients(*group, [&](const Pass& pass) {
    return scalar_of(conv(x, pass.parameter((*group)[0]), kStride2).values, target);
  });
}

TEST(ConvTest, RefusesAWeightOfAnotherWidth) {
  const GridVar x = {Var(random(9, 2, 1)), GridLayout::uniform(1, {3, 3}, {})};
  EXPECT_NE(testing::error_of([&] {
              conv(x, Var(random(4, 9, 2)), kStride2);
            }).find("conv: weight has 9 columns; a window of 3 x 3 on 2 channels has 18"),
            std::string::npos);
}

TEST(MaxPoolGradientTest, MatchesDifferencesWhereWindowsOverlap) {
  const auto layout = GridLayout::packed({{5, 4}, {1, 1}, {2, 7}}, {});
  const auto group = gradcheck::make_group({{layout.rows(), 2, shuffled(layout.rows() * 2, 5)}});
  const Tensor target = random(layout.after(kStride2).rows(), 2, 3);
  expect_gradients(*group, [&](const Pass& pass) {
    const Var x = pass.parameter((*group)[0]);
    const Var pooled = scalar_of(max_pool({x, layout}, kStride2).values, target);
    // Recorded later, so its gradient is there before that of the pooling.
    return add(pooled, scalar_of(x, Tensor::zeros(layout.rows(), 2, {})));
  });
}

TEST(GridMeanGradientTest, MatchesDifferencesOnSamplesOfManySizes) {
  const auto layout = GridLayout::packed({{2, 3}, {1, 1}, {1, 4}}, {});
  const auto group = gradcheck::make_group({{11, 2, uniform<real>(22, 5)}});
  const Tensor target = random(3, 2, 3);
  expect_gradients(*group, [&](const Pass& pass) {
    const Var x = pass.parameter((*group)[0]);
    const Var mean = scalar_of(grid_mean({x, layout}), target);
    return add(mean, scalar_of(x, Tensor::zeros(11, 2, {})));
  });
}

TEST(SeriesPyramidTest, LevelsAreMeansOverBinsOfEachSamplesOwnSteps) {
  const std::vector<int32_t> lengths = {5, 1};
  const GridVar x = {Var(Tensor::from_host(6, 1, std::vector<real>{1, 2, 4, 8, 16, 7})),
                     GridLayout::series(lengths, {})};
  const GridVar levels = series_pyramid(x, {1, 2, 4}, 1);
  std::vector<int32_t> steps;
  for (int64_t s = 0; s < levels.layout.count(); ++s) steps.push_back(levels.layout.size(s).width);
  EXPECT_EQ(steps, (std::vector<int32_t>{5, 1, 2, 1, 1, 1}));
  // Bins of 5 steps in 2: steps 0 to 2, and 2 to 4.
  testing::expect_close(levels.values.value().to_host(),
                        {1, 2, 4, 8, 16, 7, 7. / 3, 28. / 3, 7, 31. / 5, 7}, 1e-15);
}

TEST(SeriesPyramidTest, NoLevelIsLongerThanItsSample) {
  const std::vector<int32_t> lengths = {9, 2};
  const GridVar x = {Var(random(11, 1, 1)), GridLayout::series(lengths, {})};
  const GridVar levels = series_pyramid(x, {4}, 3);
  EXPECT_EQ(levels.layout.size(0).width, 3);
  EXPECT_EQ(levels.layout.size(1).width, 2);
}

TEST(SeriesPyramidTest, RefusesARecordedSeries) {
  const auto group = gradcheck::make_group({{4, 1, uniform<real>(4, 1)}});
  Tape tape;
  const GridVar x = {tape.parameter((*group)[0]), GridLayout::uniform(1, {1, 4}, {})};
  EXPECT_NE(testing::error_of([&] { series_pyramid(x, {2}, 1); }).find("x is recorded"),
            std::string::npos);
}

TEST(ConcatenateColumnsGradientTest, MatchesDifferencesWithConstantsAndRepetitions) {
  const auto group =
      gradcheck::make_group({{3, 2, uniform<real>(6, 1)}, {3, 4, uniform<real>(12, 2)}});
  const Var constant(random(3, 1, 4));
  const Tensor target = random(3, 9, 3);
  expect_gradients(*group, [&](const Pass& pass) {
    const Var a = pass.parameter((*group)[0]), b = pass.parameter((*group)[1]);
    return scalar_of(concatenate_columns({constant, a, b, a}), target);
  });
}

TEST(ConcatenateColumnsTest, PutsThePartsSideBySide) {
  const Var a(Tensor::from_host(2, 1, std::vector<real>{1, 2})),
      b(Tensor::from_host(2, 2, std::vector<real>{3, 4, 5, 6}));
  EXPECT_EQ(concatenate_columns({a, b}).value().to_host(), (std::vector<real>{1, 3, 4, 2, 5, 6}));
}

TEST(TakeColumnsGradientTest, MatchesDifferencesAndLeavesOthersAtZero) {
  const auto group = gradcheck::make_group({{3, 5, uniform<real>(15, 1)}});
  const ColumnSelection selection({4, 0, 2}, 5, {});
  const Tensor target = random(3, 3, 3);
  expect_gradients(*group, [&](const Pass& pass) {
    return scalar_of(take_columns(pass.parameter((*group)[0]), selection), target);
  });
}

TEST(TakeColumnsTest, ASelectionTakesEachColumnOnce) {
  EXPECT_NE(testing::error_of([] {
              ColumnSelection({1, 0, 1}, 3, {});
            }).find("column 1 is taken twice"),
            std::string::npos);
}

TEST(SliceRowsGradientTest, MatchesDifferencesWhereSlicesOverlap) {
  const auto group = gradcheck::make_group({{6, 2, uniform<real>(12, 1)}});
  const Tensor target = random(3, 2, 3);
  expect_gradients(*group, [&](const Pass& pass) {
    const Var x = pass.parameter((*group)[0]);
    return add(scalar_of(slice_rows(x, 1, 3), target), scalar_of(slice_rows(x, 2, 3), target));
  });
}

TEST(AddReluInPlaceGradientTest, MatchesDifferencesWhereASummandIsUsedTwice) {
  const auto group = gradcheck::make_group({{4, 3, uniform<real>(12, 1)},
                                            {3, 3, uniform<real>(9, 2)},
                                            {4, 3, testing::uniform_off_zero<real>(12, 8, 0.1)}});
  const Tensor target = random(4, 3, 3);
  expect_gradients(*group, [&](const Pass& pass) {
    const Var a = linear(pass.parameter((*group)[0]), pass.parameter((*group)[1]), Var());
    const Var b = pass.parameter((*group)[2]);
    return scalar_of(add(add_relu_in_place(a, b), b), target);
  });
}

}  // namespace
}  // namespace tessera::inline TESSERA_PRECISION
