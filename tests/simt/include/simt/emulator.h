#pragma once

#include <cstdint>
#include <functional>
#include <source_location>
#include <stdexcept>
#include <string>
#include <string_view>

namespace simt {

/// A kernel did what a GPU leaves undefined: a barrier or a warp operation that not all its threads
/// reach, a shuffle from a lane outside its mask, too much shared memory.
class Error : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// In which order the threads of a block run. Each runs until it waits, so barriers that are missing
/// show as wrong numbers; which ones show depends on the order.
///   InOrder   thread 0 first; Reverse  the last thread first
///   Warp      one warp as far as it can go, then the next
///   Priority  warps by random priorities that change now and then, lanes at random; also switches
///             at atomic operations. After Burckhardt et al. 2010 (ASPLOS), "probabilistic
///             concurrency testing".
/// Blocks run one after another: ascending, descending (Reverse) or shuffled (Priority).
struct Schedule {
  enum class Order { InOrder, Reverse, Warp, Priority };
  Order order = Order::InOrder;
  uint64_t seed = 0;  // of Priority
};

/// Reads "inorder", "reverse", "warp" or "priority:<seed>"; throws Error otherwise.
Schedule parse_schedule(std::string_view text);
/// The schedule of later launches; at first that of the environment's TESSERA_SIMT_SCHEDULE.
void set_schedule(Schedule schedule);
Schedule schedule();

/// One-dimensional grids and blocks are all that the kernels use.
struct LaunchShape {
  unsigned blocks, threads;
};
/// Runs `thread` once per thread of the grid and returns when all are done.
void run(const LaunchShape& shape, const std::function<void()>& thread);

// What a kernel calls. Call sites tell operations apart, so that threads that meet at different
// ones are reported even where a GPU would let them pass.
#ifdef __cpp_lib_source_location
using Site = std::source_location;
#else  // clang 14 has the parts
class Site {
 public:
  static constexpr Site current(const char* file = __builtin_FILE(),
                                unsigned line = __builtin_LINE(),
                                unsigned column = __builtin_COLUMN()) {
    Site site;
    site.file_ = file;
    site.line_ = line;
    site.column_ = column;
    return site;
  }
  constexpr const char* file_name() const { return file_; }
  constexpr unsigned line() const { return line_; }
  constexpr unsigned column() const { return column_; }

 private:
  const char* file_ = "";
  unsigned line_ = 0, column_ = 0;
};
#endif
enum class WarpOp { Sync, Shfl, ShflXor, ShflDown, Ballot };

void sync_threads(const Site& site);
/// One warp operation of the lanes in `mask`: bits in, bits out. Performed when the last arrives.
uint64_t warp_collective(WarpOp op, unsigned mask, uint64_t value, int argument, const Site& site);
/// Points where another thread may go first. Before an atomic operation: whether the running thread
/// has executed a fence in this launch.
void fence();
bool before_atomic();

/// Storage of one shared array of the running block, at first full of 0xFF bytes (NaN, -1), with
/// forbidden memory around it. `id` names the array.
void* shared_storage(int id, size_t bytes);
int new_shared_id();

// Chosen before main(): a static of a function would order the threads that pass it.
template <class Key>
inline const int shared_id = new_shared_id();

/// One array for each call site and each instantiation of the kernel around it.
template <class Array, class Key>
Array& shared_array(Key) {
  return *static_cast<Array*>(shared_storage(shared_id<Key>, sizeof(Array)));
}

}  // namespace simt
