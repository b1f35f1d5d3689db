#include "config/value_rules.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "config/suggestion.h"

namespace tessera::config {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// 0777 could mean 777 or, to older YAML readers, 511: it is neither here.
bool has_leading_zero(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  return text.size() > 1 && text[0] == '0' && is_digit(text[1]);
}

/// The whole of a plain scalar as a number of type T, or nothing.
template <class T>
std::optional<T> parse_number(const ConfigNode& node) {
  if (node.kind != ConfigNode::Kind::Plain || has_leading_zero(node.text)) return std::nullopt;
  const char* end = node.text.data() + node.text.size();
  T value{};
  const auto result = std::from_chars(node.text.data(), end, value);
  if (result.ec != std::errc{} || result.ptr != end) return std::nullopt;
  return value;
}

/// The shortest decimal that reads back as the same double.
std::string shortest(double value) {
  char buffer[32];
  const auto result = std::to_chars(buffer, buffer + sizeof buffer, value);
  return {buffer, result.ptr};
}

bool is_word(const ConfigNode& node) {
  return node.kind == ConfigNode::Kind::Plain || node.kind == ConfigNode::Kind::Quoted;
}

}  // namespace

void fail_value(const ConfigNode& node, const std::string& path, const std::string& allowed) {
  const bool zero = node.kind == ConfigNode::Kind::Plain && has_leading_zero(node.text);
  fail_at(node.place, path, " is ", describe(node), "; it must be ", allowed,
          zero ? ", without leading zeros" : "");
}

int64_t Integer::read(const ConfigNode& node, const std::string& path) const {
  const auto value = parse_number<int64_t>(node);
  if (!value || *value < min || *value > max) fail_value(node, path, allowed());
  return *value;
}

ConfigNode Integer::write(int64_t value) const { return ConfigNode::plain(std::to_string(value)); }

std::string Integer::allowed() const {
  if (max == std::numeric_limits<int64_t>::max())
    return "a whole number of at least " + std::to_string(min);
  return "a whole number from " + std::to_string(min) + " to " + std::to_string(max);
}

double Number::read(const ConfigNode& node, const std::string& path) const {
  const auto value = parse_number<double>(node);
  const bool inside = value && std::isfinite(*value) && (min_open ? *value > min : *value >= min) &&
                      (max_open ? *value < max : *value <= max);
  if (!inside) fail_value(node, path, allowed());
  return *value;
}

ConfigNode Number::write(double value) const { return ConfigNode::plain(shortest(value)); }

std::string Number::allowed() const {
  const std::string low = (min_open ? "above " : "of at least ") + shortest(min);
  if (std::isinf(max)) return "a number " + low;
  if (!min_open && !max_open) return "a number from " + shortest(min) + " to " + shortest(max);
  return "a number " + low + (max_open ? " and below " : " and at most ") + shortest(max);
}

bool Flag::read(const ConfigNode& node, const std::string& path) const {
  const bool plain = node.kind == ConfigNode::Kind::Plain;
  if (!plain || (node.text != "true" && node.text != "false")) fail_value(node, path, allowed());
  return node.text == "true";
}

ConfigNode Flag::write(bool value) const { return ConfigNode::plain(value ? "true" : "false"); }

std::string Flag::allowed() const { return "true or false"; }

std::string Text::read(const ConfigNode& node, const std::string& path) const {
  if (node.kind == ConfigNode::Kind::Null) return "";
  if (!is_word(node)) fail_value(node, path, allowed());
  return node.text;
}

ConfigNode Text::write(const std::string& value) const {
  return value.empty() ? ConfigNode{} : ConfigNode::quoted(value);
}

std::string Text::allowed() const { return "text, or null"; }

std::string Choice::read(const ConfigNode& node, const std::string& path) const {
  if (!is_word(node)) fail_value(node, path, allowed());
  for (const auto& [alias, name] : aliases)
    if (node.text == alias) return name;
  if (std::ranges::find(names, node.text) != names.end()) return node.text;
  const std::string near = nearest(node.text, names);
  fail_value(node, path, allowed() + (near.empty() ? "" : "; did you mean " + near + '?'));
}

ConfigNode Choice::write(const std::string& value) const { return ConfigNode::quoted(value); }

std::string Choice::allowed() const {
  if (names.size() == 1) return names.front();
  std::string list = "one of ";
  for (const std::string& name : names) list += (&name == &names.front() ? "" : ", ") + name;
  return list;
}

std::string DeviceName::read(const ConfigNode& node, const std::string& path) const {
  const std::string& text = node.text;
  const std::string_view prefix = "cuda:";
  // Three digits: no machine has more devices, and the index fits an int.
  const bool indexed = text.starts_with(prefix) && text.size() > prefix.size() &&
                       text.size() <= prefix.size() + 3 &&
                       std::all_of(text.begin() + prefix.size(), text.end(), is_digit);
  const bool known = text == "auto" || text == "cpu" || text == "cuda" || indexed;
  if (!is_word(node) || !known) fail_value(node, path, allowed());
  return text;
}

ConfigNode DeviceName::write(const std::string& value) const { return ConfigNode::quoted(value); }

std::string DeviceName::allowed() const { return "auto, cpu, cuda or cuda:<index>"; }

}  // namespace tessera::config
