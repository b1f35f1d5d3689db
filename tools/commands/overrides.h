#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tessera::tools {

/// Overrides of a config: those of the command line, then flags, which are shorthands and win.
class Overrides {
 public:
  explicit Overrides(std::vector<std::string> given) : lines_(std::move(given)) {}

  void add(const std::string& key, std::optional<int64_t> value) {
    if (value) lines_.push_back(key + '=' + std::to_string(*value));
  }
  /// Text as YAML reads it back; nothing where it is empty.
  void add(const std::string& key, const std::string& text) {
    if (text.empty()) return;
    std::string quoted = "'";
    for (const char c : text) quoted += c == '\'' ? "''" : std::string(1, c);
    lines_.push_back(key + '=' + quoted + "'");
  }
  const std::vector<std::string>& lines() const { return lines_; }

 private:
  std::vector<std::string> lines_;
};

}  // namespace tessera::tools
