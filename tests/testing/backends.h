#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/context.h"

namespace tessera::testing {

/// A suite that runs once per backend of the build: the CPU, and CUDA (a GPU, or the emulator of
/// tests/simt). A backend the machine lacks is skipped with its reason. Step memory starts as NaN,
/// so a value nothing wrote shows.
class BackendTest : public ::testing::TestWithParam<Device> {
 protected:
  void SetUp() override {
    if (device().type == DeviceType::Cuda)
      for (const DeviceInfo& info : cuda_devices())
        if (info.device == device() && !info.usable) GTEST_SKIP() << info.description;
    context_of(device()).poison_steps(true);
  }
  void TearDown() override {
    if (!IsSkipped()) context_of(device()).poison_steps(false);
  }
  Device device() const { return GetParam(); }

  /// Calls f(context) with the backend's context: BackendTest::run([&](auto& context) { ... }).
  template <class F>
  void run(F&& f) {
    on_device(device(), f);
  }
};

/// The text of the Error that `f` throws; empty if it throws none.
template <class F>
std::string error_of(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

inline std::vector<Device> backends() {
#ifdef TESSERA_WITH_CUDA
  return {{DeviceType::Cpu, 0}, {DeviceType::Cuda, 0}};
#else
  return {{DeviceType::Cpu, 0}};
#endif
}

inline std::string backend_name(Device device) {
  return device.type == DeviceType::Cpu ? "Cpu" : "Cuda";
}

#define TESSERA_FOR_EACH_BACKEND(Suite)                             \
  INSTANTIATE_TEST_SUITE_P(                                         \
      , Suite, ::testing::ValuesIn(::tessera::testing::backends()), \
      [](const auto& info) { return ::tessera::testing::backend_name(info.param); })

}  // namespace tessera::testing
