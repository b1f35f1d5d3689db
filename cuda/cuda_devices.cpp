#include <cuda_runtime.h>

#include <cstdio>

#include "tessera/device.h"

namespace tessera {
namespace {

std::string version_text(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

/// Why cudaGetDeviceCount found nothing. 35 and 100 both mean that there is no GPU to use.
std::string reason_of(cudaError_t status, int driver, int runtime) {
  const std::string built = "; this build uses CUDA " + version_text(runtime);
  if (status == cudaErrorInsufficientDriver && driver == 0)
    return "no CUDA device: no NVIDIA driver is installed" + built;
  if (status == cudaErrorInsufficientDriver)
    return "no CUDA device: the driver is too old, it supports CUDA " + version_text(driver) +
           built;
  if (status == cudaErrorNoDevice || status == cudaSuccess)
    return "no CUDA device: the driver (CUDA " + version_text(driver) + ") sees no GPU" + built;
  return std::string("CUDA cannot start: ") + cudaGetErrorString(status) + " (driver CUDA " +
         version_text(driver) + ")" + built;
}

std::string describe(const cudaDeviceProp& gpu, int driver, int runtime) {
  char text[400];
  std::snprintf(text, sizeof text,
                "%s, %.1f GiB, compute capability %d.%d, driver CUDA %s, runtime %s", gpu.name,
                static_cast<double>(gpu.totalGlobalMem) / (1 << 30), gpu.major, gpu.minor,
                version_text(driver).c_str(), version_text(runtime).c_str());
  return text;
}

}  // namespace

/// Declared in core/context.h. Never opens cuBLAS and leaves no error behind.
std::vector<DeviceInfo> cuda_devices() {
  int count = 0, driver = 0, runtime = 0;  // a failing cudaGetDeviceCount leaves count as it is
  const cudaError_t status = cudaGetDeviceCount(&count);
  (void)cudaGetLastError();
  (void)cudaDriverGetVersion(&driver);
  (void)cudaRuntimeGetVersion(&runtime);
  if (status != cudaSuccess || count == 0)
    return {{{DeviceType::Cuda, 0}, false, reason_of(status, driver, runtime)}};
  std::vector<DeviceInfo> devices;
  for (int index = 0; index < count; ++index) {
    cudaDeviceProp gpu;
    const cudaError_t found = cudaGetDeviceProperties(&gpu, index);
    (void)cudaGetLastError();
    devices.push_back(
        {{DeviceType::Cuda, index},
         found == cudaSuccess,
         found == cudaSuccess ? describe(gpu, driver, runtime) : cudaGetErrorString(found)});
  }
  return devices;
}

}  // namespace tessera
