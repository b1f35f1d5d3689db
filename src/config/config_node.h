#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tessera/error.h"

namespace tessera::config {

/// Where a value was written. Overrides and JSON have no lines.
struct Place {
  std::shared_ptr<const std::string> source;
  int line = 0;  // from 1; 0: none
};
std::string to_string(const Place& place);

/// Throws Error (Config): the place, then the parts.
template <class... Parts>
[[noreturn]] void fail_at(const Place& place, const Parts&... parts) {
  fail(ErrorKind::Config, to_string(place), ": ", parts...);
}

/// A value as written, before it means anything.
struct ConfigNode {
  enum class Kind { Null, Plain, Quoted, List, Section };
  struct Entry;

  Kind kind = Kind::Null;
  std::string text;               // Plain, Quoted
  std::vector<ConfigNode> items;  // List
  std::vector<Entry> entries;     // Section, keys unique, order as written
  Place place;

  static ConfigNode plain(std::string text);
  static ConfigNode quoted(std::string text);
  bool is_section() const { return kind == Kind::Section; }
};
struct ConfigNode::Entry {
  std::string key;
  Place place;
  ConfigNode value;
};

/// "section.key", or the key alone at the top.
std::string join_path(std::string_view section, std::string_view key);

/// Puts `upper` over `lower`: sections key by key, everything else replaced.
void merge(ConfigNode& lower, ConfigNode upper);

/// Text on one line of a message: shortened, what cannot be printed as '?'.
std::string printable(std::string_view text);
/// A value in a message: 'text', "text" in quotes, a list, a section, empty.
std::string describe(const ConfigNode& node);

/// Builds a tree from the events of a YAML or JSON parser. Inside a section every first value is
/// a key. Refuses, with the place: duplicate keys, keys that are not text, and more nesting or
/// keys than a config can need, which bounds what a hostile file can cost.
class TreeBuilder {
 public:
  static constexpr size_t kMaxDepth = 16;
  static constexpr size_t kMaxKeys = 1000;  // of one section; duplicates are searched linearly

  explicit TreeBuilder(std::shared_ptr<const std::string> source) : source_(std::move(source)) {}

  void scalar(ConfigNode::Kind kind, std::string text, int line);
  void open(ConfigNode::Kind kind, int line);  // List or Section
  void close();
  /// The finished tree; Null for an empty document.
  ConfigNode finish();

 private:
  struct Open {
    ConfigNode node;
    bool has_key = false;
    std::string key;
    Place key_place;
  };
  bool expects_key() const;
  std::string path() const;
  void take_key(std::string text, const Place& place);
  void add(ConfigNode node);

  std::shared_ptr<const std::string> source_;
  std::vector<Open> open_;
  ConfigNode root_;
};

}  // namespace tessera::config
