// The only file that includes yaml-cpp. Its events are used, not its nodes: the nodes accept
// duplicate keys (the first wins) and expand aliases, and their conversions read 0777 as octal and
// `yes` as true.
#include "config/yaml_reader.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <memory>
#include <sstream>
#include <string_view>

namespace tessera::config {
namespace {

class EventReader : public YAML::EventHandler {
 public:
  EventReader(std::shared_ptr<const std::string> source, Lines lines)
      : source_(source), lines_(lines), builder_(std::move(source)) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1) fail_at(place(mark), "a second document starts; keep one");
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    refuse_extras(mark, "", anchor);
    builder_.scalar(ConfigNode::Kind::Null, "", line(mark));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    fail_at(place(mark), "an alias (*name) stands here; write the value out");
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    refuse_extras(mark, tag, anchor);
    const bool quoted = tag == "!";  // what yaml-cpp gives for quoted and block text
    builder_.scalar(quoted ? ConfigNode::Kind::Quoted : ConfigNode::Kind::Plain, value, line(mark));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    refuse_extras(mark, tag, anchor);
    builder_.open(ConfigNode::Kind::List, line(mark));
  }
  void OnSequenceEnd() override { builder_.close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    refuse_extras(mark, tag, anchor);
    builder_.open(ConfigNode::Kind::Section, line(mark));
  }
  void OnMapEnd() override { builder_.close(); }

  Place place(const YAML::Mark& mark) const { return {source_, line(mark)}; }
  ConfigNode finish() { return builder_.finish(); }

 private:
  int line(const YAML::Mark& mark) const {
    return lines_ == Lines::Counted ? std::max(mark.line, 0) + 1 : 0;
  }
  void refuse_extras(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) const {
    if (anchor != 0) fail_at(place(mark), "an anchor (&name) stands here; remove it");
    if (!tag.empty() && tag != "?" && tag != "!")
      fail_at(place(mark), "a tag (", printable(tag), ") stands here; remove it");
  }

  std::shared_ptr<const std::string> source_;
  Lines lines_;
  TreeBuilder builder_;
  int documents_ = 0;
};

/// Bytes of the character at the front of `text`, 0 where it is not UTF-8 (RFC 3629, table 3-7 of
/// the Unicode standard) or a control character other than tab and line ends.
size_t character_bytes(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) {
    const bool control = first < 0x20 || first == 0x7f;
    return !control || first == '\t' || first == '\n' || first == '\r' ? 1 : 0;
  }
  const size_t bytes = first >= 0xc2 && first < 0xe0   ? 2
                       : first >= 0xe0 && first < 0xf0 ? 3
                       : first >= 0xf0 && first < 0xf5 ? 4
                                                       : 0;
  if (bytes == 0 || text.size() < bytes) return 0;
  for (size_t i = 1; i < bytes; ++i)
    if ((byte(i) & 0xc0) != 0x80) return 0;
  const bool overlong = (first == 0xe0 && byte(1) < 0xa0) || (first == 0xf0 && byte(1) < 0x90);
  const bool surrogate = first == 0xed && byte(1) >= 0xa0;
  const bool beyond = first == 0xf4 && byte(1) >= 0x90;
  return overlong || surrogate || beyond ? 0 : bytes;
}

void require_text(std::string_view text, Place place) {
  const bool counted = place.line > 0;
  for (size_t at = 0; at < text.size();) {
    const size_t bytes = character_bytes(text.substr(at));
    if (bytes == 0)
      fail_at(place, "byte ", static_cast<int>(static_cast<unsigned char>(text[at])), " at offset ",
              at, " is not text; a config is UTF-8 without control characters");
    if (counted && text[at] == '\n') ++place.line;
    at += bytes;
  }
}

}  // namespace

ConfigNode read_yaml(const std::string& text, const std::string& source, Lines lines) {
  const auto shared = std::make_shared<const std::string>(source);
  const Place start{shared, lines == Lines::Counted ? 1 : 0};
  if (text.size() > kMaxConfigBytes)
    fail_at({shared, 0}, "is larger than ", kMaxConfigBytes, " bytes; this is not a config");
  require_text(text, start);

  EventReader reader(shared, lines);
  try {
    std::istringstream stream(text);
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(reader)) {
    }
  } catch (const YAML::Exception& error) {
    std::string reason = error.msg;
    // It may quote one byte of a longer character.
    std::ranges::replace_if(
        reason, [](char c) { return (c & 0x80) != 0; }, '?');
    fail_at(reader.place(error.mark), "is not YAML (", printable(reason),
            "); check indentation, colons, quotes and brackets");
  }
  return reader.finish();
}

}  // namespace tessera::config
