// Stands in for cuBLAS: the functions that cuda/cublas.cpp looks up, over the emulated stream.

#include "cuda_runtime.h"
#include "dlfcn.h"

namespace simt {
namespace {

struct Handle {
  cudaStream_t stream = nullptr;
};
constexpr int kSuccess = 0, kInvalidValue = 7;

int create(void** handle) {
  *handle = new Handle;
  return kSuccess;
}
int destroy(void* handle) {
  delete static_cast<Handle*>(handle);
  return kSuccess;
}
int set_stream(void* handle, cudaStream_t stream) {
  static_cast<Handle*>(handle)->stream = stream;
  return kSuccess;
}
int set_workspace(void*, void* workspace, size_t) {
  return workspace != nullptr ? kSuccess : kInvalidValue;
}
int set_math_mode(void*, int) { return kSuccess; }
const char* status_string(int status) {
  return status == kSuccess ? "CUBLAS_STATUS_SUCCESS" : "CUBLAS_STATUS_INVALID_VALUE";
}

/// c = alpha op(a) op(b) + beta c, column-major, as the reference BLAS defines it.
int sgemm(void* handle, int transpose_a, int transpose_b, int m, int n, int k, const float* alpha,
          const float* a, int lda, const float* b, int ldb, const float* beta, float* c, int ldc) {
  if (lda < (transpose_a ? k : m) || ldb < (transpose_b ? n : k) || ldc < m) return kInvalidValue;
  const float scale = *alpha, keep = *beta;
  const cudaError_t status = submit(static_cast<Handle*>(handle)->stream, [=] {
    for (int64_t col = 0; col < n; ++col)
      for (int64_t row = 0; row < m; ++row) {
        float sum = 0;
        for (int64_t i = 0; i < k; ++i)
          sum += (transpose_a ? a[row * lda + i] : a[i * lda + row]) *
                 (transpose_b ? b[i * ldb + col] : b[col * ldb + i]);
        float& value = c[col * ldc + row];
        value = scale * sum + (keep == 0 ? 0 : keep * value);
      }
  });
  return status == cudaSuccess ? kSuccess : kInvalidValue;
}

bool missing = false;
int library = 0;  // its address stands for the library

}  // namespace

void* open_library(const char* name, int flags) {
  if (std::strstr(name, "libcublas") == nullptr) return (dlopen)(name, flags);
  return missing ? nullptr : &library;
}
void* find_symbol(void* handle, const char* name) {
  if (handle != &library) return (dlsym)(handle, name);
  const struct {
    const char* name;
    void* function;
  } functions[] = {
      {"cublasCreate_v2", reinterpret_cast<void*>(&create)},
      {"cublasDestroy_v2", reinterpret_cast<void*>(&destroy)},
      {"cublasSetStream_v2", reinterpret_cast<void*>(&set_stream)},
      {"cublasSetWorkspace_v2", reinterpret_cast<void*>(&set_workspace)},
      {"cublasSetMathMode", reinterpret_cast<void*>(&set_math_mode)},
      {"cublasGetStatusString", reinterpret_cast<void*>(&status_string)},
      {"cublasSgemm_v2", reinterpret_cast<void*>(&sgemm)},
  };
  for (const auto& entry : functions)
    if (std::strcmp(entry.name, name) == 0) return entry.function;
  return nullptr;
}
const char* library_error() { return "the emulated cuBLAS is missing"; }
void set_cublas_missing(bool on) { missing = on; }

}  // namespace simt
