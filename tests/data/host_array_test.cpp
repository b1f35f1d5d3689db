#include "tessera/files/host_array.h"

#include <cmath>
#include <limits>

#include "data/file_fixture.h"

namespace tessera {
namespace {

using testing::expect_data_error;

template <class T>
HostArray make(std::vector<int64_t> shape, std::vector<T> values) {
  return HostArray::from_values<T>(std::move(shape), std::span<const T>(values));
}

HostArray make_as(DType dtype, std::vector<int64_t> shape, std::vector<uint16_t> values) {
  HostArray array = make(std::move(shape), std::move(values));
  array.dtype = dtype;
  return array;
}

TEST(HostArrayTest, HalfBitsBecomeTheFloatsTheyDenote) {
  const auto array =
      make_as(DType::F16, {8}, {0x3C00, 0xC000, 0x0001, 0x03FF, 0x7BFF, 0x7C00, 0x8000, 0x3555});
  const auto values = array.to_floats("a");
  EXPECT_EQ(values,
            (std::vector<float>{1.f, -2.f, 0x1p-24f, 0x3FFp-24f, 65504.f,
                                std::numeric_limits<float>::infinity(), -0.f, 0x1.554p-2f}));
  EXPECT_TRUE(std::signbit(values[6]));
}

TEST(HostArrayTest, HalfNanStaysNan) {
  EXPECT_TRUE(std::isnan(make_as(DType::F16, {1}, {0x7E00}).to_floats("a")[0]));
}

TEST(HostArrayTest, EveryIntegerTypeConvertsToFloat) {
  EXPECT_EQ(make<uint8_t>({2}, {0, 255}).to_floats("a"), (std::vector<float>{0, 255}));
  EXPECT_EQ(make<int8_t>({2}, {-128, 127}).to_floats("a"), (std::vector<float>{-128, 127}));
  EXPECT_EQ(make<uint16_t>({1}, {65535}).to_floats("a"), (std::vector<float>{65535}));
  EXPECT_EQ(make<int16_t>({1}, {-32768}).to_floats("a"), (std::vector<float>{-32768}));
  EXPECT_EQ(make<uint32_t>({1}, {1u << 31}).to_floats("a"), (std::vector<float>{0x1p31f}));
  EXPECT_EQ(make<int32_t>({1}, {-7}).to_floats("a"), (std::vector<float>{-7}));
  EXPECT_EQ(make<uint64_t>({1}, {1ull << 63}).to_floats("a"), (std::vector<float>{0x1p63f}));
  EXPECT_EQ(make<int64_t>({1}, {INT64_MIN}).to_floats("a"), (std::vector<float>{-0x1p63f}));
}

TEST(HostArrayTest, DoubleBeyondFloatIsRefusedByPlace) {
  const auto array = make<double>({2, 3}, {0, 1, 2, 3, 1e39, 5});
  expect_data_error([&] { array.to_floats("a.npy"); },
                    "a.npy: value 1e+39 at row 1, column 1 of [2, 3] is beyond");
}

TEST(HostArrayTest, DoubleInfinityAndNanStay) {
  const double infinity = std::numeric_limits<double>::infinity();
  const auto values = make<double>({2}, {-infinity, std::nan("")}).to_floats("a");
  EXPECT_EQ(values[0], -std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(values[1]));
}

TEST(HostArrayTest, LargestFloatIsNotRefused) {
  const double largest = std::numeric_limits<float>::max();
  EXPECT_EQ(make<double>({1}, {largest}).to_floats("a")[0], std::numeric_limits<float>::max());
}

TEST(HostArrayTest, IntegersKeepTheirValue) {
  EXPECT_EQ(make<int64_t>({2}, {INT64_MIN, INT64_MAX}).to_int64("a"),
            (std::vector<int64_t>{INT64_MIN, INT64_MAX}));
  EXPECT_EQ(make<int8_t>({1}, {-3}).to_int64("a"), (std::vector<int64_t>{-3}));
  EXPECT_EQ(make<uint64_t>({1}, {0xFFFFFFFF}).to_uint32("a"), (std::vector<uint32_t>{0xFFFFFFFF}));
}

TEST(HostArrayTest, IntegerOutsideTheResultIsRefused) {
  expect_data_error([] { make<uint64_t>({1}, {1ull << 63}).to_int64("a"); },
                    "a: value 9223372036854775808 at row 0");
  expect_data_error(
      [] {
        make<int8_t>({2, 1}, {0, -1}).to_uint32("a");
      },
      "a: value -1 at row 1, column 0 of [2, 1] is outside 0 to 4294967295");
  expect_data_error([] { make<uint64_t>({1}, {1ull << 32}).to_uint32("a"); }, "outside");
}

TEST(HostArrayTest, FloatsAreRefusedAsIntegers) {
  expect_data_error([] { make<float>({1}, {1}).to_int64("a"); },
                    "a: the array is F32, integers are expected");
  expect_data_error([] { make_as(DType::F16, {1}, {0}).to_uint32("a"); }, "the array is F16");
}

TEST(HostArrayTest, BoolOtherThanZeroIsOne) {
  auto array = make<uint8_t>({3}, {0, 1, 2});
  array.dtype = DType::Bool;
  EXPECT_EQ(array.to_floats("a"), (std::vector<float>{0, 1, 1}));
  EXPECT_EQ(array.to_int64("a"), (std::vector<int64_t>{0, 1, 1}));
}

TEST(HostArrayTest, RequireFiniteNamesTheFirstPlace) {
  auto values = std::vector<float>(24, 1.f);
  values[17] = std::nanf("");
  values[20] = std::numeric_limits<float>::infinity();
  const auto array = make<float>({3, 2, 4}, values);
  expect_data_error([&] { require_finite(array, "x.npy"); },
                    "x.npy: value nan at row 2, column 1 of [3, 2, 4]");
}

TEST(HostArrayTest, RequireFiniteSeesHalfInfinity) {
  const auto array = make_as(DType::F16, {2}, {0, 0xFC00});
  expect_data_error([&] { require_finite(array, "x"); }, "value -inf at row 1, column 0");
}

TEST(HostArrayTest, RequireFiniteAcceptsNumbers) {
  EXPECT_NO_THROW(require_finite(make<double>({2}, {1e308, -1e308}), "x"));
  EXPECT_NO_THROW(require_finite(make<int64_t>({1}, {-1}), "x"));
  EXPECT_NO_THROW(require_finite(make<float>({0, 4}, {}), "x"));
}

TEST(HostArrayTest, SizesFollowTheShape) {
  const ArrayInfo cube{DType::F32, {2, 3, 4}}, scalar{DType::F32, {}}, empty{DType::F32, {0, 5}};
  EXPECT_EQ(cube.size(), 24);
  EXPECT_EQ(cube.rows(), 2);
  EXPECT_EQ(cube.row_size(), 12);
  EXPECT_EQ(scalar.size(), 1);
  EXPECT_EQ(scalar.rows(), 1);
  EXPECT_EQ(empty.size(), 0);
  EXPECT_EQ(empty.row_size(), 5);
}

TEST(HostArrayTest, ArrayBytesMultiplies) {
  EXPECT_EQ(array_bytes(DType::F64, std::vector<int64_t>{3, 5}, "a"), 120);
  EXPECT_EQ(array_bytes(DType::F16, {}, "a"), 2);
  EXPECT_EQ(array_bytes(DType::F64, std::vector<int64_t>{3, 0}, "a"), 0);
}

TEST(HostArrayTest, ImpossibleShapesAreRefused) {
  const auto bytes = [](std::vector<int64_t> shape) {
    return [shape] { array_bytes(DType::F64, shape, "a"); };
  };
  expect_data_error(bytes({3, -1}), "a: the shape [3, -1] has a negative dimension");
  expect_data_error(bytes({int64_t{1} << 31, int64_t{1} << 31}), "more than 2^63 bytes");
  expect_data_error(bytes({int64_t{1} << 60}), "more than 2^63 bytes");
}

TEST(HostArrayTest, ZeroDimensionDoesNotHideAnOverflow) {
  const std::vector<int64_t> shape{0, INT64_MAX, INT64_MAX};
  expect_data_error([&] { array_bytes(DType::U8, shape, "a"); }, "more than 2^63 bytes");
}

TEST(HostArrayTest, DtypeNamesReadBack) {
  for (int i = 0; i < 12; ++i) {
    const auto dtype = static_cast<DType>(i);
    EXPECT_EQ(parse_dtype(to_string(dtype)), dtype);
  }
  EXPECT_FALSE(parse_dtype("BF16"));
}

}  // namespace
}  // namespace tessera
