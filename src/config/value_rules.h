#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "config/config_node.h"

namespace tessera::config {

/// A rule says which values a key takes. Each has
///   Value                    the type of the field
///   read(node, path)         the value, or Error (Config) naming place, path, value and rule
///   write(value)             the node that read gives the value back from
///   allowed()                words for messages and comments, such as "a number from 0 to 1"

/// Whole numbers, strictly decimal: no sign +, leading zero, exponent, 0x or quotes.
struct Integer {
  using Value = int64_t;
  int64_t min = 0;
  int64_t max = std::numeric_limits<int64_t>::max();
  int64_t read(const ConfigNode& node, const std::string& path) const;
  ConfigNode write(int64_t value) const;
  std::string allowed() const;
};

/// Finite decimal numbers; open bounds exclude their end.
struct Number {
  using Value = double;
  double min = 0;
  bool min_open = false;
  double max = std::numeric_limits<double>::infinity();
  bool max_open = false;
  double read(const ConfigNode& node, const std::string& path) const;
  ConfigNode write(double value) const;
  std::string allowed() const;
};
inline Number from_zero() { return {}; }
inline Number above_zero() { return {.min_open = true}; }
inline Number zero_to_one() { return {.max = 1}; }
inline Number zero_to_below_one() { return {.max = 1, .max_open = true}; }

/// true or false, as these words only.
struct Flag {
  using Value = bool;
  bool read(const ConfigNode& node, const std::string& path) const;
  ConfigNode write(bool value) const;
  std::string allowed() const;
};

/// Any text; null is the empty text.
struct Text {
  using Value = std::string;
  std::string read(const ConfigNode& node, const std::string& path) const;
  ConfigNode write(const std::string& value) const;
  std::string allowed() const;
};

/// One of `names`; `aliases` are read as the name beside them.
struct Choice {
  using Value = std::string;
  std::vector<std::string> names;
  std::vector<std::pair<std::string, std::string>> aliases = {};
  std::string read(const ConfigNode& node, const std::string& path) const;
  ConfigNode write(const std::string& value) const;
  std::string allowed() const;
};

/// auto, cpu, cuda, cuda:<index>; whether this machine has it is for parse_device.
struct DeviceName {
  using Value = std::string;
  std::string read(const ConfigNode& node, const std::string& path) const;
  ConfigNode write(const std::string& value) const;
  std::string allowed() const;
};

/// null, or what `rule` takes.
template <class Rule>
struct OrNull {
  using Value = std::optional<typename Rule::Value>;
  Rule rule;
  Value read(const ConfigNode& node, const std::string& path) const {
    if (node.kind == ConfigNode::Kind::Null) return std::nullopt;
    try {
      return rule.read(node, path);
    } catch (const Error& error) {  // the rule does not know that null is another way out
      throw Error(error.kind(), error.what() + std::string(", or null"));
    }
  }
  ConfigNode write(const Value& value) const { return value ? rule.write(*value) : ConfigNode{}; }
  std::string allowed() const { return rule.allowed() + ", or null"; }
};

/// Throws Error (Config): `path` is what `node` holds; it must be what `allowed` says.
[[noreturn]] void fail_value(const ConfigNode& node, const std::string& path,
                             const std::string& allowed);

/// A list, each item as `rule` takes it; it may be empty.
template <class Rule>
struct ListOf {
  using Value = std::vector<typename Rule::Value>;
  Rule rule;
  Value read(const ConfigNode& node, const std::string& path) const {
    if (node.kind != ConfigNode::Kind::List) fail_value(node, path, allowed());
    Value values;
    for (const ConfigNode& item : node.items)
      values.push_back(rule.read(item, path + '[' + std::to_string(values.size()) + ']'));
    return values;
  }
  ConfigNode write(const Value& values) const {
    ConfigNode node;
    node.kind = ConfigNode::Kind::List;
    for (const auto& value : values) node.items.push_back(rule.write(value));
    return node;
  }
  std::string allowed() const { return "a list, each " + rule.allowed(); }
};

}  // namespace tessera::config
