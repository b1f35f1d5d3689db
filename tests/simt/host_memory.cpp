// Devices, memory and errors.

#include <algorithm>
#include <cstring>

#include "host_runtime.h"

namespace simt {

Runtime& runtime() {
  static Runtime& state = *new Runtime;
  return state;
}

void set_device_status(cudaError_t status) { runtime().device_status = status; }
void set_device_bytes(size_t bytes) { runtime().capacity = bytes; }

}  // namespace simt

using simt::failed;
using simt::outside_capture;
using simt::runtime;

const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return "no error";
    case cudaErrorInvalidValue:
      return "invalid argument";
    case cudaErrorMemoryAllocation:
      return "out of memory";
    case cudaErrorInsufficientDriver:
      return "CUDA driver version is insufficient for CUDA runtime version";
    case cudaErrorNoDevice:
      return "no CUDA-capable device is detected";
    case cudaErrorInvalidDevice:
      return "invalid device ordinal";
    case cudaErrorInvalidResourceHandle:
      return "invalid resource handle";
    case cudaErrorStreamCaptureUnsupported:
      return "operation not permitted when stream is capturing";
    case cudaErrorStreamCaptureInvalidated:
      return "operation failed due to a previous error during capture";
  }
  return "unknown error";
}
cudaError_t cudaGetLastError() { return std::exchange(runtime().last_error, cudaSuccess); }

cudaError_t cudaGetDeviceCount(int* count) {
  if (runtime().device_status != cudaSuccess) return failed(runtime().device_status);
  *count = 1;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  if (device != 0) return failed(cudaErrorInvalidDevice);
  *properties = {"emulated GPU", runtime().capacity, 9, 0, 1};
  return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr, int) {
  *value = 1;
  return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int* version) {
  *version = runtime().device_status == cudaErrorInsufficientDriver ? 0 : 13000;
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = 13000;
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int device) {
  return device == 0 ? cudaSuccess : failed(cudaErrorInvalidDevice);
}

cudaError_t cudaMalloc(void** data, size_t bytes) {
  if (cudaError_t error = outside_capture()) return error;
  if (bytes > runtime().capacity - std::min(runtime().capacity, runtime().used))
    return failed(cudaErrorMemoryAllocation);
  // The end is exact, so that AddressSanitizer sees the first byte beyond it.
  if (posix_memalign(data, 256, bytes) != 0) return failed(cudaErrorMemoryAllocation);
  std::memset(*data, 0xFF, bytes);  // memory that nothing wrote is NaN
  runtime().allocations[*data] = bytes;
  runtime().used += bytes;
  return cudaSuccess;
}
cudaError_t cudaFree(void* data) {
  if (cudaError_t error = outside_capture()) return error;
  const auto found = runtime().allocations.find(data);
  if (found == runtime().allocations.end()) return failed(cudaErrorInvalidValue);
  runtime().finish_all();
  runtime().used -= found->second;
  runtime().allocations.erase(found);
  std::free(data);
  return cudaSuccess;
}
cudaError_t cudaMallocAsync(void** data, size_t bytes, cudaStream_t) {
  return cudaMalloc(data, bytes);  // recorded allocations are not emulated: nothing makes them
}
cudaError_t cudaFreeAsync(void* data, cudaStream_t) { return cudaFree(data); }
cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  *total = runtime().capacity;
  *free = runtime().capacity - std::min(runtime().capacity, runtime().used);
  return cudaSuccess;
}
cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* pool, int) {
  *pool = nullptr;
  return cudaSuccess;
}
cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t, cudaMemPoolAttr, void*) { return cudaSuccess; }
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind,
                            cudaStream_t stream) {
  return simt::submit(stream, [=] {
    if (bytes > 0) std::memcpy(to, from, bytes);
  });
}
cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t stream) {
  return simt::submit(stream, [=] {
    if (bytes > 0) std::memset(to, value, bytes);
  });
}
