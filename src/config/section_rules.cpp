#include "config/section_rules.h"

#include <algorithm>

#include "config/encoder_rules.h"
#include "config/suggestion.h"

namespace tessera::config {
namespace {

void add(ConfigNode& section, std::string key, ConfigNode value) {
  section.kind = ConfigNode::Kind::Section;
  section.entries.push_back({std::move(key), {}, std::move(value)});
}

/// Throws Error (Config) for a key of `section` that is not among `known`.
void check_keys(const ConfigNode& section, const std::string& path,
                const std::vector<std::string>& known) {
  for (const ConfigNode::Entry& entry : section.entries)
    if (std::ranges::find(known, entry.key) == known.end())
      fail_at(entry.place, join_path(path, printable(entry.key)), " is not a key; ",
              suggest_key(path, entry.key, [&] {
                std::vector<std::string> paths;
                for (const std::string& name : known) paths.push_back(join_path(path, name));
                return paths;
              }()));
}

const ConfigNode* find(const ConfigNode& section, const std::string& key) {
  const auto found = std::ranges::find(section.entries, key, &ConfigNode::Entry::key);
  return found == section.entries.end() ? nullptr : &found->value;
}

}  // namespace

Levels::Value Levels::read(const ConfigNode& node, const std::string& path) const {
  Value value;
  if (node.kind == ConfigNode::Kind::Null) return value;
  if (!node.is_section()) fail_value(node, path, allowed());
  const OrNull<Integer> dim{{1, max_dim}}, codes{{1, max_codes}};
  for (const ConfigNode::Entry& entry : node.entries) {
    const std::string category = join_path(path, entry.key);
    if (entry.value.kind != ConfigNode::Kind::List || entry.value.items.empty())
      fail_value(entry.value, category, "a list with one {code_dim, codebook_size} for each level");
    value.push_back({entry.key, {}});
    for (const ConfigNode& item : entry.value.items) {
      const std::string level =
          category + '[' + std::to_string(value.back().levels.size()) + ']';
      LevelSize size;
      if (item.kind != ConfigNode::Kind::Null) {
        if (!item.is_section()) fail_value(item, level, "{code_dim, codebook_size}, or null");
        check_keys(item, level, {"code_dim", "codebook_size"});
        if (const ConfigNode* given = find(item, "code_dim"))
          size.code_dim = dim.read(*given, level + ".code_dim");
        if (const ConfigNode* given = find(item, "codebook_size"))
          size.codebook_size = codes.read(*given, level + ".codebook_size");
      }
      value.back().levels.push_back(size);
    }
  }
  return value;
}

ConfigNode Levels::write(const Value& value) const {
  const OrNull<Integer> number{{1, max_codes}};
  ConfigNode section;
  section.kind = ConfigNode::Kind::Section;
  for (const CategoryLevels& category : value) {
    ConfigNode list;
    list.kind = ConfigNode::Kind::List;
    for (const LevelSize& level : category.levels) {
      ConfigNode item;
      add(item, "code_dim", number.write(level.code_dim));
      add(item, "codebook_size", number.write(level.codebook_size));
      list.items.push_back(std::move(item));
    }
    add(section, category.category, std::move(list));
  }
  return section;
}

std::string Levels::allowed() const {
  return "{<category>: [{code_dim, codebook_size}, ...]}";
}

Families::Value Families::read(const ConfigNode& node, const std::string& path) const {
  Value value;
  if (node.kind == ConfigNode::Kind::Null) return value;
  if (!node.is_section()) fail_value(node, path, allowed());
  const Choice encoder = encoder_choice();
  for (const ConfigNode::Entry& entry : node.entries) {
    const std::string family = join_path(path, entry.key);
    value.push_back({entry.key});
    if (entry.value.kind == ConfigNode::Kind::Null) continue;
    if (!entry.value.is_section()) fail_value(entry.value, family, "{encoder: <name>}");
    check_keys(entry.value, family, {"encoder", "encoder_params"});
    if (const ConfigNode* given = find(entry.value, "encoder"))
      value.back().encoder = encoder.read(*given, family + ".encoder");
    if (const ConfigNode* given = find(entry.value, "encoder_params"))
      value.back().encoder_params =
          EncoderParamsOf{value.back().encoder}.read(*given, family + ".encoder_params");
  }
  return value;
}

ConfigNode Families::write(const Value& value) const {
  ConfigNode section;
  section.kind = ConfigNode::Kind::Section;
  for (const FamilyConfig& family : value) {
    ConfigNode item;
    add(item, "encoder", ConfigNode::quoted(family.encoder));
    if (ConfigNode params = EncoderParamsOf{family.encoder}.write(family.encoder_params);
        !params.entries.empty())
      add(item, "encoder_params", std::move(params));
    add(section, family.name, std::move(item));
  }
  return section;
}

std::string Families::allowed() const { return "{<family>: {encoder, encoder_params}}"; }

std::vector<double> ratio_numbers(const std::string& text) {
  std::vector<double> numbers;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(':', begin), text.size());
    numbers.push_back(above_zero().read(ConfigNode::plain(text.substr(begin, end - begin)),
                                        "model.compression_ratios"));
    begin = end + 1;
  }
  return numbers;
}

std::string Ratios::read(const ConfigNode& node, const std::string& path) const {
  if (node.kind == ConfigNode::Kind::List) {
    std::string text;
    for (const ConfigNode& item : node.items) text += (text.empty() ? "" : ":") + item.text;
    return read(ConfigNode::quoted(text), path);
  }
  const std::string text = Text{}.read(node, path);
  if (text.empty() || text == "auto") return text;
  try {
    ratio_numbers(text);
  } catch (const Error&) {
    fail_value(node, path, allowed());
  }
  return text;
}

ConfigNode Ratios::write(const std::string& value) const { return Text{}.write(value); }

std::string Ratios::allowed() const {
  return "numbers above 0 as in 0.5:1:1.5, auto, or null";
}

}  // namespace tessera::config
