#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tessera {

enum class DeviceType { Cpu, Cuda };

struct Device {
  DeviceType type = DeviceType::Cpu;
  int index = 0;
  bool operator==(const Device&) const = default;
};

inline std::string to_string(Device device) {
  return device.type == DeviceType::Cpu ? "cpu" : "cuda:" + std::to_string(device.index);
}

/// A device this machine could name, and whether it can be used here.
struct DeviceInfo {
  Device device;
  bool usable = false;
  std::string description;  ///< what it is, or why it cannot be used
};

/// The CPU first, then CUDA devices; one unusable CUDA row says why where there is none.
std::vector<DeviceInfo> list_devices();

/// Reads "auto", "cpu", "cuda" or "cuda:<i>". `auto` is the first usable GPU, else the CPU.
/// Throws Error (Usage) for other texts and for a device that cannot be used here.
Device parse_device(std::string_view text);

/// Sets how many threads the CPU backend uses, 1 to 1024; results do not depend on it.
void set_threads(int threads);
int threads();

/// While one lives, the CPU work of its thread has memory, steps and one thread of its own, so that
/// independent computations may run side by side. Tensors made meanwhile belong to this thread and
/// are gone before it is; results are the same bits as without it.
class PrivateCpu {
 public:
  PrivateCpu();
  ~PrivateCpu();
  PrivateCpu(const PrivateCpu&) = delete;
  PrivateCpu& operator=(const PrivateCpu&) = delete;
};

/// Physical cores this process may run on.
int default_threads();

}  // namespace tessera
