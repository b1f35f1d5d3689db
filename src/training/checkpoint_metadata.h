#pragma once

#include <cstdint>
#include <string>

#include "tessera/config.h"
#include "tessera/files/safetensors.h"

namespace tessera {

// What the metadata of a checkpoint say (decisions D2). All throw Error (Data) where they do not.

const std::string& metadata_text(const SafetensorsFile& file, const std::string& key);
uint64_t metadata_number(const SafetensorsFile& file, const std::string& key);
/// Also where the file is of another format than 1.
Config metadata_config(const SafetensorsFile& file);

}  // namespace tessera
