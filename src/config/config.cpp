// From files and overrides to a Config: reading, `extends`, merging, then the schema.
#include "tessera/config.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <utility>

#include "config/schema.h"
#include "config/yaml_reader.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;
using config::ConfigNode;
using config::fail_at;

/// At most one byte more than a config may have, which is enough for read_yaml to refuse it.
std::string read_file(const std::string& path, const std::string& where) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::string text(config::kMaxConfigBytes + 1, '\0');
  if (file) file.read(text.data(), static_cast<std::streamsize>(text.size()));
  // A directory opens and then fails to read, which is not the end of a file.
  const bool read = file.is_open() && (file || file.eof()) && !file.bad();
  require(read, ErrorKind::Data, where, path, " cannot be read (",
          errno != 0 ? std::strerror(errno) : "input error", "); give the path of a YAML file");
  text.resize(static_cast<size_t>(file.gcount()));
  return text;
}

constexpr const char* kExtends = "extends";

/// The tree of `own` put over the trees of the files it extends. `chain` holds the files that led
/// here, this one last.
ConfigNode resolve_extends(ConfigNode own, std::vector<fs::path>& chain) {
  if (!own.is_section()) return own;
  const auto extends = std::ranges::find(own.entries, kExtends, &ConfigNode::Entry::key);
  if (extends == own.entries.end()) return own;

  const ConfigNode value = std::move(extends->value);
  const bool is_text =
      value.kind == ConfigNode::Kind::Plain || value.kind == ConfigNode::Kind::Quoted;
  if (extends != own.entries.begin())
    fail_at(extends->place, "extends stands below other keys; make it the first key of the file");
  if (!is_text || value.text.empty())
    fail_at(value.place, "extends is ", describe(value), "; it must be the path of one YAML file");
  own.entries.erase(extends);

  const fs::path base = (chain.back().parent_path() / value.text).lexically_normal();
  // A loop of links fails here and is reported by the reader.
  const auto identity = [](const fs::path& path) {
    std::error_code ignored;
    const fs::path canonical = fs::weakly_canonical(path, ignored);
    return ignored ? path : canonical;
  };
  for (const fs::path& file : chain)
    if (identity(file) == identity(base))
      fail_at(value.place, "extends ", base.string(), ", which extends this file; break the cycle");

  const std::string text = read_file(base.string(), to_string(value.place) + ": extends: ");
  chain.push_back(base);
  ConfigNode tree = resolve_extends(config::read_yaml(text, base.string()), chain);
  chain.pop_back();
  if (!tree.is_section()) return own;  // an empty base; anything else was refused with its place
  merge(tree, std::move(own));
  return tree;
}

/// A tree that holds nothing but the value of "section.key=value".
ConfigNode read_override(const std::string& text) {
  const auto source =
      std::make_shared<const std::string>("override '" + config::printable(text) + '\'');
  const config::Place place{source, 0};
  const size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0)
    fail_at(place, "is not section.key=value; write it as training.seed=1");

  ConfigNode node = config::read_yaml(text.substr(equals + 1), *source, config::Lines::Hidden);
  if (node.kind == ConfigNode::Kind::Null &&
      text.find_first_not_of(" \t", equals + 1) == std::string::npos)
    fail_at(place, "has no value; write null after the = to mean none");
  std::string path = text.substr(0, equals);
  for (size_t end = path.size(); end != std::string::npos;) {
    const size_t dot = end == 0 ? std::string::npos : path.rfind('.', end - 1);
    const size_t begin = dot == std::string::npos ? 0 : dot + 1;
    ConfigNode section;
    section.kind = ConfigNode::Kind::Section;
    section.place = place;
    section.entries.push_back({path.substr(begin, end - begin), place, std::move(node)});
    if (section.entries.front().key == kExtends && begin == 0)
      fail_at(place, "extends is read from files only; put it first in one");
    node = std::move(section);
    end = dot;
  }
  return node;
}

Config read_tree(ConfigNode tree, const std::vector<std::string>& overrides) {
  for (const std::string& text : overrides) {
    ConfigNode upper = read_override(text);
    if (tree.kind == ConfigNode::Kind::Null)
      tree = std::move(upper);
    else
      merge(tree, std::move(upper));
  }
  Config result;
  config::read_config(tree, result);
  return result;
}

}  // namespace

Config parse_config(const std::string& text, const std::string& source,
                    const std::vector<std::string>& overrides) {
  std::vector<fs::path> chain = {source};
  return read_tree(resolve_extends(config::read_yaml(text, source), chain), overrides);
}

Config load_config(const std::string& path, const std::vector<std::string>& overrides) {
  Config result = parse_config(read_file(path, ""), path, overrides);
  if (result.training.checkpoint_dir.empty())
    result.training.checkpoint_dir = (fs::path("runs") / fs::path(path).stem()).string();
  return result;
}

std::vector<std::string> changes_from_base(const std::string& path,
                                           const std::vector<std::string>& overrides) {
  const std::string text = read_file(path, "");
  const Config result = parse_config(text, path, overrides);
  ConfigNode own = config::read_yaml(text, path);
  if (!own.is_section() || own.entries.empty() || own.entries.front().key != kExtends) return {};
  own.entries.resize(1);
  std::vector<fs::path> chain = {path};
  return config_changes(read_tree(resolve_extends(std::move(own), chain), {}), result);
}

}  // namespace tessera
