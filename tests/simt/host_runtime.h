#pragma once

// State behind the emulated runtime calls. What CUDA forbids while a stream is captured fails with
// CUDA's code, and spoils the capture in the same way.

#include <chrono>
#include <cstdlib>
#include <deque>
#include <map>
#include <utility>
#include <vector>

#include "cuda_runtime.h"

namespace simt {

using Work = std::function<void()>;

struct Graph {
  std::vector<Work> nodes;
};

}  // namespace simt

struct CUstream_st {
  bool capturing = false, spoiled = false;
  simt::Graph recorded;
  std::deque<simt::Work> pending;

  void finish() {
    while (!pending.empty()) {
      const simt::Work work = std::move(pending.front());
      pending.pop_front();
      work();
    }
  }
};

namespace simt {

struct Event {
  std::chrono::steady_clock::time_point time;
};

/// As CUDA has it: CUDA_VISIBLE_DEVICES set and empty hides every GPU.
inline cudaError_t visible_devices() {
  const char* visible = std::getenv("CUDA_VISIBLE_DEVICES");
  return visible == nullptr || *visible != 0 ? cudaSuccess : cudaErrorNoDevice;
}

struct Runtime {
  Stream* capturing = nullptr;  // one host thread, so at most one
  std::vector<Stream*> streams;
  std::map<void*, size_t> allocations;
  size_t used = 0, capacity = size_t{8} << 30;
  bool deferred = false;
  cudaError_t device_status = visible_devices(), last_error = cudaSuccess;

  void finish_all() {
    for (Stream* stream : streams) stream->finish();
  }
};
Runtime& runtime();

inline cudaError_t failed(cudaError_t error) { return runtime().last_error = error; }

/// For calls that a capture does not allow.
cudaError_t outside_capture();

}  // namespace simt
