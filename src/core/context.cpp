#include "core/context.h"

#include <mutex>

namespace tessera {

// Contexts are never destroyed: static tensors may outlive any order of destruction.
namespace {
thread_local CpuContext* private_context = nullptr;

/// Private contexts nobody uses now. Like the others they are never destroyed.
struct IdleContexts {
  std::mutex mutex;
  std::vector<CpuContext*> contexts;
};
IdleContexts& idle_contexts() {
  static IdleContexts& idle = *new IdleContexts;
  return idle;
}
}  // namespace

CpuContext& cpu_context() {
  if (private_context != nullptr) return *private_context;
  static CpuContext& context = *new CpuContext;
  return context;
}

PrivateCpu::PrivateCpu() {
  TESSERA_CHECK(private_context == nullptr, "PrivateCpu: this thread has one already");
  IdleContexts& idle = idle_contexts();
  const std::scoped_lock lock(idle.mutex);
  if (idle.contexts.empty()) {
    private_context = new CpuContext(1);
  } else {
    private_context = idle.contexts.back();
    idle.contexts.pop_back();
  }
}

PrivateCpu::~PrivateCpu() {
  IdleContexts& idle = idle_contexts();
  const std::scoped_lock lock(idle.mutex);
  idle.contexts.push_back(private_context);
  private_context = nullptr;
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
