#include "tessera/kernels/batch.h"

#include <algorithm>
#include <numeric>

#include "tessera/tensor.h"
#include "testing/backends.h"
#include "testing/numbers.h"

namespace tessera::kernels {
namespace {

constexpr int64_t kCols = 3;

/// A data set whose row n is {n, n + 0.25, n + 0.5}, so that a row says which it is.
class BatchKernelTest : public testing::BackendTest {
 protected:
  Tensor rows(int64_t count) {
    std::vector<float> values;
    for (int64_t i = 0; i < count * kCols; ++i)
      values.push_back(float(i / kCols) + 0.25f * float(i % kCols));
    return Tensor::from_host(count, kCols, values, device());
  }
  Buffer<int32_t> subset(const std::vector<int32_t>& numbers) {
    return Buffer<int32_t>::from_host(numbers, device());
  }
  /// The row numbers that step `step_in_epoch` of `epoch` gives.
  std::vector<int32_t> load(const Tensor& source, const Buffer<int32_t>& of, int64_t batch_rows,
                            int64_t rows_per_step, uint64_t epoch, uint64_t step_in_epoch,
                            uint64_t seed = 1) {
    const StepState host{.seed = seed, .epoch = epoch, .step_in_epoch = step_in_epoch, .now = {}};
    const auto state = Buffer<StepState>::from_host({&host, 1}, device());
    Tensor batch = Tensor::empty(batch_rows, kCols, device());
    on_device(device(), [&](auto& context) {
      load_batch(context,
                 {.source = {.values = source.flat().data, .rows = source.rows(), .cols = kCols},
                  .subset = of.view(),
                  .batch = batch.mutable_view(),
                  .rows_per_step = rows_per_step,
                  .state = state.data()});
    });
    return numbers_of(batch.to_host());
  }
  /// Which rows these are; checks that each is complete.
  static std::vector<int32_t> numbers_of(const std::vector<float>& values) {
    std::vector<int32_t> numbers;
    for (size_t i = 0; i < values.size(); i += kCols) {
      numbers.push_back(static_cast<int32_t>(values[i]));
      for (size_t c = 0; c < kCols; ++c)
        EXPECT_EQ(values[i + c], float(numbers.back()) + 0.25f * float(c));
    }
    return numbers;
  }
  std::vector<int32_t> load_epoch(const Tensor& source, const Buffer<int32_t>& of, int64_t per_step,
                                  uint64_t epoch, uint64_t seed = 1) {
    std::vector<int32_t> all;
    for (int64_t first = 0, step = 1; first < of.size(); first += per_step, ++step) {
      const int64_t count = std::min(per_step, of.size() - first);  // the last may be smaller
      const auto batch =
          load(source, of, count, per_step, epoch, static_cast<uint64_t>(step), seed);
      all.insert(all.end(), batch.begin(), batch.end());
    }
    return all;
  }
  static std::vector<int32_t> every_third(int32_t count) {
    std::vector<int32_t> numbers;
    for (int32_t i = 0; i < count; ++i) numbers.push_back(3 * i + 1);
    return numbers;
  }
};
TESSERA_FOR_EACH_BACKEND(BatchKernelTest);

TEST_P(BatchKernelTest, EveryRowOfTheSubsetComesOnceAnEpoch) {
  const Tensor source = rows(400);
  for (const int32_t size : {1, 5, 64, 100, 130})
    for (const int64_t per_step : {1, 7, 32, 130}) {
      SCOPED_TRACE(::testing::Message() << size << " rows, " << per_step << " a step");
      std::vector<int32_t> seen = load_epoch(source, subset(every_third(size)), per_step, 4);
      std::sort(seen.begin(), seen.end());
      EXPECT_EQ(seen, every_third(size));
    }
}

TEST_P(BatchKernelTest, OrderChangesWithEpochAndSeedAndRepeatsOtherwise) {
  const Tensor source = rows(400);
  const Buffer<int32_t> of = subset(every_third(100));
  const auto order = load_epoch(source, of, 32, 4);
  EXPECT_EQ(order, load_epoch(source, of, 32, 4));
  EXPECT_NE(order, load_epoch(source, of, 32, 5));
  EXPECT_NE(order, load_epoch(source, of, 32, 4, 2));
}

TEST_P(BatchKernelTest, AStepTakesItsPlacesOfTheEpochsPermutation) {
  const Tensor source = rows(400);
  const auto found = load(source, subset(every_third(100)), 32, 32, 4, 2);
  for (uint64_t b = 0; b < 32; ++b)
    EXPECT_EQ(found[b], every_third(100)[permuted_index(1, kStreamShuffle, 4, 32 + b, 100)]) << b;
}

TEST_P(BatchKernelTest, OrderDoesNotDependOnTheSizeOfAStep) {
  const Tensor source = rows(400);
  const Buffer<int32_t> of = subset(every_third(100));
  EXPECT_EQ(load_epoch(source, of, 32, 4), load_epoch(source, of, 7, 4));
}

TEST_P(BatchKernelTest, AFullLastBatchWrapsToTheFrontOfTheEpoch) {
  const Tensor source = rows(40);
  const Buffer<int32_t> of = subset(every_third(10));
  const auto order = load_epoch(source, of, 8, 0);
  const auto last = load(source, of, 8, 8, 0, 2);
  EXPECT_EQ(last[1], order[9]);
  EXPECT_EQ(last[2], order[0]);
  EXPECT_EQ(last[7], order[5]);
}

TEST_P(BatchKernelTest, BytesAreScaled) {
  const std::vector<uint8_t> host = {0, 51, 255, 102, 204, 153};
  const auto bytes = Buffer<uint8_t>::from_host(host, device());
  Tensor batch = Tensor::empty(2, kCols, device());
  on_device(device(), [&](auto& context) {
    gather_rows(context,
                {.source = {.bytes = bytes.data(), .rows = 2, .cols = kCols, .scale = 1.0f / 255},
                 .subset = {},
                 .first = 0,
                 .batch = batch.mutable_view()});
  });
  testing::expect_close(batch.to_host(), {0, 0.2, 1, 0.4, 0.8, 0.6}, 1.2e-7);
}

TEST_P(BatchKernelTest, GatherTakesRowsInOrderWithAndWithoutASubset) {
  const Tensor source = rows(40);
  const auto gather = [&](VectorView<const int32_t> of, int64_t first, int64_t count) {
    Tensor batch = Tensor::empty(count, kCols, device());
    on_device(device(), [&](auto& context) {
      gather_rows(context, {.source = {.values = source.flat().data, .rows = 40, .cols = kCols},
                            .subset = of,
                            .first = first,
                            .batch = batch.mutable_view()});
    });
    return numbers_of(batch.to_host());
  };
  const Buffer<int32_t> of = subset({9, 8, 7, 6, 5});
  EXPECT_EQ(gather({}, 36, 4), (std::vector<int32_t>{36, 37, 38, 39}));
  EXPECT_EQ(gather(of.view(), 2, 3), (std::vector<int32_t>{7, 6, 5}));
  EXPECT_TRUE(gather(of.view(), 5, 0).empty());
}

TEST_P(BatchKernelTest, RowsGoWhereTheBatchsPitchSays) {
  const Tensor source = rows(4);
  Tensor wide = Tensor::zeros(2, 5, device());
  on_device(device(), [&](auto& context) {
    gather_rows(context, {.source = {.values = source.flat().data, .rows = 4, .cols = kCols},
                          .subset = {},
                          .first = 1,
                          .batch = {wide.mutable_flat().data, 2, kCols, 5}});
  });
  EXPECT_EQ(wide.to_host(), (std::vector<float>{1, 1.25f, 1.5f, 0, 0, 2, 2.25f, 2.5f, 0, 0}));
}

}  // namespace
}  // namespace tessera::kernels
