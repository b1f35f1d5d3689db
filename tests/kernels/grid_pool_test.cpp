#include "tessera/kernels/grid_pool.h"

#include "kernels/grid_samples.h"
#include "testing/backends.h"
#include "testing/determinism.h"
#include "testing/guarded.h"
#include "testing/numbers.h"

namespace tessera::kernels {
namespace {

using testing::DeviceGrids;
using testing::GridSamples;
using testing::Guarded;

struct PoolCase {
  std::vector<testing::GridSize> sizes;
  Window window;
  bool is_uniform;
};

const PoolCase kPoolCases[] = {
    {{{1, 1}, {1, 7}, {1, 2}, {1, 30}, {1, 1}}, {.width = 3, .stride_x = 2, .pad_x = 1}, false},
    {{{1, 9}, {1, 4}, {1, 5}}, {.width = 2, .stride_x = 3}, false},  // some positions in no window
    {{{5, 4}, {2, 9}, {1, 1}, {7, 7}},
     {.height = 3, .width = 3, .stride_y = 2, .stride_x = 1, .pad_y = 1, .pad_x = 1},
     false},
    {{{6, 5}, {6, 5}, {6, 5}}, {.height = 2, .width = 2, .stride_y = 2, .stride_x = 2}, true},
    {{{3, 4}}, {}, true},
    {{}, {}, true},
};
constexpr int64_t kChannels[] = {1, 5, 33, 70};

/// Few values, so that many are equal.
std::vector<float> with_ties(int64_t count, uint64_t seed) {
  std::vector<float> values;
  for (const int32_t v : testing::integers(count, seed, 5)) values.push_back(float(v) - 2);
  return values;
}

struct Maxima {
  std::vector<float> y;
  std::vector<int32_t> source;
};

/// By the definition: an element that comes later must be larger.
Maxima maxima_of(const PoolCase& test, const std::vector<float>& x, int64_t channels) {
  const GridSamples in(test.sizes), out = in.after(test.window);
  Maxima found{std::vector<float>(size_t(out.rows() * channels)),
               std::vector<int32_t>(size_t(out.rows() * channels), -1)};
  testing::for_elements_shown(in, out, test.window, [&](int64_t q, int, int, int64_t p) {
    for (int64_t c = 0; c < channels; ++c) {
      const auto at = size_t(q * channels + c);
      const float value = x[size_t(p * channels + c)];
      if (found.source[at] >= 0 && !(value > found.y[at])) continue;
      found.y[at] = value;
      found.source[at] = int32_t(p);
    }
  });
  return found;
}

Maxima run_max_pool(const PoolCase& test, const std::vector<float>& x, int64_t channels,
                    Device device) {
  const GridSamples in(test.sizes), out = in.after(test.window);
  const DeviceGrids in_grids(in, test.is_uniform, device), out_grids(out, test.is_uniform, device);
  Guarded<float> x_in(x, in.rows(), channels, device),
      y = Guarded<float>::out(out.rows(), channels, device);
  Guarded<int32_t> source = Guarded<int32_t>::out(out.rows(), channels, device);
  on_device(device, [&](auto& context) {
    max_pool(context, {.x = x_in.matrix_view(),
                       .in = in_grids.grids(),
                       .out = out_grids.grids(),
                       .window = test.window,
                       .y = y.matrix(),
                       .source = source.matrix()});
  });
  return {y.values(), source.values()};
}

std::vector<float> run_max_pool_grad(const PoolCase& test, const std::vector<float>& dy,
                                     const std::vector<int32_t>& source,
                                     const std::vector<float>& before, int64_t channels, float beta,
                                     Device device) {
  const GridSamples in(test.sizes), out = in.after(test.window);
  const DeviceGrids in_grids(in, test.is_uniform, device), out_grids(out, test.is_uniform, device);
  Guarded<float> dy_in(dy, out.rows(), channels, device), dx(before, in.rows(), channels, device);
  Guarded<int32_t> source_in(source, out.rows(), channels, device);
  on_device(device, [&](auto& context) {
    max_pool_grad(context, {.dy = dy_in.matrix_view(),
                            .source = source_in.matrix_view(),
                            .in = in_grids.grids(),
                            .out = out_grids.grids(),
                            .window = test.window,
                            .dx = dx.matrix(),
                            .beta = beta});
  });
  return dx.values();
}

class GridPoolTest : public testing::BackendTest {
 protected:
  /// The rows that the mean of `samples` gives.
  std::vector<float> grid_means(const GridSamples& samples, bool is_uniform,
                                const std::vector<float>& x, int64_t channels) {
    const DeviceGrids grids(samples, is_uniform, device());
    Guarded<float> x_in(x, samples.rows(), channels, device()),
        y = Guarded<float>::out(int64_t(samples.count()), channels, device());
    run([&](auto& context) {
      grid_mean(context, {.x = x_in.matrix_view(), .in = grids.grids(), .y = y.matrix()});
    });
    return y.values();
  }
  std::vector<float> series_means(const GridSamples& in, const GridSamples& out,
                                  const std::vector<float>& x, int64_t channels) {
    const DeviceGrids in_grids(in, false, device()), out_grids(out, false, device());
    Guarded<float> x_in(x, in.rows(), channels, device()),
        y = Guarded<float>::out(out.rows(), channels, device());
    run([&](auto& context) {
      series_mean(context, {.x = x_in.matrix_view(),
                            .in = in_grids.grids(),
                            .out = out_grids.grids(),
                            .y = y.matrix()});
    });
    return y.values();
  }
};
TESSERA_FOR_EACH_BACKEND(GridPoolTest);

TEST_P(GridPoolTest, MaximaAreTheFirstLargestOfEachWindow) {
  for (const PoolCase& test : kPoolCases)
    for (const int64_t channels : kChannels) {
      const auto x = with_ties(GridSamples(test.sizes).rows() * channels, 1);
      const Maxima expected = maxima_of(test, x, channels);
      const Maxima found = run_max_pool(test, x, channels, device());
      testing::expect_same_bits(found.y, expected.y);
      EXPECT_EQ(found.source, expected.source);
    }
}

TEST_P(GridPoolTest, MaximumOfNegativeValuesAtABorderIsNotThePadding) {
  const PoolCase test = {{{1, 2}}, {.width = 3, .pad_x = 1}, false};
  EXPECT_EQ(run_max_pool(test, {-3, -5}, 1, device()).y, (std::vector<float>{-3, -3}));
}

TEST_P(GridPoolTest, GradientGoesToWhereTheMaximaCameFrom) {
  for (const PoolCase& test : kPoolCases)
    for (const int64_t channels : kChannels)
      for (const float beta : {0.0f, 1.0f, 0.5f}) {
        const GridSamples in(test.sizes), out = in.after(test.window);
        const auto source = maxima_of(test, with_ties(in.rows() * channels, 1), channels).source;
        const auto dy = testing::uniform<float>(out.rows() * channels, 2),
                   before = testing::old_values(in.rows() * channels, beta);
        std::vector<float> expected(before);
        for (float& value : expected) value = beta == 0 ? 0 : beta * value;
        for (size_t e = 0; e < dy.size(); ++e)
          expected[size_t(source[e]) * size_t(channels) + e % size_t(channels)] += dy[e];
        testing::expect_same_bits(
            run_max_pool_grad(test, dy, source, before, channels, beta, device()), expected);
      }
}

TEST_P(GridPoolTest, MeanIsOverThePositionsOfTheSampleAlone) {
  const GridSamples ragged({{1, 1}, {4, 5}, {1, 300}, {7, 1}}), uniform({{3, 5}, {3, 5}, {3, 5}});
  for (const bool is_uniform : {false, true})
    for (const int64_t channels : {1, 5, 70, 129}) {
      const GridSamples& samples = is_uniform ? uniform : ragged;
      const auto x = testing::uniform<float>(samples.rows() * channels, 3);
      std::vector<float> expected;
      for (const GridPlace& place : samples.places())
        for (int64_t c = 0; c < channels; ++c) {
          const int64_t positions = int64_t{place.height} * place.width;
          double sum = 0;
          for (int64_t p = 0; p < positions; ++p)
            sum += x[size_t((place.first_row + p) * channels + c)];
          expected.push_back(float(sum / double(positions)));
        }
      testing::expect_same_bits(grid_means(samples, is_uniform, x, channels), expected);
    }
}

TEST_P(GridPoolTest, MeanGradientIsSharedByThePositions) {
  const GridSamples samples({{1, 1}, {4, 5}, {1, 33}, {7, 1}});
  for (const int64_t channels : kChannels)
    for (const float beta : {0.0f, 1.0f, 0.5f}) {
      const auto dy = testing::uniform<float>(int64_t(samples.count()) * channels, 4),
                 before = testing::old_values(samples.rows() * channels, beta);
      const DeviceGrids grids(samples, false, device());
      Guarded<float> dy_in(dy, int64_t(samples.count()), channels, device()),
          dx(before, samples.rows(), channels, device());
      run([&](auto& context) {
        grid_mean_grad(
            context,
            {.dy = dy_in.matrix_view(), .in = grids.grids(), .dx = dx.matrix(), .beta = beta});
      });
      std::vector<float> expected;
      for (size_t s = 0; s < samples.count(); ++s) {
        const GridPlace place = samples.places()[s];
        const auto positions = size_t(place.height) * size_t(place.width);
        for (size_t e = 0; e < positions * size_t(channels); ++e) {
          const size_t at = size_t(place.first_row * channels) + e;
          const float part = dy[s * size_t(channels) + e % size_t(channels)] / float(positions);
          expected.push_back((beta == 0 ? 0 : beta * before[at]) + part);
        }
      }
      testing::expect_same_bits(dx.values(), expected);
    }
}

TEST_P(GridPoolTest, BinsOfASeriesCoverItAndMayShareAStep) {
  const GridSamples in({{1, 5}}), out({{1, 2}});  // bins [0, 3) and [2, 5)
  EXPECT_EQ(series_means(in, out, {1, 2, 6, 10, 20}, 1), (std::vector<float>{3, 12}));
}

TEST_P(GridPoolTest, SeriesMeansServeSeveralLevelsAtOnce) {
  const GridSamples in({{1, 1}, {1, 12}, {1, 7}});
  // Shorter, equal and longer than the series; as many samples three times.
  const GridSamples out({{1, 1}, {1, 5}, {1, 7}, {1, 3}, {1, 1}, {1, 2}, {1, 1}, {1, 24}, {1, 9}});
  for (const int64_t channels : kChannels) {
    const auto x = testing::uniform<float>(in.rows() * channels, 5);
    std::vector<float> expected;
    for (size_t s = 0; s < out.count(); ++s) {
      const GridPlace from = in.places()[s % in.count()];
      const int64_t steps = from.width, bins = out.places()[s].width;
      for (int64_t i = 0; i < bins; ++i)
        for (int64_t c = 0; c < channels; ++c) {
          double sum = 0, count = 0;
          for (int64_t t = 0; t < steps; ++t) {
            // t + 1 > i steps / bins and t < (i + 1) steps / bins, without division
            if ((t + 1) * bins <= i * steps || t * bins >= (i + 1) * steps) continue;
            sum += x[size_t((from.first_row + t) * channels + c)];
            ++count;
          }
          expected.push_back(float(sum / count));
        }
    }
    testing::expect_same_bits(series_means(in, out, x, channels), expected);
  }
}

TEST(GridPoolThreadsTest, AnyNumberOfThreadsGivesTheSameBits) {
  const PoolCase test = {{{30, 31}, {17, 64}, {1, 5}},
                         {.height = 3, .width = 3, .stride_y = 1, .stride_x = 2, .pad_y = 1},
                         false};
  const int64_t channels = 37;
  const GridSamples in(test.sizes), out = in.after(test.window);
  const auto x = testing::uniform<float>(in.rows() * channels, 1);
  const auto dy = testing::uniform<float>(out.rows() * channels, 2);
  testing::expect_same_bits_everywhere([&] {
    const Maxima found = run_max_pool(test, x, channels, {});
    return run_max_pool_grad(test, dy, found.source, x, channels, 1, {});
  });
}

TEST(GridPoolThreadsTest, MeansHaveTheSameBitsForAnyNumberOfThreads) {
  const GridSamples in({{1, 300}, {1, 2}, {1, 77}}), out({{1, 30}, {1, 9}, {1, 80}});
  const DeviceGrids in_grids(in, false, {}), out_grids(out, false, {});
  const int64_t channels = 70;
  const auto x = testing::uniform<float>(in.rows() * channels, 1);
  testing::expect_same_bits_everywhere([&] {
    Guarded<float> x_in(x, in.rows(), channels, {}), y(x, in.rows(), channels, {}),
        mean = Guarded<float>::out(3, channels, {}),
        bins = Guarded<float>::out(out.rows(), channels, {});
    on_device({}, [&](auto& context) {
      grid_mean(context, {.x = x_in.matrix_view(), .in = in_grids.grids(), .y = mean.matrix()});
      series_mean(context, {.x = x_in.matrix_view(),
                            .in = in_grids.grids(),
                            .out = out_grids.grids(),
                            .y = bins.matrix()});
      grid_mean_grad(
          context, {.dy = mean.matrix_view(), .in = in_grids.grids(), .dx = y.matrix(), .beta = 1});
    });
    std::vector<float> all = bins.values();
    const std::vector<float> gradient = y.values();
    all.insert(all.end(), gradient.begin(), gradient.end());
    return all;
  });
}

}  // namespace
}  // namespace tessera::kernels
