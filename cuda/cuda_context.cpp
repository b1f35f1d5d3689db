#include "cuda_context.h"

#include <algorithm>
#include <cstdint>

#include "check.h"
#include "cublas.h"

namespace tessera {

CudaContext::CudaContext(int index) : Context({DeviceType::Cuda, index}) {
  if (const cudaError_t status = cudaSetDevice(index); status != cudaSuccess) {
    (void)cudaGetLastError();
    fail(ErrorKind::Usage, to_string(device()), " cannot be used: ", cudaGetErrorString(status),
         "; tessera devices lists what can");
  }
  // Non-blocking: capture forbids mixing with the legacy default stream, and nothing here uses it.
  cudaStream_t stream = nullptr;
  TESSERA_CUDA_CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  stream_.reset(stream);
  int pools = 0;
  TESSERA_CUDA_CHECK(cudaDeviceGetAttribute(&pools, cudaDevAttrMemoryPoolsSupported, index));
  has_pool_ = pools != 0;
  if (has_pool_) {
    cudaMemPool_t pool;
    uint64_t keep = UINT64_MAX;  // the default gives memory back at every wait
    TESSERA_CUDA_CHECK(cudaDeviceGetDefaultMemPool(&pool, index));
    TESSERA_CUDA_CHECK(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &keep));
  }
  grid_scratch_.partials =
      static_cast<double*>(do_allocate(cuda::GridScratch::kBlocks * sizeof(double)));
  grid_scratch_.finished = static_cast<unsigned*>(do_allocate(sizeof(unsigned)));
  do_fill_bytes(grid_scratch_.finished, 0, sizeof(unsigned));
}

CudaContext::~CudaContext() {
  cublas_.reset();
  for (void* data : {static_cast<void*>(grid_scratch_.partials),
                     static_cast<void*>(grid_scratch_.finished), cublas_workspace_})
    if (data != nullptr) do_free(data);
}

void CudaContext::DestroyStream::operator()(CUstream_st* stream) const noexcept {
  (void)cudaStreamDestroy(stream);
}

void CudaContext::make_current() const { TESSERA_CUDA_CHECK(cudaSetDevice(device().index)); }

cuda::Cublas& CudaContext::cublas() {
  if (!cublas_) {
    if (cublas_workspace_ == nullptr)
      cublas_workspace_ = do_allocate(cuda::Cublas::kWorkspaceBytes);
    cublas_ = std::make_unique<cuda::Cublas>(stream(), cublas_workspace_);
  }
  return *cublas_;
}

void* CudaContext::do_allocate(size_t bytes) {
  make_current();
  void* data = nullptr;
  const size_t size = std::max<size_t>(bytes, 1);
  const cudaError_t status =
      has_pool_ ? cudaMallocAsync(&data, size, stream()) : cudaMalloc(&data, size);
  if (status == cudaErrorMemoryAllocation) {
    (void)cudaGetLastError();
    size_t free = 0, total = 0;
    TESSERA_CUDA_CHECK(cudaMemGetInfo(&free, &total));
    fail(ErrorKind::Memory, to_string(device()), ": ", bytes, " bytes were asked for and ", free,
         " of ", total, " are free; use a smaller batch");
  }
  TESSERA_CHECK(status == cudaSuccess, to_string(device()), ": allocation of ", bytes,
                " bytes failed: ", cudaGetErrorString(status));
  return data;
}
void CudaContext::do_free(void* data) noexcept {
  (void)cudaSetDevice(device().index);
  (void)(has_pool_ ? cudaFreeAsync(data, stream()) : cudaFree(data));
}
void CudaContext::do_copy_from_host(void* to, const void* host, size_t bytes) {
  TESSERA_CUDA_CHECK(cudaMemcpyAsync(to, host, bytes, cudaMemcpyHostToDevice, stream()));
  TESSERA_CUDA_CHECK(cudaStreamSynchronize(stream()));  // `host` may be gone after this call
}
void CudaContext::do_copy_to_host(void* host, const void* from, size_t bytes) {
  TESSERA_CUDA_CHECK(cudaMemcpyAsync(host, from, bytes, cudaMemcpyDeviceToHost, stream()));
  TESSERA_CUDA_CHECK(cudaStreamSynchronize(stream()));
}
void CudaContext::do_fill_bytes(void* data, int value, size_t bytes) {
  TESSERA_CUDA_CHECK(cudaMemsetAsync(data, value, bytes, stream()));
}
void CudaContext::do_synchronize() { TESSERA_CUDA_CHECK(cudaStreamSynchronize(stream())); }

}  // namespace tessera
