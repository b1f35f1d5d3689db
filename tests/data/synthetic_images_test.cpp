#include "data/synthetic_images.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tessera/kmeans.h"

namespace tessera {
namespace {

constexpr int64_t kPixels = 28 * 28;

TEST(SyntheticImagesTest, ShapeAndType) {
  const HostArray images = synthetic_images(7, 0, Split::Train);
  EXPECT_EQ(images.dtype, DType::U8);
  EXPECT_EQ(images.shape, (std::vector<int64_t>{7, 28, 28}));
}

TEST(SyntheticImagesTest, DependOnSeedAndSplitAndNotOnTheirNumber) {
  const HostArray images = synthetic_images(20, 3, Split::Train);
  EXPECT_EQ(synthetic_images(20, 3, Split::Train).bytes, images.bytes);
  EXPECT_NE(synthetic_images(20, 4, Split::Train).bytes, images.bytes);
  EXPECT_NE(synthetic_images(20, 3, Split::Test).bytes, images.bytes);
  const HostArray more = synthetic_images(30, 3, Split::Train);
  EXPECT_TRUE(std::equal(images.bytes.begin(), images.bytes.end(), more.bytes.begin()));
}

TEST(SyntheticImagesTest, NoTwoAreAlikeAndNoneIsPlain) {
  const HostArray images = synthetic_images(500, 0, Split::Test);
  std::set<std::vector<std::byte>> different;
  for (int64_t i = 0; i < 500; ++i) {
    const auto begin = images.bytes.begin() + i * kPixels;
    const auto [low, high] = std::minmax_element(begin, begin + kPixels);
    EXPECT_GE(std::to_integer<int>(*high) - std::to_integer<int>(*low), 20) << i;
    different.emplace(begin, begin + kPixels);
  }
  EXPECT_EQ(different.size(), 500u);
}

TEST(SyntheticImagesTest, MoreCentresKeepGettingBetter) {
  const HostArray images = synthetic_images(400, 0, Split::Train);
  std::vector<float> values = images.to_floats("images");
  for (float& value : values) value /= 255;
  const Tensor rows = Tensor::from_host(400, kPixels, values);
  std::vector<double> errors;
  for (const int64_t clusters : {1, 4, 16, 64})
    errors.push_back(
        kmeans(rows.view(), {}, {.clusters = clusters, .iterations = 5, .progress = {}})
            .mean_sq_dist);
  for (size_t i = 1; i < errors.size(); ++i) EXPECT_LT(errors[i], 0.9 * errors[i - 1]);
  EXPECT_GT(errors.back(), 0.1 * errors.front());
}

}  // namespace
}  // namespace tessera
