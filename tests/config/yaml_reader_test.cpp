#include "config/yaml_reader.h"

#include <gtest/gtest.h>

#include <string>

#include "config/config_testing.h"
#include "config/suggestion.h"
#include "config/value_rules.h"

namespace tessera::config {
namespace {

using config_testing::message_of;

std::string refusal(const std::string& text) {
  return message_of(ErrorKind::Config, [&] { read_yaml(text, "run.yaml"); });
}

std::string repeated(const std::string& unit, size_t bytes) {
  std::string text;
  while (text.size() < bytes) text += unit;
  return text;
}

TEST(YamlReaderTest, KeepsOrderKindAndLine) {
  const ConfigNode root = read_yaml("a: 1\nb: 'x'\nc:\n- null\n- {d: e}\n", "run.yaml");
  ASSERT_EQ(root.entries.size(), 3u);
  EXPECT_EQ(root.entries[0].value.kind, ConfigNode::Kind::Plain);
  EXPECT_EQ(root.entries[1].value.kind, ConfigNode::Kind::Quoted);
  EXPECT_EQ(to_string(root.entries[1].place), "run.yaml:2");
  const ConfigNode& list = root.entries[2].value;
  ASSERT_EQ(list.items.size(), 2u);
  EXPECT_EQ(list.items[0].kind, ConfigNode::Kind::Null);
  EXPECT_EQ(list.items[1].entries[0].place.line, 5);
}

TEST(YamlReaderTest, TakesAnEmptyFileAsNull) {
  EXPECT_EQ(read_yaml("", "run.yaml").kind, ConfigNode::Kind::Null);
  EXPECT_EQ(read_yaml("# nothing\n", "run.yaml").kind, ConfigNode::Kind::Null);
}

TEST(YamlReaderTest, RefusesDuplicateKeysWithBothLines) {
  EXPECT_EQ(refusal("training:\n  seed: 1\n  threads: 2\n  seed: 3\n"),
            "run.yaml:4: training.seed is given twice, first on line 2; keep one of them");
}

TEST(YamlReaderTest, RefusesKeysThatAreNotText) {
  EXPECT_EQ(refusal("data:\n  ? [a]\n  : 1\n"),
            "run.yaml:2: data has a list or section in place of a key; "
            "write a word, or close the bracket");
  EXPECT_EQ(refusal(": 1\n"), "run.yaml:1: (empty) is not a key; put a name before the colon");
}

TEST(YamlReaderTest, RefusesAnchorsAliasesTagsAndDocuments) {
  EXPECT_EQ(refusal("a: &x 1\n"), "run.yaml:1: an anchor (&name) stands here; remove it");
  EXPECT_EQ(refusal("a: &x\n"), "run.yaml:1: an anchor (&name) stands here; remove it");
  EXPECT_EQ(refusal("a: !!int 3\n"),
            "run.yaml:1: a tag (tag:yaml.org,2002:int) stands here; remove it");
  EXPECT_EQ(refusal("a: !set {b: 1}\n"), "run.yaml:1: a tag (!set) stands here; remove it");
  EXPECT_EQ(refusal("a: 1\n---\nb: 1\n"), "run.yaml:2: a second document starts; keep one");
}

TEST(YamlReaderTest, ReportsSyntaxWithItsLine) {
  const std::string message = refusal("a: 1\nb: [1, 2\nc: 3\n");
  EXPECT_TRUE(message.starts_with("run.yaml:3: is not YAML (")) << message;
  EXPECT_TRUE(message.ends_with("; check indentation, colons, quotes and brackets")) << message;
}

TEST(YamlReaderTest, RefusesBytesThatAreNotText) {
  const std::string rule = " is not text; a config is UTF-8 without control characters";
  EXPECT_EQ(refusal("a: 1\nb: \xff\n"), "run.yaml:2: byte 255 at offset 8" + rule);
  EXPECT_EQ(refusal(std::string("a: \0", 4)), "run.yaml:1: byte 0 at offset 3" + rule);
  EXPECT_EQ(refusal("a: \xc0\xaf"), "run.yaml:1: byte 192 at offset 3" + rule);      // overlong
  EXPECT_EQ(refusal("a: \xed\xa0\x80"), "run.yaml:1: byte 237 at offset 3" + rule);  // surrogate
  EXPECT_EQ(refusal("a: \xe2\x82"), "run.yaml:1: byte 226 at offset 3" + rule);      // cut off
}

TEST(YamlReaderTest, ReadsTextBeyondAscii) {
  const ConfigNode root = read_yaml(
      "\xef\xbb\xbf"
      "a: caf\xc3\xa9 \xf0\x9f\x99\x82\n",
      "run.yaml");
  EXPECT_EQ(root.entries.at(0).key, "a");
  EXPECT_EQ(root.entries.at(0).value.text, "caf\xc3\xa9 \xf0\x9f\x99\x82");
}

TEST(YamlReaderTest, RefusesWhatIsTooLargeTooDeepOrTooWide) {
  EXPECT_EQ(refusal(std::string(kMaxConfigBytes + 1, '#')),
            "run.yaml: is larger than 1048576 bytes; this is not a config");
  EXPECT_EQ(refusal("a: " + std::string(40, '[') + std::string(40, ']')),
            "run.yaml:1: values are nested deeper than 16; this is not a config");
  std::string wide;
  for (int i = 0; i <= 1000; ++i) wide += 'k' + std::to_string(i) + ": 1\n";
  EXPECT_EQ(refusal(wide),
            "run.yaml:1001: more than 1000 keys in one section; this is not a config");
}

// Each of these makes some YAML reader recurse without end, run in quadratic time or assert.
TEST(YamlReaderTest, EndsOnHostileText) {
  for (const char* unit :
       {"[", "{", "- ", "? ", "a: ", "&a ", "!", "[{", "? [", "- ? ", "{a: b, ", ": "})
    EXPECT_NE(refusal(repeated(unit, size_t{1} << 18)), "") << unit;
  for (const char* text :
       {"]", "}", ",", "%", "%TAG\n", "@", "`", "\"", "'", "\t-\ta", "|", "!<", "*", "\"\\",
        "\"\\x", "\"\\ud800\"", "{a: b, , }", "- - ? a\n  : b\n- ]"}) {
    try {
      read_yaml(text, "run.yaml");
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::Config) << text;
    }
  }
}

TEST(YamlReaderTest, MessagesShowLongAndBinaryValuesShort) {
  EXPECT_EQ(printable("a\nb\x7f"), "a?b?");
  EXPECT_EQ(printable(std::string(100, 'x')), std::string(60, 'x') + "...");
  // 59 letters, then a character of two bytes that the cut would halve.
  EXPECT_EQ(printable(std::string(59, 'x') + "\xc3\xa9y"), std::string(59, 'x') + "...");
}

TEST(FlagTest, TakesTrueAndFalseOnly) {
  const Flag flag;
  EXPECT_TRUE(flag.read(ConfigNode::plain("true"), "a.b"));
  EXPECT_FALSE(flag.read(ConfigNode::plain("false"), "a.b"));
  for (const char* text : {"yes", "no", "True", "1", "on", ""})
    EXPECT_EQ(message_of(ErrorKind::Config, [&] { flag.read(ConfigNode::plain(text), "a.b"); }),
              "config: a.b is '" + std::string(text) + "'; it must be true or false");
  EXPECT_NE(message_of(ErrorKind::Config, [&] { flag.read(ConfigNode::quoted("true"), "a.b"); }),
            "");
}

TEST(SuggestionTest, CountsEditsAndSwaps) {
  EXPECT_EQ(edit_distance("seed", "seed", 3), 0);
  EXPECT_EQ(edit_distance("sede", "seed", 3), 1);
  EXPECT_EQ(edit_distance("comitment", "commitment", 3), 1);
  EXPECT_EQ(edit_distance("kitten", "sitting", 3), 3);
  EXPECT_EQ(edit_distance("kitten", "sitting", 2), 3);  // above the limit
}

}  // namespace
}  // namespace tessera::config
