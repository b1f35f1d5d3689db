#pragma once

#include <functional>
#include <string>
#include <vector>

#include "config/config_node.h"
#include "tessera/config.h"

namespace tessera::config {

/// One key of the YAML: where it stands, what it means, and the field it fills.
struct ConfigKey {
  std::string path;     // "training.schedule.kind"
  std::string comment;  // one line, with what is allowed
  std::function<void(const ConfigNode&, Config&)> read;
  std::function<ConfigNode(const Config&)> write;
};

/// Every key, in the order in which to_yaml writes them; the keys of a section stand together.
/// A new key is one field with its default in tessera/config.h and one row here.
const std::vector<ConfigKey>& config_keys();

/// The paths of config_keys().
const std::vector<std::string>& config_paths();

/// Fills `config` from `root`; keys that are not there keep their values.
/// Throws Error (Config) for an unknown key or a value that its rule refuses.
void read_config(const ConfigNode& root, Config& config);

}  // namespace tessera::config
