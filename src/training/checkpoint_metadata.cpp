#include "training/checkpoint_metadata.h"

#include <charconv>

#include "tessera/error.h"

namespace tessera {

const std::string& metadata_text(const SafetensorsFile& file, const std::string& key) {
  const auto found = file.metadata().find(key);
  require(found != file.metadata().end(), ErrorKind::Data, file.path(),
          ": is not a tessera checkpoint (no ", key, " in its metadata)");
  return found->second;
}

uint64_t metadata_number(const SafetensorsFile& file, const std::string& key) {
  const std::string& text = metadata_text(file, key);
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  require(error == std::errc() && end == text.data() + text.size(), ErrorKind::Data, file.path(),
          ": metadata ", key, " is ", text, ", not a number");
  return value;
}

Config metadata_config(const SafetensorsFile& file) {
  const std::string& format = metadata_text(file, "format");
  require(format == "1", ErrorKind::Data, file.path(), ": has format ", format,
          ", this version reads format 1; use a newer tessera");
  try {
    return config_from_json(metadata_text(file, "config"), file.path());
  } catch (const Error& error) {  // the file is at fault, not the user's config
    throw Error(ErrorKind::Data, error.what());
  }
}

}  // namespace tessera
