#include "tessera/config.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "config/config_testing.h"
#include "config/schema.h"
#include "config/suggestion.h"

namespace tessera {
namespace {

using config_testing::message_of;

Config parse(const std::string& text) { return parse_config(text, "run.yaml"); }
std::string refusal(const std::string& text) {
  return message_of(ErrorKind::Config, [&] { parse(text); });
}
/// The same for an override of an empty config, without the prefix that names it.
std::string override_refusal(const std::string& text) {
  const std::string message =
      message_of(ErrorKind::Config, [&] { parse_config("", "run.yaml", {text}); });
  const std::string prefix = "override '" + text + "': ";
  EXPECT_TRUE(message.starts_with(prefix)) << message;
  return message.substr(std::min(prefix.size(), message.size()));
}

TEST(ConfigTest, AnEmptyTextIsTheDefaults) { EXPECT_EQ(parse(""), Config{}); }

TEST(ConfigTest, ReadsEveryTypeOfValue) {
  const Config config = parse(R"(
data: {path: "a b.npy", max_samples: 100, validation_fraction: 0}
model:
  encoder_sizes: [64, 32]
  decoder_sizes: []
quantizer:
  estimator: rotation
  dead_code: {policy: none}
training: {learning_rate: 1e-3, codebook_learning_rate: .5, device: "cuda:1", seed: 7}
)");
  Config expected;
  expected.data = {.path = "a b.npy", .validation_fraction = 0, .max_samples = 100};
  expected.model.encoder_sizes = {64, 32};
  expected.model.decoder_sizes = {};
  expected.quantizer.estimator = "rotation";
  expected.quantizer.dead_code.policy = "none";
  expected.training.learning_rate = 0.001;
  expected.training.codebook_learning_rate = 0.5;
  expected.training.device = "cuda:1";
  expected.training.seed = 7;
  EXPECT_EQ(config, expected);
}

TEST(ConfigTest, ReadsNullWhereAKeyMayBeAbsent) {
  const Config config = parse("data: {path: ~, max_samples: null}\ntraining:\n  checkpoint_dir:\n");
  EXPECT_EQ(config, Config{});
}

TEST(ConfigTest, TakesTheOtherNameOfTheDenseModel) {
  EXPECT_EQ(parse("model: {kind: vq_vae}").model.kind, "dense");
}

TEST(ConfigTest, RefusesAnUnknownKeyWithTheNearest) {
  EXPECT_EQ(refusal("quantizer:\n  kind: ema\n  comitment_weight: 1\n"),
            "run.yaml:3: quantizer.comitment_weight is not a key; "
            "did you mean commitment_weight?");
  EXPECT_EQ(refusal("trainig: {seed: 1}"),
            "run.yaml:1: trainig is not a key; did you mean training?");
}

TEST(ConfigTest, SendsAKeyToItsSection) {
  EXPECT_EQ(refusal("batch_size: 8"),
            "run.yaml:1: batch_size is not a key; did you mean training.batch_size?");
  EXPECT_EQ(refusal("quantizer: {interval: 8}"),
            "run.yaml:1: quantizer.interval is not a key; "
            "did you mean quantizer.dead_code.interval?");
}

TEST(ConfigTest, ListsTheKeysWhereNoneIsNear) {
  EXPECT_EQ(refusal("quantizer: {dead_code: {zebra: 8}}"),
            "run.yaml:1: quantizer.dead_code.zebra is not a key; "
            "quantizer.dead_code has policy, interval, threshold, max_fraction");
  EXPECT_EQ(refusal("zebra: 8"),
            "run.yaml:1: zebra is not a key; "
            "a config has data, families, model, quantizer, losses, categories, training, learnable_assignment");
}

TEST(ConfigTest, KnowsTheNamesOfOtherPrograms) {
  EXPECT_EQ(refusal("quantizer: {commitment_cost: 1}"),
            "run.yaml:1: quantizer.commitment_cost is not a key; "
            "did you mean quantizer.commitment_weight?");
  EXPECT_EQ(refusal("model: {latent_size: 8}"),
            "run.yaml:1: model.latent_size is not a key; did you mean model.embedding_dim?");
  EXPECT_EQ(refusal("num_embeddings: 8"),
            "run.yaml:1: num_embeddings is not a key; did you mean quantizer.codebook_size?");
}

TEST(ConfigTest, ForeignNamesLeadToKeysAndAreNone) {
  for (const config::ForeignName& foreign : config::foreign_names()) {
    const auto& paths = config::config_paths();
    EXPECT_EQ(std::ranges::count(paths, foreign.path), 1) << foreign.name;
    for (const std::string& path : paths)
      EXPECT_NE(path.substr(path.rfind('.') + 1), foreign.name) << path;
  }
}

TEST(ConfigTest, RefusesADottedKeyInAFile) {
  EXPECT_EQ(refusal("training.seed: 1"),
            "run.yaml:1: training.seed has a dot; write sections and keys on lines of their own");
}

TEST(ConfigTest, RefusesTextForANumber) {
  EXPECT_EQ(refusal("training:\n  batch_size: yes\n"),
            "run.yaml:2: training.batch_size is 'yes'; "
            "it must be a whole number from 1 to 1048576");
  EXPECT_EQ(refusal("training: {batch_size: '8'}"),
            "run.yaml:1: training.batch_size is \"8\" in quotes; "
            "it must be a whole number from 1 to 1048576");
  EXPECT_EQ(refusal("training: {learning_rate: }"),
            "run.yaml:1: training.learning_rate is empty; it must be a number above 0");
}

TEST(ConfigTest, ReadsWholeNumbersStrictly) {
  for (const char* text :
       {"1e3", "8.0", "0x10", "+8", "1_000", "8k", "0o7", "99999999999999999999"})
    EXPECT_EQ(refusal("training: {num_epochs: " + std::string(text) + "}"),
              "run.yaml:1: training.num_epochs is '" + std::string(text) +
                  "'; it must be a whole number from 1 to 1000000000");
}

TEST(ConfigTest, NeverReadsALeadingZeroAsOctal) {
  EXPECT_EQ(refusal("training: {batch_size: 0777}"),
            "run.yaml:1: training.batch_size is '0777'; "
            "it must be a whole number from 1 to 1048576, without leading zeros");
  EXPECT_EQ(refusal("training: {learning_rate: 00.5}"),
            "run.yaml:1: training.learning_rate is '00.5'; "
            "it must be a number above 0, without leading zeros");
}

TEST(ConfigTest, ReadsNumbersStrictlyAndFinite) {
  for (const char* text : {"inf", ".inf", "nan", ".nan", "1e999", "1,5", "0x1p3", "1e", "+1"})
    EXPECT_NE(refusal("losses:\n  reconstruction: " + std::string(text) + "\n")
                  .find("; it must be a number of at least 0"),
              std::string::npos)
        << text;
}

TEST(ConfigTest, RefusesValuesOutOfRangeWithTheRange) {
  EXPECT_EQ(refusal("data: {validation_fraction: 1}"),
            "run.yaml:1: data.validation_fraction is '1'; "
            "it must be a number of at least 0 and below 1");
  EXPECT_EQ(refusal("quantizer: {dead_code: {max_fraction: 1.5}}"),
            "run.yaml:1: quantizer.dead_code.max_fraction is '1.5'; "
            "it must be a number from 0 to 1");
  EXPECT_EQ(refusal("data: {max_samples: 0}"),
            "run.yaml:1: data.max_samples is '0'; "
            "it must be a whole number of at least 1, or null");
  EXPECT_EQ(refusal("training: {seed: -1}"),
            "run.yaml:1: training.seed is '-1'; it must be a whole number of at least 0");
}

TEST(ConfigTest, RefusesAnUnknownNameWithTheList) {
  EXPECT_EQ(refusal("quantizer: {kind: emma}"),
            "run.yaml:1: quantizer.kind is 'emma'; it must be one of ema, gradient; "
            "did you mean ema?");
  EXPECT_EQ(refusal("model: {activation: 3}"),
            "run.yaml:1: model.activation is '3'; "
            "it must be one of relu, tanh, gelu, sigmoid, silu, identity");
}

TEST(ConfigTest, RefusesDevicesThatCannotBe) {
  for (const char* device : {"gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:1234", "cpu:0", "[cpu]"})
    EXPECT_NE(refusal("training: {device: '" + std::string(device) + "'}")
                  .find("it must be auto, cpu, cuda or cuda:<index>"),
              std::string::npos)
        << device;
}

TEST(ConfigTest, RefusesABadListItemByItsNumber) {
  EXPECT_EQ(refusal("model:\n  encoder_sizes:\n  - 64\n  - wide\n"),
            "run.yaml:4: model.encoder_sizes[1] is 'wide'; "
            "it must be a whole number from 1 to 1048576");
  EXPECT_EQ(refusal("model: {encoder_sizes: 64}"),
            "run.yaml:1: model.encoder_sizes is '64'; "
            "it must be a list, each a whole number from 1 to 1048576");
}

TEST(ConfigTest, RefusesSectionsAndValuesInEachOthersPlace) {
  EXPECT_EQ(refusal("data: 3"),
            "run.yaml:1: data is '3'; it must be a section with keys such as data.path");
  EXPECT_EQ(refusal("data:\nmodel: {}\n"),
            "run.yaml:1: data is empty; it must be a section with keys such as data.path");
  EXPECT_EQ(refusal("data: {path: {a: b}}"),
            "run.yaml:1: data.path is a section; it must be text, or null");
  EXPECT_EQ(refusal("- data"),
            "run.yaml:1: a config is a list of 1; "
            "it must be sections of keys, such as training: {seed: 1}");
}

TEST(ConfigOverrideTest, WinsOverTheFileAndOverEarlierOnes) {
  const Config config = parse_config("training: {seed: 1, threads: 2}", "run.yaml",
                                     {"training.seed=2", "training.seed=3"});
  EXPECT_EQ(config.training.seed, 3);
  EXPECT_EQ(config.training.threads, 2);
}

TEST(ConfigOverrideTest, TakesFlowValues) {
  const Config config = parse_config(
      "data: {max_samples: 5}", "run.yaml",
      {"model.encoder_sizes=[64, 32]", "data.max_samples=null", "data.path=a=b.npy",
       "training.schedule={kind: cosine, warmup_steps: 10}", "training.checkpoint_dir=''"});
  EXPECT_EQ(config.model.encoder_sizes, (std::vector<int64_t>{64, 32}));
  EXPECT_EQ(config.data.max_samples, std::nullopt);
  EXPECT_EQ(config.data.path, "a=b.npy");
  EXPECT_EQ(config.training.schedule.kind, "cosine");
  EXPECT_EQ(config.training.schedule.warmup_steps, 10);
  EXPECT_EQ(config.training.schedule.gamma, ScheduleConfig{}.gamma);
  EXPECT_EQ(config.training.checkpoint_dir, "");
}

TEST(ConfigOverrideTest, ErrorsNameTheOverride) {
  EXPECT_EQ(override_refusal("training.sede=1"), "training.sede is not a key; did you mean seed?");
  EXPECT_EQ(override_refusal("training.seed=x"),
            "training.seed is 'x'; it must be a whole number of at least 0");
  EXPECT_EQ(override_refusal("model.encoder_sizes=[1,"),
            "the top level has a list or section in place of a key; "
            "write a word, or close the bracket");
  EXPECT_EQ(override_refusal("data.path=a: b: c"),
            "is not YAML (illegal map value); check indentation, colons, quotes and brackets");
}

TEST(ConfigOverrideTest, RefusesWhatIsNotKeyEqualsValue) {
  const std::string form = "is not section.key=value; write it as training.seed=1";
  EXPECT_EQ(override_refusal("training.seed"), form);
  EXPECT_EQ(override_refusal("=1"), form);
  EXPECT_EQ(override_refusal(""), form);
  EXPECT_EQ(override_refusal("training.seed="),
            "has no value; write null after the = to mean none");
  EXPECT_EQ(override_refusal("extends=a.yaml"),
            "extends is read from files only; put it first in one");
  for (const char* text :
       {".=1", "training.=1", ".seed=1", "training..seed=1", "training.seed.x=1"})
    EXPECT_NE(override_refusal(text), "") << text;
}

TEST(ConfigOverrideTest, RefusesAValueForASection) {
  EXPECT_EQ(override_refusal("training=null"),
            "training is empty; it must be a section with keys such as training.category_assignment");
}

}  // namespace
}  // namespace tessera
