#pragma once

// The C API of HDF5 with owners for its handles. Included by src/data/hdf5_*.cpp alone.

#include <hdf5.h>

#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace tessera::hdf5 {

/// An identifier that is closed when its owner ends; negative: none.
class Handle {
 public:
  using Close = herr_t (*)(hid_t);
  Handle() = default;
  Handle(hid_t id, Close close) : id_(id), close_(close) {}
  Handle(Handle&& other) noexcept
      : id_(std::exchange(other.id_, H5I_INVALID_HID)), close_(other.close_) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(close_, other.close_);
    return *this;
  }
  ~Handle() { (void)close(); }

  hid_t get() const { return id_; }
  explicit operator bool() const { return id_ >= 0; }
  /// Closes now; false where that failed, as for a file whose last bytes could not be written.
  bool close() {
    const hid_t id = std::exchange(id_, H5I_INVALID_HID);
    return id < 0 || close_(id) >= 0;
  }

 private:
  hid_t id_ = H5I_INVALID_HID;
  Close close_ = nullptr;
};

/// While it lives, this thread alone uses the library, which has one global state, and the library
/// prints nothing: what goes wrong becomes an Error.
class Session {
 public:
  Session();

 private:
  std::scoped_lock<std::recursive_mutex> lock_;
};

/// The innermost reason the library gives for its last failure.
std::string reason();

/// Values of rows [first, first + shape[0]) of a data set, in its file and in memory.
struct RowSpace {
  Handle file, memory;
  RowSpace(hid_t dataset, int64_t first, std::vector<int64_t> shape);
};

/// The texts of a string attribute, one where it is a single text; none where there is none.
std::vector<std::string> read_text_attribute(hid_t object, const char* name);
bool write_text_attribute(hid_t object, const char* name, const std::string& text);
bool write_number_attribute(hid_t object, const char* name, int64_t number);

}  // namespace tessera::hdf5
