#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace tessera::cuda {

/// The part of cuBLAS that matmul uses, from a library opened at run time: linking it costs 0.1 s
/// and 200 MB at every start, and the program must start where it is absent.
///
/// Products are plain float32 (pedantic: no TF32, no lower-precision steps). The workspace is the
/// context's and stays where it is, so a recorded product repeats its addresses and bits.
class Cublas {
 public:
  /// What NVIDIA advises for sm_90; smaller devices need less.
  static constexpr size_t kWorkspaceBytes = size_t{32} << 20;

  /// Opens the library and a handle on `stream`. Throws Error (Usage) naming what was tried.
  /// workspace  [kWorkspaceBytes], device memory that outlives this
  Cublas(cudaStream_t stream, void* workspace);
  ~Cublas();
  Cublas(const Cublas&) = delete;
  Cublas& operator=(const Cublas&) = delete;

  struct Sgemm {
    bool transpose_a, transpose_b;
    int64_t m, n, k;
    const float* a;
    int64_t lda;
    const float* b;
    int64_t ldb;
    float beta;
    float* c;
    int64_t ldc;
  };
  /// c = op(a) op(b) + beta c, column-major. Only enqueues; may be recorded.
  void sgemm(const Sgemm& args);

 private:
  struct Api;
  void check(int status, const char* call) const;

  const Api& api_;
  void* handle_ = nullptr;
};

}  // namespace tessera::cuda
