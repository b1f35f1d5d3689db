#include "core/context.h"

namespace tessera {

// Contexts are never destroyed: static tensors may outlive any order of destruction.
CpuContext& cpu_context() {
  static CpuContext& context = *new CpuContext;
  return context;
}

#ifdef TESSERA_WITH_CUDA
CudaContext& cuda_context(int index) {
  static std::vector<std::unique_ptr<CudaContext>>& contexts =
      *new std::vector<std::unique_ptr<CudaContext>>;
  if (contexts.size() <= static_cast<size_t>(index)) contexts.resize(index + 1);
  if (!contexts[index]) contexts[index] = std::make_unique<CudaContext>(index);
  return *contexts[index];
}
#else
std::vector<DeviceInfo> cuda_devices() {
  return {{{DeviceType::Cuda, 0}, false, "this build has no CUDA (configure with -DTESSERA_CUDA=ON)"}};
}
#endif

Context& context_of(Device device) {
  Context* found = nullptr;
  on_device(device, [&](auto& context) { found = &context; });
  return *found;
}

}  // namespace tessera
