#include <fmt/format.h>

#include "commands/commands.h"
#include "tessera/device.h"

namespace tessera::tools {

int run_devices() {
  for (const DeviceInfo& info : list_devices())
    fmt::print("{:<8} {}{}\n", to_string(info.device), info.usable ? "" : "not usable: ",
               info.description);
  return 0;
}

}  // namespace tessera::tools
