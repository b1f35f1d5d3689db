#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>

#include "tessera/error.h"

namespace tessera {

/// Working memory of a kernel, kept between calls by its owner (a thread_local). Only grows.
class SimdScratch {
 public:
  /// At least `count` values of T on a border of 64 bytes; whatever was there is gone.
  template <class T>
  T* get(size_t count) {
    constexpr size_t kAlign = 64;
    const size_t bytes = (count * sizeof(T) + kAlign - 1) / kAlign * kAlign;
    if (bytes > bytes_) {
      memory_.reset();
      bytes_ = 0;
      memory_.reset(std::aligned_alloc(kAlign, bytes));
      require(memory_ != nullptr, ErrorKind::Memory, "cpu: ", bytes,
              " bytes of working memory were asked for and the machine has no such block; use a "
              "smaller batch");
      bytes_ = bytes;
    }
    return static_cast<T*>(memory_.get());
  }

 private:
  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };
  std::unique_ptr<void, Free> memory_;
  size_t bytes_ = 0;
};

}  // namespace tessera
