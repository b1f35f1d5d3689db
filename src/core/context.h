#pragma once

#include "core/context_base.h"
#include "cpu/cpu_context.h"
#ifdef TESSERA_WITH_CUDA
#include "cuda_context.h"
#endif
#include "tessera/device.h"
#include "tessera/error.h"

namespace tessera {

CpuContext& cpu_context();
#ifdef TESSERA_WITH_CUDA
CudaContext& cuda_context(int index);
#endif
/// GPUs of this machine; one unusable entry says why where there is none.
std::vector<DeviceInfo> cuda_devices();

/// Calls `f` with the context of `device`. The one place host code chooses a backend.
template <class F>
void on_device(Device device, F&& f) {
  if (device.type == DeviceType::Cpu) return f(cpu_context());
#ifdef TESSERA_WITH_CUDA
  return f(cuda_context(device.index));
#else
  fail(ErrorKind::Usage, to_string(device),
       " was asked for, but this build has no CUDA; use cpu, or configure with -DTESSERA_CUDA=ON");
#endif
}

/// The same, where only memory and steps matter.
Context& context_of(Device device);

}  // namespace tessera
