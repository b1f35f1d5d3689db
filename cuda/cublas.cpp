#include "cublas.h"

#include <dlfcn.h>

#include <limits>
#include <string>

#include "tessera/error.h"

namespace tessera::cuda {
namespace {

// Of cublas_api.h, whose values are part of the library's binary interface.
constexpr int kSuccess = 0, kNoTranspose = 0, kTranspose = 1, kPedanticMath = 2;

// The functions used here have not changed between these versions. The last is for a toolkit whose
// folder the loader does not search.
constexpr const char* kLibraries[] = {"libcublas.so.13", "libcublas.so.12", "libcublas.so",
                                      "/usr/local/cuda/lib64/libcublas.so"};

}  // namespace

struct Cublas::Api {
  int (*create)(void** handle);
  int (*destroy)(void* handle);
  int (*set_stream)(void* handle, cudaStream_t stream);
  int (*set_workspace)(void* handle, void* workspace, size_t bytes);
  int (*set_math_mode)(void* handle, int mode);
  const char* (*status_string)(int status);
  int (*sgemm)(void* handle, int transpose_a, int transpose_b, int m, int n, int k,
               const float* alpha, const float* a, int lda, const float* b, int ldb,
               const float* beta, float* c, int ldc);

  Api() {
    void* library = open();
    find(library, create, "cublasCreate_v2");
    find(library, destroy, "cublasDestroy_v2");
    find(library, set_stream, "cublasSetStream_v2");
    find(library, set_workspace, "cublasSetWorkspace_v2");
    find(library, set_math_mode, "cublasSetMathMode");
    find(library, status_string, "cublasGetStatusString");
    find(library, sgemm, "cublasSgemm_v2");
  }

  static void* open() {
    std::string tried;
    for (const char* name : kLibraries) {
      if (void* library = dlopen(name, RTLD_NOW | RTLD_LOCAL)) return library;
      const char* reason = dlerror();
      tried += std::string(tried.empty() ? "" : "; ") + (reason != nullptr ? reason : name);
    }
    fail(ErrorKind::Usage, "matmul: cuBLAS could not be opened (", tried,
         "); install it, or add its folder to LD_LIBRARY_PATH, or use --device cpu");
  }
  template <class Function>
  static void find(void* library, Function*& function, const char* name) {
    function = reinterpret_cast<Function*>(dlsym(library, name));
    require(function != nullptr, ErrorKind::Usage, "matmul: the cuBLAS found has no ", name,
            "; install version 12 or 13");
  }
};

Cublas::Cublas(cudaStream_t stream, void* workspace)
    : api_([]() -> const Api& {
        static const Api& api = *new Api;  // never closed: other contexts may use it
        return api;
      }()) {
  check(api_.create(&handle_), "cublasCreate");
  check(api_.set_stream(handle_, stream), "cublasSetStream");
  check(api_.set_math_mode(handle_, kPedanticMath), "cublasSetMathMode");
  // After the stream: setting that resets the workspace.
  check(api_.set_workspace(handle_, workspace, kWorkspaceBytes), "cublasSetWorkspace");
}

Cublas::~Cublas() { (void)api_.destroy(handle_); }

void Cublas::check(int status, const char* call) const {
  TESSERA_CHECK(status == kSuccess, call, " failed: ", api_.status_string(status));
}

void Cublas::sgemm(const Sgemm& args) {
  for (const int64_t size : {args.m, args.n, args.k, args.lda, args.ldb, args.ldc})
    TESSERA_CHECK(size <= std::numeric_limits<int>::max(), "matmul: a side of ", size,
                  " exceeds cuBLAS's 2^31 - 1; split the batch");
  const float one = 1;
  check(api_.sgemm(handle_, args.transpose_a ? kTranspose : kNoTranspose,
                   args.transpose_b ? kTranspose : kNoTranspose, static_cast<int>(args.m),
                   static_cast<int>(args.n), static_cast<int>(args.k), &one, args.a,
                   static_cast<int>(args.lda), args.b, static_cast<int>(args.ldb), &args.beta,
                   args.c, static_cast<int>(args.ldc)),
        "cublasSgemm");
}

}  // namespace tessera::cuda
