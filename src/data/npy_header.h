#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "data/byte_stream.h"
#include "tessera/files/npy.h"

namespace tessera {

/// The first bytes of every .npy file.
inline constexpr std::string_view kNpyMagic = "\x93NUMPY";

/// Reads magic, version and header from the start of `stream` and checks that header and values
/// together take `total_bytes`. `where` names the file in messages.
NpyInfo read_npy_header(ByteStream& stream, uint64_t total_bytes, std::string_view where);

/// Parses the text between the header's length and the values: the literal of a Python dict with
/// exactly the keys descr, fortran_order and shape. data_offset stays 0.
NpyInfo parse_npy_dict(std::string_view text, std::string_view where);

/// The whole header, format 1.0, of a little-endian array in C order; a multiple of 64 bytes.
/// Throws Error (Data) for a shape that does not fit into it.
std::vector<std::byte> npy_header(DType dtype, std::span<const int64_t> shape,
                                  std::string_view where);

/// Turns values as the file has them into little-endian C order.
HostArray finish_npy(const NpyInfo& info, std::vector<int64_t> shape, std::vector<std::byte> values,
                     std::string_view where);

}  // namespace tessera
