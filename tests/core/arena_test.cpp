#include "core/arena.h"

#include <set>

#include "core/context.h"
#include "testing/backends.h"

namespace tessera {
namespace {

class ArenaTest : public ::testing::Test {
 protected:
  Arena arena_{cpu_context()};
};

TEST_F(ArenaTest, PiecesAreAlignedTo256BytesAndDoNotOverlap) {
  arena_.begin(Arena::Mode::Grow);
  std::byte* end = nullptr;
  for (const size_t bytes : {1, 256, 257, 3}) {
    auto* piece = static_cast<std::byte*>(arena_.allocate(bytes));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(piece) % 256, 0u);
    if (end != nullptr) {
      EXPECT_GE(piece, end);
    }
    end = piece + bytes;
  }
  arena_.end();
}

TEST_F(ArenaTest, ARequestOfNothingStillGetsItsOwnAddress) {
  arena_.begin(Arena::Mode::Grow);
  EXPECT_NE(arena_.allocate(0), arena_.allocate(0));
  arena_.end();
}

TEST_F(ArenaTest, AReleasedPieceGoesToTheNextRequestOfItsSizeOnly) {
  arena_.begin(Arena::Mode::Grow);
  void* piece = arena_.allocate(1000);
  arena_.release(piece, 1000);
  EXPECT_NE(arena_.allocate(2000), piece);
  EXPECT_EQ(arena_.allocate(900), piece);  // 900 and 1000 both round to 1024
  EXPECT_NE(arena_.allocate(1000), piece);
  arena_.end();
}

TEST_F(ArenaTest, HighWaterIsTheSumOverBlocks) {
  arena_.begin(Arena::Mode::Grow);
  for (int i = 0; i < 3; ++i) arena_.allocate(1 << 16);
  EXPECT_EQ(arena_.high_water(), size_t{3} << 16);
  arena_.end();
}

TEST_F(ArenaTest, FixedRefusesMoreThanWasReserved) {
  arena_.reserve(1024);
  arena_.begin(Arena::Mode::Fixed);
  arena_.allocate(1024);
  const std::string error = testing::error_of([&] { arena_.allocate(1); });
  EXPECT_NE(error.find("1024 bytes it was planned with"), std::string::npos) << error;
  arena_.end();
}

TEST_F(ArenaTest, AStepAfterGrowthFindsOneBlockThatHoldsItAll) {
  arena_.begin(Arena::Mode::Grow);
  for (int i = 0; i < 20; ++i) arena_.allocate(1 << 16);
  arena_.end();
  arena_.begin(Arena::Mode::Grow);
  arena_.end();
  EXPECT_GE(arena_.block()->bytes(), size_t{20} << 16);
}

TEST_F(ArenaTest, ReserveNeverTakesMemoryFromAnEarlierPlan) {
  arena_.reserve(1 << 20);
  arena_.begin(Arena::Mode::Grow);
  for (int i = 0; i < 3; ++i) arena_.allocate(1 << 20);  // several blocks
  arena_.end();
  arena_.reserve(256);
  EXPECT_GE(arena_.block()->bytes(), size_t{1} << 20);
}

TEST_F(ArenaTest, AnOldBlockLivesWhileSomeoneHoldsIt) {
  arena_.reserve(4096);
  const std::shared_ptr<Block> held = arena_.block();
  arena_.reserve(1 << 20);
  EXPECT_NE(arena_.block(), held);
  held->data()[4095] = std::byte{1};  // still ours; a sanitizer would say otherwise
}

TEST_F(ArenaTest, EpochTellsStepsApart) {
  std::set<uint64_t> epochs;
  for (int i = 0; i < 3; ++i) {
    arena_.begin(Arena::Mode::Grow);
    epochs.insert(arena_.epoch());
    arena_.end();
  }
  EXPECT_EQ(epochs.size(), 3u);
}

}  // namespace
}  // namespace tessera
