#pragma once

#include <string>
#include <vector>

#include "core/context.h"
#include "tessera/buffer.h"

namespace tessera::bench {

/// A GPU works ahead of the host: a case on it does its work this often before one wait. Training steps wait
/// besides, where an epoch ends or a batch comes from the host, as in training.
constexpr int kRunsOnGpu = 20;

inline bool is_gpu(Device device) { return device.type == DeviceType::Cuda; }

/// What cases are measured on: the CPU, and the first GPU that can be used.
inline std::vector<Device> bench_devices() {
  std::vector<Device> devices;
  for (const DeviceInfo& info : list_devices())
    if (info.usable && (devices.empty() || !is_gpu(devices.back()))) devices.push_back(info.device);
  return devices;
}

/// First part of the names of an area's cases.
inline std::string area_on(const std::string& area, Device device) {
  return is_gpu(device) ? area + "_cuda" : area;
}

inline int repeats_on(Device device) { return is_gpu(device) ? kRunsOnGpu : 1; }

/// Calls f(context) as often as a case on `device` does its work, and waits for it.
template <class F>
void run_on(Device device, const F& f) {
  on_device(device, [&](auto& context) {
    for (int i = 0; i < repeats_on(device); ++i) f(context);
    context.synchronize();
  });
}

}  // namespace tessera::bench
