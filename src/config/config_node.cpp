#include "config/config_node.h"

#include <algorithm>
#include <utility>

namespace tessera::config {

std::string to_string(const Place& place) {
  const std::string source = place.source ? *place.source : "config";
  return place.line > 0 ? source + ':' + std::to_string(place.line) : source;
}

ConfigNode ConfigNode::plain(std::string text) {
  ConfigNode node;
  node.kind = Kind::Plain;
  node.text = std::move(text);
  return node;
}

ConfigNode ConfigNode::quoted(std::string text) {
  ConfigNode node = plain(std::move(text));
  node.kind = Kind::Quoted;
  return node;
}

std::string join_path(std::string_view section, std::string_view key) {
  std::string path(section);
  if (!path.empty()) path += '.';
  return path += key;
}

void merge(ConfigNode& lower, ConfigNode upper) {
  if (!lower.is_section() || !upper.is_section()) {
    lower = std::move(upper);
    return;
  }
  for (ConfigNode::Entry& entry : upper.entries) {
    const auto same = std::ranges::find(lower.entries, entry.key, &ConfigNode::Entry::key);
    if (same == lower.entries.end()) {
      lower.entries.push_back(std::move(entry));
    } else {
      same->place = entry.place;
      merge(same->value, std::move(entry.value));
    }
  }
}

std::string printable(std::string_view text) {
  constexpr size_t kMaxShown = 60;
  std::string shown(text.substr(0, kMaxShown));
  for (char& c : shown) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) c = '?';
  }
  if (text.size() > kMaxShown) {
    // A cut inside a multi-byte character would leave the message invalid UTF-8.
    size_t cut = kMaxShown;
    while (cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xc0) == 0x80) --cut;
    shown.resize(cut);
    shown += "...";
  }
  return shown;
}

std::string describe(const ConfigNode& node) {
  switch (node.kind) {
    case ConfigNode::Kind::Null:
      return "empty";
    case ConfigNode::Kind::Plain:
      return '\'' + printable(node.text) + '\'';
    case ConfigNode::Kind::Quoted:
      return '"' + printable(node.text) + "\" in quotes";
    case ConfigNode::Kind::List:
      return "a list of " + std::to_string(node.items.size());
    case ConfigNode::Kind::Section:
      return "a section";
  }
  return "";
}

bool TreeBuilder::expects_key() const {
  return !open_.empty() && open_.back().node.is_section() && !open_.back().has_key;
}

std::string TreeBuilder::path() const {
  std::string path;
  for (const Open& level : open_)
    if (level.has_key) path = join_path(path, printable(level.key));
  return path;
}

void TreeBuilder::take_key(std::string text, const Place& place) {
  Open& section = open_.back();
  const auto& entries = section.node.entries;
  const auto same = std::ranges::find(entries, text, &ConfigNode::Entry::key);
  if (same != entries.end())
    fail_at(place, join_path(path(), printable(text)), " is given twice",
            same->place.line > 0 ? ", first on line " + std::to_string(same->place.line) : "",
            "; keep one of them");
  if (entries.size() == kMaxKeys)
    fail_at(place, "more than ", kMaxKeys, " keys in one section; this is not a config");
  section.has_key = true;
  section.key = std::move(text);
  section.key_place = place;
}

void TreeBuilder::add(ConfigNode node) {
  if (open_.empty()) {
    root_ = std::move(node);
    return;
  }
  Open& parent = open_.back();
  if (parent.node.is_section()) {
    parent.node.entries.push_back({std::move(parent.key), parent.key_place, std::move(node)});
    parent.has_key = false;
    parent.key.clear();
  } else {
    parent.node.items.push_back(std::move(node));
  }
}

void TreeBuilder::scalar(ConfigNode::Kind kind, std::string text, int line) {
  const Place place{source_, line};
  if (expects_key()) {
    if (kind == ConfigNode::Kind::Null)
      fail_at(place, join_path(path(), "(empty)"), " is not a key; put a name before the colon");
    take_key(std::move(text), place);
    return;
  }
  ConfigNode node;
  node.kind = kind;
  node.text = std::move(text);
  // An absent value is found where the next line begins; what it belongs to is its key.
  const bool absent = kind == ConfigNode::Kind::Null && !open_.empty() && open_.back().has_key;
  node.place = absent ? open_.back().key_place : place;
  add(std::move(node));
}

void TreeBuilder::open(ConfigNode::Kind kind, int line) {
  const Place place{source_, line};
  if (expects_key())
    fail_at(place, path().empty() ? "the top level" : path(),
            // yaml-cpp takes a bracket that is never closed for the start of a key.
            " has a list or section in place of a key; write a word, or close the bracket");
  if (open_.size() == kMaxDepth)
    fail_at(place, "values are nested deeper than ", kMaxDepth, "; this is not a config");
  Open level;
  level.node.kind = kind;
  level.node.place = place;
  open_.push_back(std::move(level));
}

void TreeBuilder::close() {
  TESSERA_CHECK(!open_.empty() && !open_.back().has_key, "config tree: closed without a value");
  ConfigNode node = std::move(open_.back().node);
  open_.pop_back();
  add(std::move(node));
}

ConfigNode TreeBuilder::finish() {
  TESSERA_CHECK(open_.empty(), "config tree: not closed");
  if (!root_.place.source) root_.place = {source_, 0};
  return std::move(root_);
}

}  // namespace tessera::config
