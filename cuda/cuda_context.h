#pragma once

#include <memory>

#include "core/context_base.h"

struct CUstream_st;  // a cudaStream_t points to one

namespace tessera {

namespace cuda {
class Cublas;

/// Where the blocks of one launch leave partial sums; see grid_sum() in reduce.cuh.
struct GridScratch {
  static constexpr int kBlocks = 1024;
  double* partials = nullptr;    // [kBlocks]
  unsigned* finished = nullptr;  // [1], 0 between launches
};
}  // namespace cuda

/// One GPU and one stream. This header needs nothing of CUDA: host code that reaches kernels through it
/// is compiled once, for the GPU and for the emulator of tests/simt.
class CudaContext final : public Context {
 public:
  /// Throws Error (Usage) where the machine has no such GPU.
  explicit CudaContext(int index);
  ~CudaContext() override;

  CUstream_st* stream() const { return stream_.get(); }
  /// Calls that name no stream go to the device of the calling thread; this makes it this one.
  void make_current() const;
  /// One stream, so launches that use it never overlap.
  const cuda::GridScratch& grid_scratch() const { return grid_scratch_; }
  /// cuBLAS on this stream, opened at the first call. Call it before enqueue(): a recorded step
  /// finds it open because its plan asked for it.
  cuda::Cublas& cublas();

 protected:
  void* do_allocate(size_t bytes) override;
  void do_free(void* data) noexcept override;
  void do_copy_from_host(void* to, const void* host, size_t bytes) override;
  void do_copy_to_host(void* host, const void* from, size_t bytes) override;
  void do_fill_bytes(void* data, int value, size_t bytes) override;
  void do_synchronize() override;
  std::unique_ptr<CapturedStep::Replay> do_record(std::function<void()> body,
                                                  StepCounts plan) override;

 private:
  struct DestroyStream {
    void operator()(CUstream_st* stream) const noexcept;
  };

  std::unique_ptr<CUstream_st, DestroyStream> stream_;
  bool has_pool_ = false;  // cudaMallocAsync keeps freed memory for the next request
  cuda::GridScratch grid_scratch_;
  void* cublas_workspace_ = nullptr;
  std::unique_ptr<cuda::Cublas> cublas_;
};

namespace cuda {

/// Device memory for the launches of one kernel call: of the open step, so that it costs nothing
/// and repeats its address; allocated where there is no step. Later launches may reuse it at once,
/// since they follow on the same stream.
class StepScratch {
 public:
  StepScratch(CudaContext& context, size_t bytes)
      : context_(context), bytes_(bytes), in_step_(context.arena().is_open()) {
    data_ = in_step_ ? context.arena().allocate(bytes) : context.allocate(bytes);
  }
  ~StepScratch() {
    if (in_step_)
      context_.arena().release(data_, bytes_);
    else
      context_.free(data_);
  }
  StepScratch(const StepScratch&) = delete;
  StepScratch& operator=(const StepScratch&) = delete;

  template <class T>
  T* data() const {
    return static_cast<T*>(data_);
  }

 private:
  CudaContext& context_;
  size_t bytes_;
  bool in_step_;
  void* data_;
};

}  // namespace cuda
}  // namespace tessera
