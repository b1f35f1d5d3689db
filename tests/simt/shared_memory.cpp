#include <cstdint>
#include <vector>

#include "scheduler.h"
#include "simt/sanitizer.h"
#include "thread_sanitizer.h"

namespace simt {
namespace {

constexpr size_t kRedZone = 256, kAlignment = 256;
constexpr size_t kLimit = 48 * 1024;  // bytes of static shared memory per block
constexpr size_t kArenaBytes = 1 << 20;

/// Shared arrays of the running block, between red zones.
struct SharedMemory {
  char* arena = nullptr;
  size_t used = 0, static_bytes = 0;
  std::vector<void*> arrays;  // by id
  int ids = 0;
};

SharedMemory& memory() {
  static SharedMemory& shared = *new SharedMemory;
  return shared;
}

}  // namespace

/// Memory that nothing wrote is NaN or -1. Not memset: ThreadSanitizer takes that for the running
/// thread's own writes.
static void fill(unsigned char* data, size_t bytes) {
  size_t i = 0;
  for (; i + sizeof(uint64_t) <= bytes; i += sizeof(uint64_t))
    *reinterpret_cast<uint64_t*>(data + i) = ~uint64_t{0};
  for (; i < bytes; ++i) data[i] = 0xFF;
}

int new_shared_id() { return memory().ids++; }

void begin_shared_block() {
  SharedMemory& shared = memory();
  if (shared.arena == nullptr) shared.arena = static_cast<char*>(recycled_memory(kArenaBytes));
  forget(shared.arena, shared.used);
  sanitizer::poison(shared.arena, shared.used == 0 ? kArenaBytes : shared.used);
  shared.used = shared.static_bytes = 0;
  shared.arrays.assign(shared.ids, nullptr);
}

void end_shared_block() { sanitizer::poison(memory().arena, memory().used); }

void* shared_storage(int id, size_t bytes) {
  SharedMemory& shared = memory();
  void*& array = shared.arrays[id];
  if (array != nullptr) return array;
  const size_t begin = shared.used + kRedZone;
  shared.static_bytes += bytes;
  shared.used = (begin + bytes + kAlignment - 1) / kAlignment * kAlignment;
  if (shared.static_bytes > kLimit || shared.used > kArenaBytes)
    Scheduler::instance().fail(std::to_string(shared.static_bytes) +
                               " bytes of static shared memory; a block has " +
                               std::to_string(kLimit));
  array = shared.arena + begin;
  sanitizer::unpoison(array, bytes);
  fill(static_cast<unsigned char*>(array), bytes);
  return array;
}

}  // namespace simt
