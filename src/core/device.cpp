#include "tessera/device.h"

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <set>

#include "core/context.h"

namespace tessera {
namespace {
constexpr int kMaxThreads = 1024;

/// The list of hardware threads beside `cpu` on its core; equal texts name one physical core.
std::string siblings(int cpu) {
  std::ifstream file("/sys/devices/system/cpu/cpu" + std::to_string(cpu) +
                     "/topology/thread_siblings_list");
  std::string text;
  std::getline(file, text);
  return text.empty() ? std::to_string(cpu) : text;
}
}  // namespace

int default_threads() {
  if (const char* text = std::getenv("TESSERA_THREADS")) {
    int threads = 0;
    const char* end = text + std::strlen(text);
    const auto [stop, status] = std::from_chars(text, end, threads);
    require(status == std::errc() && stop == end && threads >= 1 && threads <= kMaxThreads,
            ErrorKind::Usage, "TESSERA_THREADS=", text,
            " is not a number of threads; give 1 to ", kMaxThreads);
    return threads;
  }
  cpu_set_t mask;
  CPU_ZERO(&mask);
  if (sched_getaffinity(0, sizeof mask, &mask) != 0) return 1;
  std::set<std::string> cores;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(cpu, &mask)) cores.insert(siblings(cpu));
  return std::max<int>(1, static_cast<int>(cores.size()));
}

void set_threads(int threads) {
  require(threads >= 1 && threads <= kMaxThreads, ErrorKind::Usage, "threads: ", threads,
          " was asked for; give 1 to ", kMaxThreads);
  cpu_context().pool().resize(threads);
}

int threads() { return cpu_context().pool().threads(); }

std::vector<DeviceInfo> list_devices() {
  std::vector<DeviceInfo> devices = {
      {{DeviceType::Cpu, 0}, true, std::to_string(threads()) + " threads"}};
  for (DeviceInfo& info : cuda_devices()) devices.push_back(std::move(info));
  return devices;
}

Device parse_device(std::string_view text) {
  if (text == "cpu") return {};
  const std::vector<DeviceInfo> devices = list_devices();
  if (text == "auto") {
    for (const DeviceInfo& info : devices)
      if (info.usable && info.device.type == DeviceType::Cuda) return info.device;
    return {};
  }
  Device device{DeviceType::Cuda, 0};
  if (text.starts_with("cuda:")) {
    const std::string number(text.substr(5));
    require(!number.empty() && number.find_first_not_of("0123456789") == std::string::npos &&
                number.size() < 4,
            ErrorKind::Usage, "device ", text, ": the part behind the colon is not a number");
    device.index = std::stoi(number);
  } else {
    require(text == "cuda", ErrorKind::Usage, "device ", text,
            " is not known; use auto, cpu, cuda or cuda:<number>");
  }
  std::string reason = "this machine has no such GPU";
  for (const DeviceInfo& info : devices) {
    if (info.device.type != DeviceType::Cuda) continue;
    if (info.device == device && info.usable) return device;
    if (!info.usable) reason = info.description;
  }
  fail(ErrorKind::Usage, "device ", text, " cannot be used: ", reason, "; use cpu or auto");
}

}  // namespace tessera
