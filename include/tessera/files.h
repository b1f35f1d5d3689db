#pragma once

// Readers and writers of array files. What they share:
//   - they check before they allocate: no file makes a reader take more than about a thousand
//     times its own size, and only compressed ones more than once or twice;
//   - whatever is wrong with a file is Error (Data), one sentence that names the file;
//   - each reader also takes a ByteSource, so that memory can be parsed like a file.

#include "tessera/files/byte_source.h"
#include "tessera/files/crc32.h"
#include "tessera/files/file_writer.h"
#include "tessera/files/host_array.h"
#include "tessera/files/idx.h"
#include "tessera/files/npy.h"
#include "tessera/files/npz.h"
#include "tessera/files/png.h"
#include "tessera/files/row_file.h"
#include "tessera/files/safetensors.h"

namespace tessera {

/// Reads the array of a .npy, .npz or IDX (plain or gzipped) file, told apart by its first bytes.
/// `file.npz:name` is one array of an archive; without a name the archive must hold exactly one.
/// Throws Error (Data) as the readers do.
/// `format` is auto, or npy, npz or idx: then nothing else is tried.
HostArray load_array(const std::string& path, std::string_view format = "auto");

}  // namespace tessera
