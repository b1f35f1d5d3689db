#include "data/npy_header.h"

#include <array>

#include "data/bytes.h"

namespace tessera {
namespace {

// Headers of plain arrays take under 1 KB; numpy itself refuses more than 10,000 characters.
constexpr uint32_t kMaxNpyHeader = 1 << 16;
constexpr size_t kMaxRank = 64;  // numpy 2; numpy 1 has 32

struct DescrRow {
  std::string_view code;  // kind and item size, after the byte order
  DType dtype;
};
constexpr std::array<DescrRow, 12> kDescrs = {{{"f2", DType::F16},
                                               {"f4", DType::F32},
                                               {"f8", DType::F64},
                                               {"u1", DType::U8},
                                               {"i1", DType::I8},
                                               {"u2", DType::U16},
                                               {"i2", DType::I16},
                                               {"u4", DType::U32},
                                               {"i4", DType::I32},
                                               {"u8", DType::U64},
                                               {"i8", DType::I64},
                                               {"b1", DType::Bool}}};

class DictParser {
 public:
  DictParser(std::string_view text, std::string_view where) : text_(text), where_(where) {}

  NpyInfo parse() {
    expect('{');
    while (!accept('}')) {
      parse_entry();
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    require(has_descr_ && has_order_ && has_shape_, ErrorKind::Data, where_, ": the .npy header ",
            printable(text_), " lacks one of descr, fortran_order and shape; save the array again");
    skip_spaces();
    if (at_ != text_.size()) fail_here("spaces");
    return std::move(info_);
  }

 private:
  [[noreturn]] void fail_here(std::string_view expected) const {
    fail(ErrorKind::Data, where_, ": character ", at_, " of the .npy header should be ", expected,
         ", found ", at_ < text_.size() ? printable(text_.substr(at_, 16)) : "its end",
         "; save the array again with numpy.save");
  }

  void skip_spaces() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }
  bool accept(char c) {
    skip_spaces();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!accept(c)) fail_here(std::string("'") + c + "'");
  }
  bool accept_word(std::string_view word) {
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }

  std::string_view parse_string() {
    skip_spaces();
    const char quote = at_ < text_.size() ? text_[at_] : '\0';
    if (quote != '\'' && quote != '"') fail_here("a quoted text");
    const size_t end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) fail_here("a quoted text that ends");
    const auto value = text_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    return value;
  }

  void parse_entry() {
    const auto key = parse_string();
    bool* const seen = key == "descr"           ? &has_descr_
                       : key == "fortran_order" ? &has_order_
                       : key == "shape"         ? &has_shape_
                                                : nullptr;
    require(seen, ErrorKind::Data, where_, ": the .npy header has an unknown key ", printable(key),
            "; descr, fortran_order and shape are expected");
    require(!*seen, ErrorKind::Data, where_, ": the .npy header has ", printable(key),
            " twice; save the array again");
    *seen = true;
    expect(':');
    skip_spaces();
    if (seen == &has_descr_) return parse_descr();
    if (seen == &has_shape_) return parse_shape();
    if (accept_word("True")) {
      info_.fortran_order = true;
    } else if (!accept_word("False")) {
      fail_here("True or False");
    }
  }

  void parse_descr() {
    require(at_ >= text_.size() || text_[at_] != '[', ErrorKind::Data, where_,
            ": a structured array; save each field as a plain array of its own");
    const auto descr = parse_string();
    for (const auto& row : kDescrs) {
      if (descr.empty() || descr.substr(1) != row.code) continue;
      const char order = descr[0];
      // '|' says that order has no meaning, which is so for single bytes only.
      if (order != '<' && order != '>' && (order != '|' || item_size(row.dtype) > 1)) continue;
      info_.dtype = row.dtype;
      info_.big_endian = order == '>';
      return;
    }
    fail(ErrorKind::Data, where_, ": elements of type ", printable(descr),
         " are not supported; save them as one of f2 f4 f8 u1 i1 u2 i2 u4 i4 u8 i8 b1");
  }

  void parse_shape() {
    expect('(');
    if (accept(')')) return;
    while (true) {
      info_.shape.push_back(parse_dimension());
      require(info_.shape.size() <= kMaxRank, ErrorKind::Data, where_, ": more than ", kMaxRank,
              " dimensions; the file is damaged");
      if (accept(')')) {
        require(info_.shape.size() > 1, ErrorKind::Data, where_, ": the shape (", info_.shape[0],
                ") of the .npy header is not a tuple; (", info_.shape[0], ",) is expected");
        return;
      }
      expect(',');
      if (accept(')')) return;
    }
  }

  int64_t parse_dimension() {
    skip_spaces();
    const size_t first = at_;
    int64_t value = 0;
    for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
      require(!__builtin_mul_overflow(value, int64_t{10}, &value) &&
                  !__builtin_add_overflow(value, int64_t{text_[at_] - '0'}, &value),
              ErrorKind::Data, where_, ": a dimension of the .npy header is 2^63 or more; ",
              "the file is damaged");
    }
    if (at_ == first) fail_here("a dimension of 0 or more");
    if (text_[first] == '0' && at_ > first + 1) fail_here("a number without leading zeros");
    accept_word("L");  // Python 2 wrote long integers so
    return value;
  }

  std::string_view text_, where_;
  size_t at_ = 0;
  bool has_descr_ = false, has_order_ = false, has_shape_ = false;
  NpyInfo info_;
};

