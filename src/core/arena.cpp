#include "core/arena.h"

#include <algorithm>

#include "core/context_base.h"
#include "tessera/error.h"

namespace tessera {
namespace {
constexpr size_t kAlignment = 256;       // what cudaMalloc gives, so 128-bit loads always work
constexpr size_t kFirstBlock = 1 << 16;  // an unplanned first step grows from here
// A planned step hands out addresses from here up. Nothing executes, so none is followed.
constexpr uintptr_t kPlanBase = uintptr_t{1} << 46;

size_t rounded(size_t bytes) {
  return std::max(kAlignment, (bytes + kAlignment - 1) / kAlignment * kAlignment);
}
}  // namespace

Block::Block(Context& context, size_t bytes)
    : context_(context), data_(static_cast<std::byte*>(context.allocate(bytes))), bytes_(bytes) {}

Block::~Block() { context_.free(data_); }

void Arena::reserve(size_t bytes) {
  TESSERA_CHECK(!open_, "arena: reserve inside a step");
  for (const auto& block : blocks_) bytes = std::max(bytes, block->bytes());  // earlier plans fit
  if (blocks_.size() == 1 && blocks_[0]->bytes() >= bytes) return;
  blocks_.clear();
  blocks_.push_back(std::make_shared<Block>(context_, rounded(bytes)));
}

void Arena::begin(Mode mode) {
  TESSERA_CHECK(!open_, "step: one is already running on this device; steps do not nest");
  mode_ = mode;
  if (mode == Mode::Grow) {
    size_t bytes = kFirstBlock;
    for (const auto& block : blocks_) bytes = std::max(bytes, block->bytes());
    if (blocks_.size() > 1) {
      bytes = 0;
      for (const auto& block : blocks_) bytes += block->bytes();
    }
    reserve(bytes);
  }
  base_ = mode == Mode::Plan ? reinterpret_cast<std::byte*>(kPlanBase) : blocks_.at(0)->data();
  capacity_ = mode == Mode::Plan ? SIZE_MAX : blocks_.at(0)->bytes();
  offset_ = finished_ = 0;
  released_.clear();
  open_ = true;
}

void Arena::end() noexcept {
  open_ = false;
  ++epoch_;
}

void* Arena::allocate(size_t bytes) {
  bytes = rounded(bytes);
  if (auto found = released_.find(bytes); found != released_.end() && !found->second.empty()) {
    std::byte* data = found->second.back();
    found->second.pop_back();
    return data;
  }
  if (bytes > capacity_ - offset_) {
    TESSERA_CHECK(mode_ == Mode::Grow, "step: needs more than the ", capacity_,
                  " bytes it was planned with; its body depends on host state that changed");
    finished_ += offset_;
    blocks_.push_back(std::make_shared<Block>(context_, std::max(bytes, 2 * capacity_)));
    base_ = blocks_.back()->data();
    capacity_ = blocks_.back()->bytes();
    offset_ = 0;
  }
  std::byte* data = base_ + offset_;
  offset_ += bytes;
  return data;
}

void Arena::release(void* data, size_t bytes) noexcept {
  released_[rounded(bytes)].push_back(static_cast<std::byte*>(data));
}

}  // namespace tessera
