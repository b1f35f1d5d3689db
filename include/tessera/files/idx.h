#pragma once

#include <memory>
#include <string>

#include "tessera/files/byte_source.h"
#include "tessera/files/host_array.h"

namespace tessera {

/// Reads an IDX file (MNIST and its relatives), plain or gzipped, told apart by their bytes.
///
///   0 0 type rank | rank x 4 bytes dimensions | values, all big-endian
///   type 0x08 U8, 0x09 I8, 0x0B I16, 0x0C I32, 0x0D F32, 0x0E F64
///
/// Throws Error (Data) unless header and data agree to the byte.
/// Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database", section "File formats".
HostArray read_idx(const std::string& path);
HostArray read_idx(std::shared_ptr<const ByteSource> source);

/// Writes the same format, gzipped where `path` ends in .gz; appears whole or not at all.
/// Throws Error (Data) for a dtype that is none of the six, for rank 0 and above 255, for a
/// dimension of 2^32 or more, and where the file cannot be written.
void write_idx(const std::string& path, const HostArray& array);

}  // namespace tessera