/// Copies column-major `from` to row-major `to`; both of `shape`, rank 2 or more, not empty.
template <class T>
void copy_fortran_order(const std::byte* from, std::byte* to, std::span<const int64_t> shape) {
  const size_t last = shape.size() - 1;
  std::vector<int64_t> strides(shape.size(), sizeof(T)), index(shape.size(), 0);
  for (size_t d = 1; d < shape.size(); ++d) strides[d] = strides[d - 1] * shape[d - 1];
  while (true) {
    for (int64_t i = 0; i < shape[last]; ++i, to += sizeof(T)) {
      std::memcpy(to, from + i * strides[last], sizeof(T));
    }
    size_t d = last;  // the next index before the last dimension, as an odometer counts
    do {
      if (d == 0) return;
      --d;
      from += strides[d];
      if (++index[d] < shape[d]) break;
      from -= strides[d] * shape[d];
      index[d] = 0;
    } while (true);
  }
}

std::vector<std::byte> from_fortran_order(std::span<const std::byte> values,
                                          std::span<const int64_t> shape, int64_t item,
                                          std::string_view where) {
  auto result = allocate_bytes(static_cast<int64_t>(values.size()), where);
  const auto copy = item == 1   ? copy_fortran_order<uint8_t>
                    : item == 2 ? copy_fortran_order<uint16_t>
                    : item == 4 ? copy_fortran_order<uint32_t>
                                : copy_fortran_order<uint64_t>;
  copy(values.data(), result.data(), shape);
  return result;
}

}  // namespace

NpyInfo parse_npy_dict(std::string_view text, std::string_view where) {
  return DictParser(text, where).parse();
}

NpyInfo read_npy_header(ByteStream& stream, uint64_t total_bytes, std::string_view where) {
  constexpr uint64_t kPrelude = 8;  // magic and two bytes of version
  require(total_bytes > kPrelude + 2, ErrorKind::Data, where, ": ", total_bytes,
          " bytes are too few for a .npy file; the file is truncated");
  std::array<std::byte, kPrelude> prelude;
  stream.read(prelude);
  require(as_text(prelude).starts_with(kNpyMagic), ErrorKind::Data, where, ": starts with ",
          printable(as_text(prelude).substr(0, 6)),
          ", not with \\x93NUMPY; it is not a .npy file, save the array with numpy.save");
  const int major = std::to_integer<int>(prelude[6]), minor = std::to_integer<int>(prelude[7]);
  require(major >= 1 && major <= 3 && minor == 0, ErrorKind::Data, where, ": .npy version ", major,
          ".", minor, "; versions 1.0, 2.0 and 3.0 are supported");

  std::array<std::byte, 4> length_bytes = {};
  const uint64_t length_size = major == 1 ? 2 : 4;
  stream.read(std::span(length_bytes).first(length_size));
  const uint64_t length = load_le<uint32_t>(length_bytes);
  require(length <= kMaxNpyHeader && length <= total_bytes - kPrelude - length_size, ErrorKind::Data,
          where, ": the .npy header should take ", length, " bytes of ", total_bytes, "; at most ",
          kMaxNpyHeader, " and the file's length are possible, the file is damaged");
  std::vector<std::byte> text(length);
  stream.read(text);

  NpyInfo info = parse_npy_dict(as_text(text), where);
  info.data_offset = static_cast<int64_t>(kPrelude + length_size + length);
  const int64_t expected = array_bytes(info.dtype, info.shape, where);
  const uint64_t found = total_bytes - info.data_offset;
  require(found == static_cast<uint64_t>(expected), ErrorKind::Data, where, ": ", found,
          " bytes of values, but ", shape_text(info.shape), " of ", to_string(info.dtype),
          " takes ", expected, "; the file is ",
          found < static_cast<uint64_t>(expected) ? "truncated" : "damaged or holds two arrays");
  return info;
}

std::vector<std::byte> npy_header(DType dtype, std::span<const int64_t> shape,
                                  std::string_view where) {
  std::string text = "{'descr': '";
  text += item_size(dtype) == 1 ? '|' : '<';
  for (const auto& row : kDescrs) {
    if (row.dtype == dtype) text += row.code;
  }
  text += "', 'fortran_order': False, 'shape': (";
  for (size_t d = 0; d < shape.size(); ++d) {
    text += (d ? ", " : "") + std::to_string(shape[d]);
  }
  text += shape.size() == 1 ? ",), }" : "), }";
  require(shape.size() <= kMaxRank, ErrorKind::Data, where, ": ", shape.size(), " dimensions, ",
          kMaxRank, " are the most a .npy file can have; join some of them");
  constexpr size_t kBefore = 10, kAlignment = 64;
  while ((kBefore + text.size() + 1) % kAlignment != 0) text += ' ';
  text += '\n';
  return ByteBuilder()
      .text(kNpyMagic)
      .le(uint8_t{1})
      .le(uint8_t{0})
      .le(static_cast<uint16_t>(text.size()))
      .text(text)
      .take();
}

HostArray finish_npy(const NpyInfo& info, std::vector<int64_t> shape, std::vector<std::byte> values,
                     std::string_view where) {
  const int64_t item = item_size(info.dtype);
  if (info.big_endian) swap_bytes(values, item);
  if (info.fortran_order && shape.size() > 1 && !values.empty()) {
    values = from_fortran_order(values, shape, item, where);
  }
  return {info.dtype, std::move(shape), std::move(values)};
}

}  // namespace tessera
