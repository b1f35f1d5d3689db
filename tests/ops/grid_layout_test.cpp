#include "tessera/grid_layout.h"

#include "tessera/step.h"
#include "testing/backends.h"

namespace tessera::inline TESSERA_PRECISION {
namespace {

constexpr kernels::Window kStride2 = {.width = 3, .stride_x = 2, .pad_x = 1};

std::vector<int32_t> widths(const GridLayout& layout) {
  std::vector<int32_t> result;
  for (int64_t s = 0; s < layout.count(); ++s) result.push_back(layout.size(s).width);
  return result;
}
const void* places(const GridLayout& layout) { return layout.view().places; }

TEST(GridLayoutTest, SamplesFollowOneAnotherWithoutGaps) {
  const GridLayout layout = GridLayout::packed({{2, 3}, {1, 1}, {4, 2}}, {});
  EXPECT_EQ(layout.rows(), 15);
  const kernels::Grids grids = layout.view();
  EXPECT_EQ(kernels::place_of(grids, 2).first_row, 7);
  EXPECT_EQ(kernels::sample_of(grids, 6), 1);
}

TEST(GridLayoutTest, SamplesOfOneSizeNeedNothingOnTheDevice) {
  const std::vector<int32_t> lengths = {5, 5};
  EXPECT_TRUE(GridLayout::series(lengths, {}).is_uniform());
  EXPECT_EQ(places(GridLayout::series(lengths, {})), nullptr);
}

TEST(GridLayoutTest, AWindowIsAppliedToEachSampleAlone) {
  const std::vector<int32_t> lengths = {9, 1, 4};
  EXPECT_EQ(widths(GridLayout::series(lengths, {}).after(kStride2)),
            (std::vector<int32_t>{5, 1, 2}));
}

TEST(GridLayoutTest, WhatAWindowMakesIsMadeOnce) {
  const std::vector<int32_t> lengths = {9, 1, 4};
  const GridLayout layout = GridLayout::series(lengths, {});
  EXPECT_EQ(places(layout.after(kStride2)), places(GridLayout(layout).after(kStride2)));
  EXPECT_NE(places(layout.after(kStride2)), places(layout.after({.stride_x = 3})));
  EXPECT_EQ(places(layout.after({.width = 3, .pad_x = 1})), places(layout));
}

TEST(GridLayoutTest, WhatAStepMakesIsNotKeptBeyondIt) {
  const std::vector<int32_t> lengths = {9, 1, 4};
  const GridLayout layout = GridLayout::series(lengths, {});
  for (int step = 0; step < 2; ++step)
    run_step({}, [&] { EXPECT_NE(places(layout.after(kStride2)), nullptr); });
}

TEST(GridLayoutTest, APersistentOneServesACapturedStep) {
  const GridLayout layout = GridLayout::packed({{1, 9}, {1, 4}}, {}, Lifetime::Persistent);
  const auto body = [&] { layout.after(kStride2).after(kStride2); };
  run_step({}, body);
  EXPECT_EQ(testing::error_of([&] { plan_step({}, body); }), "");
}

TEST(GridLayoutTest, AWindowThatFitsNowhereIsRefused) {
  const GridLayout layout = GridLayout::packed({{1, 9}, {1, 2}}, {});
  EXPECT_NE(testing::error_of([&] {
              layout.after({.width = 3});
            }).find("a window of 1 x 3 does not fit a grid of 1 x 2"),
            std::string::npos);
}

}  // namespace
}  // namespace tessera::inline TESSERA_PRECISION
