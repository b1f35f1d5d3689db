#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tessera/error.h"
#include "tessera/files/byte_source.h"
#include "tessera/files/host_array.h"

namespace tessera::testing {

using Bytes = std::vector<std::byte>;

inline Bytes to_bytes(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

inline Bytes to_bytes(std::initializer_list<int> values) {
  Bytes bytes;
  for (const int value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

/// The parts one after another.
inline Bytes join(std::initializer_list<Bytes> parts) {
  Bytes all;
  for (const Bytes& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

/// `value` as its sizeof(T) bytes, little-endian.
template <class T>
Bytes le(T value) {
  const auto bytes = std::as_bytes(std::span(&value, 1));
  return {bytes.begin(), bytes.end()};
}

template <class T>
std::vector<T> list(std::span<const T> values) {
  return {values.begin(), values.end()};
}

inline std::shared_ptr<ByteSource> memory(std::span<const std::byte> bytes) {
  return std::make_shared<MemorySource>(bytes, "sample");
}

/// Runs `f` and expects Error (Data) whose sentence contains `part`.
template <class F>
void expect_data_error(F&& f, std::string_view part) {
  try {
    f();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Data) << error.what();
    EXPECT_NE(std::string_view(error.what()).find(part), std::string_view::npos)
        << "'" << error.what() << "' does not contain '" << part << "'";
    return;
  }
  ADD_FAILURE() << "no error; '" << part << "' is expected";
}

/// `read(source)` must refuse every proper beginning of `bytes`, and `bytes` with one byte more.
template <class F>
void expect_exact_length(const Bytes& bytes, F&& read) {
  for (size_t length = 0; length < bytes.size(); ++length) {
    // A copy of its own, so that a read past the end is one past an allocation.
    const Bytes beginning(bytes.begin(), bytes.begin() + length);
    SCOPED_TRACE(length);
    expect_data_error([&] { read(memory(beginning)); }, "sample");
  }
  const Bytes longer = join({bytes, to_bytes({0})});
  expect_data_error([&] { read(memory(longer)); }, "sample");
}

/// With any one bit of the bytes [0, count) flipped, `read(source)` must return or throw
/// Error (Data). Returns how many flips it refused.
template <class F>
int count_refused_flips(Bytes bytes, size_t count, F&& read) {
  int refused = 0;
  for (size_t bit = 0; bit < 8 * count; ++bit) {
    SCOPED_TRACE(bit);
    const auto mask = static_cast<std::byte>(1 << bit % 8);
    bytes[bit / 8] ^= mask;
    try {
      read(memory(bytes));
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::Data) << error.what();
      ++refused;
    }
    bytes[bit / 8] ^= mask;
  }
  return refused;
}

/// A folder of its own for each test, removed afterwards.
class FileTest : public ::testing::Test {
 protected:
  FileTest() {
    std::string name = (std::filesystem::temp_directory_path() / "tessera_XXXXXX").string();
    if (!mkdtemp(name.data())) ADD_FAILURE() << "cannot make " << name;
    folder_ = name;
  }
  ~FileTest() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  std::string put(const std::string& name, const Bytes& bytes) const {
    std::ofstream file(path(name), std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return path(name);
  }

  static Bytes get(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return to_bytes(std::string(std::istreambuf_iterator<char>(file), {}));
  }

  /// Names in the folder.
  std::vector<std::string> listing() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  std::filesystem::path folder_;
};

/// One array of each dtype, of shape [2, 3] and with six different values (two for Bool).
inline std::vector<HostArray> arrays_of_every_dtype() {
  std::vector<HostArray> arrays;
  const auto add = [&]<class T>(std::initializer_list<T> values) {
    arrays.push_back(HostArray::from_values<T>({2, 3}, std::span(values.begin(), values.size())));
  };
  add({-1.5f, 0.f, 1e-40f, 3e38f, 7.f, -0.f});
  add({-1.5, 0., 1e-310, 1e308, 7., -0.});
  add(std::initializer_list<uint8_t>{0, 1, 2, 127, 128, 255});
  add(std::initializer_list<int8_t>{0, 1, -1, 127, -128, 5});
  add(std::initializer_list<uint16_t>{0, 1, 258, 32767, 32768, 65535});
  add(std::initializer_list<int16_t>{0, 1, -2, 32767, -32768, 515});
  add({0u, 1u, 0x01020304u, 0x7FFFFFFFu, 0x80000000u, 0xFFFFFFFFu});
  add({0, 1, -2, 0x7FFFFFFF, -0x7FFFFFFF - 1, 0x01020304});
  add(std::initializer_list<uint64_t>{0, 1, 0x0102030405060708, 1ull << 63, ~0ull, 9});
  add(std::initializer_list<int64_t>{0, 1, 0x0102030405060708, INT64_MIN, INT64_MAX, -9});
  HostArray half = arrays[4], boolean = arrays[2];
  half.dtype = DType::F16;
  boolean.dtype = DType::Bool;
  boolean.bytes = to_bytes({0, 1, 1, 0, 0, 1});
  arrays.push_back(half);
  arrays.push_back(boolean);
  return arrays;
}

inline void expect_same(const HostArray& found, const HostArray& expected) {
  EXPECT_EQ(found.dtype, expected.dtype);
  EXPECT_EQ(found.shape, expected.shape);
  EXPECT_EQ(found.bytes, expected.bytes);
}

}  // namespace tessera::testing
