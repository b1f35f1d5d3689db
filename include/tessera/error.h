#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace tessera {

/// What went wrong, which is also the exit code of the program.
enum class ErrorKind {
  Internal = 1,  ///< a precondition of the library was broken
  Usage = 2,     ///< a command-line flag or argument
  Config = 3,    ///< a key or value of a config file or override
  Data = 4,      ///< anything read from or written to a file
  Memory = 5,    ///< an allocation the machine cannot serve
  Numeric = 6,   ///< a loss or latent that is not finite
};

/// The one error this library throws. `what()` says where, what was found, and what to do.
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  ErrorKind kind() const { return kind_; }

 private:
  ErrorKind kind_;
};

/// Throws Error of `kind`, its message the parts one after another.
template <class... Parts>
[[noreturn]] void fail(ErrorKind kind, const Parts&... parts) {
  std::ostringstream message;
  (message << ... << parts);
  throw Error(kind, message.str());
}

/// Throws Error of `kind` unless `condition` holds. For what a user can get wrong.
template <class... Parts>
void require(bool condition, ErrorKind kind, const Parts&... parts) {
  if (!condition) [[unlikely]]
    fail(kind, parts...);
}

}  // namespace tessera

/// Throws Error (Internal) with file and line unless `condition` holds. For preconditions.
#define TESSERA_CHECK(condition, ...)                                                          \
  do {                                                                                         \
    if (!(condition)) [[unlikely]]                                                             \
      ::tessera::fail(::tessera::ErrorKind::Internal, __VA_ARGS__, " [", __FILE__, ':',        \
                      __LINE__, ']');                                                          \
  } while (false)
