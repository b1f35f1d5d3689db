#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "tessera/error.h"

namespace tessera {

/// Number types a file can hold. F16 is IEEE binary16, Bool one byte that is 0 or not 0.
enum class DType { F16, F32, F64, U8, I8, U16, I16, U32, I32, U64, I64, Bool };

/// Bytes of one element.
int64_t item_size(DType dtype);

/// The name safetensors uses: "F32", "BOOL", ...
std::string_view to_string(DType dtype);

/// The dtype of such a name, or nothing.
std::optional<DType> parse_dtype(std::string_view name);

/// The dtype that stores values of T. bool has none: it would need a copy of std::vector<bool>.
template <class T>
constexpr DType dtype_of() {
  if constexpr (std::is_same_v<T, float>) return DType::F32;
  if constexpr (std::is_same_v<T, double>) return DType::F64;
  if constexpr (std::is_same_v<T, uint8_t>) return DType::U8;
  if constexpr (std::is_same_v<T, int8_t>) return DType::I8;
  if constexpr (std::is_same_v<T, uint16_t>) return DType::U16;
  if constexpr (std::is_same_v<T, int16_t>) return DType::I16;
  if constexpr (std::is_same_v<T, uint32_t>) return DType::U32;
  if constexpr (std::is_same_v<T, int32_t>) return DType::I32;
  if constexpr (std::is_same_v<T, uint64_t>) return DType::U64;
  if constexpr (std::is_same_v<T, int64_t>) return DType::I64;
}

/// "[3, 4]"
std::string shape_text(std::span<const int64_t> shape);

/// Bytes an array of this shape takes. A rank-0 shape is one element.
/// Throws Error (Data) naming `where` for a negative dimension and for a product, of the
/// dimensions that are not 0, that does not fit in 63 bits.
int64_t array_bytes(DType dtype, std::span<const int64_t> shape, std::string_view where);

/// What an array is, without its values.
struct ArrayInfo {
  DType dtype = DType::F32;
  std::vector<int64_t> shape;

  int64_t size() const;      ///< elements
  int64_t rows() const;      ///< first dimension; 1 at rank 0
  int64_t row_size() const;  ///< elements of one row: the product of the other dimensions
};

/// An array in host memory, row-major and little-endian, as every reader returns it.
struct HostArray : ArrayInfo {
  std::vector<std::byte> bytes;  // size() * item_size(dtype)

  template <class T>
  static HostArray from_values(std::vector<int64_t> shape, std::span<const T> values) {
    HostArray array{dtype_of<T>(), std::move(shape), {}};
    TESSERA_CHECK(array.size() == static_cast<int64_t>(values.size()),
                  "from_values: ", values.size(), " values for ", shape_text(array.shape));
    const auto bytes = std::as_bytes(values);
    array.bytes.assign(bytes.begin(), bytes.end());
    return array;
  }

  /// The elements in place; T must be the stored type.
  template <class T>
  std::span<const T> values() const {
    TESSERA_CHECK(dtype == dtype_of<T>(), "values: the array holds ", to_string(dtype));
    return {reinterpret_cast<const T*>(bytes.data()), static_cast<size_t>(size())};
  }

  /// All elements as float, rounded to nearest; NaN and infinities stay (see require_finite).
  /// Throws Error (Data) naming `where`, row and column for a finite value beyond float's range.
  std::vector<float> to_floats(std::string_view where) const;

  /// All elements as integers; Bool gives 0 and 1.
  /// Throws Error (Data) for a floating-point array and for a value the result cannot hold.
  std::vector<int64_t> to_int64(std::string_view where) const;
  std::vector<uint32_t> to_uint32(std::string_view where) const;
};

/// Throws Error (Data) naming `where` and row and column (the index inside the row, counted
/// through all further dimensions) of the first NaN or infinity.
void require_finite(const HostArray& array, std::string_view where);

/// A named array to be written; `data` is row-major and must outlive the call.
struct ArrayView {
  std::string name;
  DType dtype = DType::F32;
  std::vector<int64_t> shape;
  const void* data = nullptr;
};

/// `array` under `name`; refers to the array's memory.
ArrayView view_of(std::string name, const HostArray& array);

}  // namespace tessera
