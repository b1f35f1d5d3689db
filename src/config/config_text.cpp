// From a Config to text: YAML and differences.
#include <algorithm>
#include <cctype>
#include <string>
#include <string_view>

#include "config/schema.h"

namespace tessera {
namespace {

using config::ConfigKey;
using config::ConfigNode;

constexpr size_t kCommentColumn = 31;

/// Whether YAML reads `text` as itself without quotes, here and in readers that guess types: a
/// path or a word, not a number or a name for true, false or null.
bool is_plain_word(std::string_view text) {
  if (text.empty() ||
      (!std::isalpha(static_cast<unsigned char>(text[0])) && text[0] != '/' && text[0] != '_'))
    return false;
  std::string lower;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x80 ||
        (!std::isalnum(byte) && std::string_view("_-./").find(c) == std::string::npos))
      return false;
    lower += static_cast<char>(std::tolower(byte));
  }
  for (const char* word : {"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
    if (lower == word) return false;
  return true;
}

std::string quote(std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string quoted = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      (quoted += '\\') += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      ((quoted += "\\x") += kHex[byte / 16]) += kHex[byte % 16];
    } else {
      quoted += c;
    }
  }
  return quoted += '"';
}

/// A value on one line.
std::string flow(const ConfigNode& node) {
  switch (node.kind) {
    case ConfigNode::Kind::Null:
      return "null";
    case ConfigNode::Kind::Plain:
      return node.text;
    case ConfigNode::Kind::Quoted:
      return is_plain_word(node.text) ? node.text : quote(node.text);
    case ConfigNode::Kind::List: {
      std::string list;
      for (const ConfigNode& item : node.items) list += (list.empty() ? "" : ", ") + flow(item);
      return '[' + list + ']';
    }
    case ConfigNode::Kind::Section:
      break;
  }
  std::string section;
  for (const ConfigNode::Entry& entry : node.entries)
    section += (section.empty() ? "" : ", ") +
               (is_plain_word(entry.key) ? entry.key : quote(entry.key)) + ": " + flow(entry.value);
  return '{' + section + '}';
}

const ConfigNode* entry_of(const ConfigNode& section, const std::string& key) {
  const auto found = std::ranges::find(section.entries, key, &ConfigNode::Entry::key);
  return found == section.entries.end() ? nullptr : &found->value;
}

/// Keys of `section` that `other` has too.
std::vector<std::string> shared_keys(const ConfigNode& section, const ConfigNode& other) {
  std::vector<std::string> keys;
  for (const ConfigNode::Entry& entry : section.entries)
    if (entry_of(other, entry.key) != nullptr) keys.push_back(entry.key);
  return keys;
}

/// Adds what differs, by the deepest keys that both have in the same order.
void add_changes(const std::string& path, const ConfigNode& before, const ConfigNode& after,
                 std::vector<std::string>& changes) {
  const bool sections = before.is_section() && after.is_section();
  const std::vector<std::string> shared =
      sections ? shared_keys(before, after) : std::vector<std::string>();
  if (shared.empty() || shared != shared_keys(after, before)) {
    const std::string old = flow(before), now = flow(after);
    if (old != now) changes.push_back(path + ": " + old + " -> " + now);
    return;
  }
  for (const ConfigNode::Entry& entry : before.entries)
    if (const ConfigNode* now = entry_of(after, entry.key))
      add_changes(path + "." + entry.key, entry.value, *now, changes);
    else
      changes.push_back(path + "." + entry.key + ": " + flow(entry.value) + " -> not given");
  for (const ConfigNode::Entry& entry : after.entries)
    if (entry_of(before, entry.key) == nullptr)
      changes.push_back(path + "." + entry.key + ": not given -> " + flow(entry.value));
}

}  // namespace

std::string to_yaml(const Config& config, Comments comments) {
  std::string yaml;
  std::string section;  // of the line above, with a dot at its end
  for (const ConfigKey& key : config::config_keys()) {
    const std::string own(key.path, 0, key.path.rfind('.') + 1);
    if (own != section) {
      // One header for each part of the path that the line above is not in.
      for (size_t begin = 0, end; (end = own.find('.', begin)) != std::string::npos;
           begin = end + 1)
        if (!section.starts_with(own.substr(0, end + 1)))
          yaml += std::string(2 * std::count(own.begin(), own.begin() + begin, '.'), ' ') +
                  own.substr(begin, end - begin) + ":\n";
      section = own;
    }
    const size_t indent = 2 * std::count(own.begin(), own.end(), '.');
    std::string line(indent, ' ');
    line += key.path.substr(own.size()) + ": " + flow(key.write(config));
    if (comments == Comments::Shown) {
      line.resize(std::max(line.size(), kCommentColumn), ' ');
      line += " # " + key.comment;
    }
    yaml += line + '\n';
  }
  return yaml;
}

std::vector<std::string> config_changes(const Config& before, const Config& after) {
  std::vector<std::string> changes;
  for (const ConfigKey& key : config::config_keys())
    add_changes(key.path, key.write(before), key.write(after), changes);
  return changes;
}

}  // namespace tessera
