#include "tessera/buffer.h"

#include "testing/backends.h"

namespace tessera {
namespace {

class BufferTest : public testing::BackendTest {
 protected:
  Buffer<int32_t> counted(int64_t size) {
    std::vector<int32_t> values;
    for (int64_t i = 0; i < size; ++i) values.push_back(static_cast<int32_t>(i));
    return Buffer<int32_t>::from_host(values, device());
  }
};
TESSERA_FOR_EACH_BACKEND(BufferTest);

TEST_P(BufferTest, ComesBackAsItWasWritten) {
  EXPECT_EQ(counted(5).to_host(), (std::vector<int32_t>{0, 1, 2, 3, 4}));
}

TEST_P(BufferTest, ASliceIsTheSameMemory) {
  Buffer<int32_t> whole = counted(6);
  Buffer<int32_t> part = whole.slice(2, 3);
  const std::vector<int32_t> values = {7, 8, 9};
  part.write(values);
  EXPECT_EQ(whole.to_host(), (std::vector<int32_t>{0, 1, 7, 8, 9, 5}));
  EXPECT_EQ(part.slice(1, 1).to_host(), std::vector<int32_t>{8});
}

TEST_P(BufferTest, ZeroOfASliceLeavesTheRest) {
  Buffer<int32_t> whole = counted(4);
  whole.slice(1, 2).zero();
  EXPECT_EQ(whole.to_host(), (std::vector<int32_t>{0, 0, 0, 3}));
}

TEST_P(BufferTest, MayHoldNothing) {
  Buffer<int32_t> nothing(0, device());
  nothing.zero();
  EXPECT_TRUE(nothing.to_host().empty());
}

TEST_P(BufferTest, RefusesASliceBeyondItsEndAndValuesOfAnotherSize) {
  Buffer<int32_t> buffer = counted(4);
  EXPECT_NE(testing::error_of([&] { buffer.slice(2, 3); }), "");
  EXPECT_NE(testing::error_of([&] { buffer.slice(-1, 2); }), "");
  const std::vector<int32_t> five(5);
  EXPECT_NE(testing::error_of([&] { buffer.write(five); }), "");
}

}  // namespace
}  // namespace tessera
