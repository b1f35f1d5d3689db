#pragma once

#include <string>
#include <system_error>

namespace tessera {

/// What the system says of `error`, an errno.
inline std::string system_reason(int error) { return std::generic_category().message(error); }

}  // namespace tessera
