#include "tessera/files/host_array.h"

#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <utility>

#include "data/bytes.h"

namespace tessera {
namespace {

struct DTypeRow {
  std::string_view name;
  int64_t item_size;
};
// In the order of DType.
constexpr std::array<DTypeRow, 12> kDTypes = {{{"F16", 2},
                                               {"F32", 4},
                                               {"F64", 8},
                                               {"U8", 1},
                                               {"I8", 1},
                                               {"U16", 2},
                                               {"I16", 2},
                                               {"U32", 4},
                                               {"I32", 4},
                                               {"U64", 8},
                                               {"I64", 8},
                                               {"BOOL", 1}}};

struct Half {
  uint16_t bits;
};

/// IEEE binary16 to binary32, exact.
float to_float(Half half) {
  const uint32_t sign = static_cast<uint32_t>(half.bits & 0x8000u) << 16;
  const uint32_t exponent = (half.bits >> 10) & 0x1Fu, fraction = half.bits & 0x3FFu;
  if (exponent == 0) {  // zero or subnormal: fraction x 2^-24
    const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
    return sign ? -magnitude : magnitude;
  }
  const uint32_t wide_exponent = exponent == 31 ? 255u : exponent + (127u - 15u);
  return std::bit_cast<float>(sign | wide_exponent << 23 | fraction << 13);
}

/// Calls f(values) with the elements in their stored type: Half for F16, uint8_t for Bool.
template <class F>
void visit_values(const HostArray& array, F&& f) {
  const auto as = [&]<class T>(T) {
    f(std::span(reinterpret_cast<const T*>(array.bytes.data()), array.size()));
  };
  switch (array.dtype) {
    case DType::F16:
      return as(Half{});
    case DType::F32:
      return as(float{});
    case DType::F64:
      return as(double{});
    case DType::Bool:
    case DType::U8:
      return as(uint8_t{});
    case DType::I8:
      return as(int8_t{});
    case DType::U16:
      return as(uint16_t{});
    case DType::I16:
      return as(int16_t{});
    case DType::U32:
      return as(uint32_t{});
    case DType::I32:
      return as(int32_t{});
    case DType::U64:
      return as(uint64_t{});
    case DType::I64:
      return as(int64_t{});
  }
}

/// "row 3, column 7 of [100, 64]" for the element at `index`.
std::string place(const ArrayInfo& array, int64_t index) {
  const int64_t row_size = array.row_size();
  return "row " + std::to_string(index / row_size) + ", column " +
         std::to_string(index % row_size) + " of " + shape_text(array.shape);
}

void check_bytes(const HostArray& array) {
  TESSERA_CHECK(static_cast<int64_t>(array.bytes.size()) == array.size() * item_size(array.dtype),
                "HostArray: ", array.bytes.size(), " bytes for ", to_string(array.dtype), " ",
                shape_text(array.shape));
}

// The loops below test with `if` and not with require(), which would build its parts each time.

template <class Result>
std::vector<Result> to_integers(const HostArray& array, std::string_view where) {
  check_bytes(array);
  std::vector<Result> result(array.size());
  visit_values(array, [&]<class T>(std::span<const T> values) {
    if constexpr (!std::is_integral_v<T>) {
      fail(ErrorKind::Data, where, ": the array is ", to_string(array.dtype),
           ", integers are expected; convert it before saving, for instance with astype('int64')");
    } else {
      for (size_t i = 0; i < values.size(); ++i) {
        if (!std::in_range<Result>(values[i])) [[unlikely]] {
          fail(ErrorKind::Data, where, ": value ", +values[i], " at ", place(array, i),
               " is outside ", +std::numeric_limits<Result>::min(), " to ",
               +std::numeric_limits<Result>::max(), "; integers in that range are expected");
        }
        result[i] = static_cast<Result>(values[i]);
      }
      if (array.dtype == DType::Bool) {
        for (Result& value : result) value = value != 0;
      }
    }
  });
  return result;
}

}  // namespace

int64_t item_size(DType dtype) { return kDTypes[static_cast<size_t>(dtype)].item_size; }

std::string_view to_string(DType dtype) { return kDTypes[static_cast<size_t>(dtype)].name; }

std::optional<DType> parse_dtype(std::string_view name) {
  for (size_t i = 0; i < kDTypes.size(); ++i) {
    if (kDTypes[i].name == name) return static_cast<DType>(i);
  }
  return std::nullopt;
}

std::string shape_text(std::span<const int64_t> shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

int64_t array_bytes(DType dtype, std::span<const int64_t> shape, std::string_view where) {
  // A dimension of 0 does not hide an overflow of the others, so every partial product fits too.
  int64_t bytes = item_size(dtype);
  bool is_empty = false;
  for (const int64_t dim : shape) {
    require(dim >= 0, ErrorKind::Data, where, ": the shape ", shape_text(shape),
            " has a negative dimension; the file is damaged");
    is_empty |= dim == 0;
    require(dim == 0 || !__builtin_mul_overflow(bytes, dim, &bytes), ErrorKind::Data, where,
            ": the shape ", shape_text(shape), " of ", to_string(dtype),
            " takes more than 2^63 bytes; the file is damaged");
  }
  return is_empty ? 0 : bytes;
}

int64_t ArrayInfo::size() const { return rows() * row_size(); }

int64_t ArrayInfo::rows() const { return shape.empty() ? 1 : shape[0]; }

int64_t ArrayInfo::row_size() const {
  int64_t size = 1;
  for (size_t i = 1; i < shape.size(); ++i) size *= shape[i];
  return size;
}

std::vector<float> HostArray::to_floats(std::string_view where) const {
  check_bytes(*this);
  std::vector<float> result(size());
  visit_values(*this, [&]<class T>(std::span<const T> values) {
    for (size_t i = 0; i < values.size(); ++i) {
      if constexpr (std::is_same_v<T, Half>) {
        result[i] = to_float(values[i]);
      } else {
        result[i] = static_cast<float>(values[i]);
      }
      if constexpr (std::is_same_v<T, double>) {
        if (!std::isfinite(result[i]) && std::isfinite(values[i])) [[unlikely]] {
          fail(ErrorKind::Data, where, ": value ", values[i], " at ", place(*this, i),
               " is beyond the range of float, 3.4e38; rescale that column");
        }
      }
    }
    if (dtype == DType::Bool) {
      for (float& value : result) value = value != 0;
    }
  });
  return result;
}

std::vector<int64_t> HostArray::to_int64(std::string_view where) const {
  return to_integers<int64_t>(*this, where);
}

std::vector<uint32_t> HostArray::to_uint32(std::string_view where) const {
  return to_integers<uint32_t>(*this, where);
}

void require_finite(const HostArray& array, std::string_view where) {
  check_bytes(array);
  visit_values(array, [&]<class T>(std::span<const T> values) {
    if constexpr (!std::is_integral_v<T>) {
      for (size_t i = 0; i < values.size(); ++i) {
        double value;
        if constexpr (std::is_same_v<T, Half>) {
          value = to_float(values[i]);
        } else {
          value = values[i];
        }
        if (!std::isfinite(value)) [[unlikely]] {
          fail(ErrorKind::Data, where, ": value ", value, " at ", place(array, i),
               "; remove that row or column, or replace the value");
        }
      }
    }
  });
}

ArrayView view_of(std::string name, const HostArray& array) {
  check_bytes(array);
  return {std::move(name), array.dtype, array.shape, array.bytes.data()};
}

}  // namespace tessera
