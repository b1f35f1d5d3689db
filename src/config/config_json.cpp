// A Config as JSON and back. JSON takes the same way through the schema as YAML does.
#include <memory>
#include <nlohmann/json.hpp>

#include "config/schema.h"
#include "config/yaml_reader.h"

namespace tessera {
namespace {

using config::ConfigNode;
using Json = nlohmann::ordered_json;

Json to_value(const ConfigNode& node) {
  switch (node.kind) {
    case ConfigNode::Kind::Null:
      return nullptr;
    case ConfigNode::Kind::Plain:  // a number or a Flag, spelled alike in both
      return Json::parse(node.text);
    case ConfigNode::Kind::Quoted:
      return node.text;
    default:
      break;
  }
  if (node.is_section()) {
    Json section = Json::object();
    for (const ConfigNode::Entry& entry : node.entries) section[entry.key] = to_value(entry.value);
    return section;
  }
  Json list = Json::array();
  for (const ConfigNode& item : node.items) list.push_back(to_value(item));
  return list;
}

/// Hands the parser's events to the tree; nothing is built that the tree's limits would refuse.
class EventReader : public nlohmann::json_sax<Json> {
 public:
  explicit EventReader(std::shared_ptr<const std::string> source)
      : source_(source), builder_(std::move(source)) {}

  bool null() override { return add(ConfigNode::Kind::Null, ""); }
  bool boolean(bool value) override {
    return add(ConfigNode::Kind::Plain, value ? "true" : "false");
  }
  bool number_integer(number_integer_t value) override {
    return add(ConfigNode::Kind::Plain, std::to_string(value));
  }
  bool number_unsigned(number_unsigned_t value) override {
    return add(ConfigNode::Kind::Plain, std::to_string(value));
  }
  bool number_float(number_float_t, const string_t& text) override {
    return add(ConfigNode::Kind::Plain, text);
  }
  bool string(string_t& value) override { return add(ConfigNode::Kind::Quoted, value); }
  bool key(string_t& value) override { return add(ConfigNode::Kind::Quoted, value); }
  bool binary(binary_t&) override { return false; }
  bool start_object(size_t) override { return open(ConfigNode::Kind::Section); }
  bool start_array(size_t) override { return open(ConfigNode::Kind::List); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool parse_error(size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    config::fail_at({source_, 0}, "is not JSON at byte ", position,
                    "; the file that carries it is damaged");
  }
  ConfigNode finish() { return builder_.finish(); }

 private:
  bool add(ConfigNode::Kind kind, std::string text) {
    builder_.scalar(kind, std::move(text), 0);
    return true;
  }
  bool open(ConfigNode::Kind kind) {
    builder_.open(kind, 0);
    return true;
  }
  bool close() {
    builder_.close();
    return true;
  }

  std::shared_ptr<const std::string> source_;
  config::TreeBuilder builder_;
};

}  // namespace

std::string to_json(const Config& config) {
  Json root = Json::object();
  for (const config::ConfigKey& key : config::config_keys()) {
    Json* place = &root;
    size_t begin = 0;
    for (size_t dot; (dot = key.path.find('.', begin)) != std::string::npos; begin = dot + 1)
      place = &(*place)[key.path.substr(begin, dot - begin)];
    (*place)[key.path.substr(begin)] = to_value(key.write(config));
  }
  // A path need not be UTF-8 on disk, JSON must be.
  return root.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Config config_from_json(const std::string& text, const std::string& source) {
  const auto shared = std::make_shared<const std::string>(source);
  if (text.size() > config::kMaxConfigBytes)
    config::fail_at({shared, 0}, "is larger than ", config::kMaxConfigBytes,
                    " bytes; this is not a config");
  EventReader reader(shared);
  Json::sax_parse(text, &reader);
  const ConfigNode root = reader.finish();
  if (!root.is_section())
    config::fail_at({shared, 0}, "is ", describe(root), "; it must be a JSON object of sections");
  Config result;
  config::read_config(root, result);
  return result;
}

}  // namespace tessera
