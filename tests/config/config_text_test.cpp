#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "config/config_testing.h"
#include "config/schema.h"
#include "tessera/config.h"
#include "testing/places.h"

namespace tessera {
namespace {

using config_testing::message_of;

/// Differs from the defaults in every key; a key without a line here fails the test below.
Config changed_config() {
  Config config;
  config.data = {
      "a: b # \"c\"\\\n\x07 caf\xc3\xa9", "npz", 0.0, 12, "standard", {"initial/*", "x"}, {}};
  config.data.cleaning = {true, 1e-3, 10.0, 5, 0.5, "first", "mad", 1, 99, 2, 4};
  config.families = {{"initial"}, {"temporal", "PyramidTemporalEncoder"}};
  config.families[1].encoder_params.trainable = false;
  config.families[1].encoder_params.variable_length = {true, 2,    9, "fixed_bins", 0.5, {4, 8}, {1, 3},
                                                       false, 2, true, 5, 7, "cosine"};
  config.families[1].encoder_params.downsample_factors = {1};
  config.families[1].encoder_params.level_dims = {3};
  config.model = {"categorical", 784, {}, {1, 2, 3}, 7, "silu", 3, 4, "0.5:1:1.5", "variance", true,
                  {{"a: b", {{8, 16}, {{}, 4}}}, {"*", {{}}}}, 0.5, {5, {6, 7}, 8}};
  config.quantizer = {"gradient", "rotation", 3, "uniform", 1.0 / 3, 1e-300, 0.1 + 0.2, 1e300, {}};
  config.quantizer.dead_code = {"none", 1, 1.0, 0.0};
  config.losses = {2.5, 0.5, 0.25, 3, 4, 5, 6, "variance"};
  config.categories = {"mapping", "map.json", "cosine", "single", "gap", 7,           0.5, 3, 9, 4,
                       0.5,       2,          100,      0.5,      true,  {"initial"}, 40,  2, 5,
                       7,         0.5};
  config.training.category_assignment = "learnable";
  config.learnable_assignment = {"random", 1, 2, 3, "cosine", 0, false, true, "hard", 5, {"step", 1, 0.5, 3, 1},
                                 6, 7, 8, 9, 10, "nonlinear", 11, 12, 1, 0,
                                 {true, 1, 2, 3, 4, 5}};
  config.training.num_epochs = 1000000000;
  config.training.batch_size = 1;
  config.training.learning_rate = 5e-324;  // the smallest double
  config.training.codebook_learning_rate = 0.5;
  config.training.beta1 = 0;
  config.training.beta2 = 0.99;
  config.training.adam_epsilon = 1e-5;
  config.training.schedule = {"exponential", 3, 0.125, 4, 1.0};
  config.training.gradient_clip_norm = 1;
  config.training.validation_interval = 2;
  config.training.checkpoint_dir = "null";
  config.training.checkpoint_every_steps = 3;
  config.training.checkpoint_every_epochs = 5;
  config.training.keep_last = 6;
  config.training.early_stopping = {20, 0.125};
  config.training.seed = 9223372036854775807;
  config.training.device = "cuda:1";
  config.training.threads = 2;
  return config;
}

TEST(ConfigTextTest, ChangedConfigChangesEveryKey) {
  EXPECT_EQ(config_changes(Config{}, changed_config()).size(), config::config_keys().size());
}

TEST(ConfigTextTest, YamlReadsBackEqual) {
  for (const Config& config : {Config{}, changed_config()}) {
    EXPECT_EQ(parse_config(to_yaml(config), "copy.yaml"), config);
    EXPECT_EQ(parse_config(to_yaml(config, Comments::Shown), "copy.yaml"), config);
  }
}

TEST(ConfigTextTest, JsonReadsBackEqual) {
  for (const Config& config : {Config{}, changed_config()})
    EXPECT_EQ(config_from_json(to_json(config)), config);
}

TEST(ConfigTextTest, EveryTextReadsBackEqual) {
  for (const char* text : {"x",
                           "-",
                           "~",
                           "null",
                           "True",
                           "no",
                           "1e5",
                           "0777",
                           "a: b",
                           "#",
                           " x ",
                           "'",
                           "\"",
                           "\\",
                           "\t",
                           "\n\n",
                           "%",
                           "@a",
                           "- a",
                           "*a",
                           "&a",
                           "!a",
                           "[a]",
                           "/a/b-c.npy",
                           "\x01",
                           "\x7f",
                           "\xc2\x85",
                           "\xe2\x80\xa8",
                           "\xef\xbb\xbf",
                           "\xf0\x9f\x99\x82",
                           "a\r\nb",
                           "...",
                           "---"}) {
    Config config;
    config.data.path = text;
    EXPECT_EQ(parse_config(to_yaml(config), "copy.yaml").data.path, text);
    EXPECT_EQ(config_from_json(to_json(config)).data.path, text);
  }
}

TEST(ConfigTextTest, YamlHasEveryKeyOnceInOrder) {
  const std::string yaml = to_yaml(Config{});
  EXPECT_TRUE(yaml.starts_with("data:\n  path: null\n  format: auto\n")) << yaml;
  EXPECT_NE(yaml.find("  dead_code:\n    policy: fixed\n"), std::string::npos) << yaml;
  EXPECT_NE(yaml.find("    gamma: 0.95\n  gradient_clip_norm: 0\n"), std::string::npos) << yaml;
  const auto lines = static_cast<size_t>(std::count(yaml.begin(), yaml.end(), '\n'));
  // data, cleaning, model, decoder, quantizer, dead_code, losses, categories, training, schedule,
  // early_stopping, learnable_assignment, schedule, pruning
  const size_t sections = 14;
  EXPECT_EQ(lines, config::config_keys().size() + sections);
}

TEST(ConfigTextTest, JsonHasTypedNestedValues) {
  const auto json = nlohmann::json::parse(to_json(Config{}));
  EXPECT_EQ(json["model"]["encoder_sizes"], nlohmann::json::parse("[256, 128]"));
  EXPECT_EQ(json["quantizer"]["dead_code"]["threshold"], 0.1);
  EXPECT_EQ(json["quantizer"]["kind"], "ema");
  EXPECT_TRUE(json["data"]["max_samples"].is_null());
  EXPECT_EQ(to_json(Config{}).find('\n'), std::string::npos);
}

TEST(ConfigTextTest, JsonIsReadAsStrictlyAsYaml) {
  const auto refusal = [](const std::string& text) {
    return message_of(ErrorKind::Config, [&] { config_from_json(text, "last.safetensors"); });
  };
  EXPECT_EQ(refusal(R"({"training": {"sede": 1}})"),
            "last.safetensors: training.sede is not a key; did you mean seed?");
  EXPECT_EQ(refusal(R"({"training": {"seed": 1, "seed": 2}})"),
            "last.safetensors: training.seed is given twice; keep one of them");
  EXPECT_EQ(refusal(R"({"training": {"seed": "1"}})"),
            "last.safetensors: training.seed is \"1\" in quotes; "
            "it must be a whole number of at least 0");
  EXPECT_EQ(refusal("null"), "last.safetensors: is empty; it must be a JSON object of sections");
  EXPECT_NE(refusal("{\"data\": ").find("is not JSON at byte"), std::string::npos);
  EXPECT_NE(refusal(std::string(100000, '[')).find("nested deeper than 16"), std::string::npos);
}

TEST(ConfigTextTest, ChangesNameTheKeyAndBothValues) {
  Config before, after;
  before.data.max_samples = 10;
  after.training.schedule.kind = "cosine";
  EXPECT_EQ(config_changes(before, after),
            (std::vector<std::string>{"data.max_samples: 10 -> null",
                                      "training.schedule.kind: constant -> cosine"}));
}

TEST(ShippedConfigTest, DefaultIsWhatTheProgramWrites) {
  std::ifstream file(testing::shipped_config("default.yaml"));
  std::string text(std::istreambuf_iterator<char>(file), {});
  while (text.starts_with('#')) text.erase(0, text.find('\n') + 1);  // what the file says of itself
  EXPECT_EQ(text, to_yaml(Config{}, Comments::Shown));
  EXPECT_EQ(parse_config(text, "default.yaml"), Config{});
}

TEST(ShippedConfigTest, DenseFashionMnistIsTheModelItSays) {
  const Config config = load_config(testing::shipped_config("dense_fashion_mnist.yaml"));
  EXPECT_EQ(config.model.kind, "dense");
  EXPECT_EQ(config.model.input_size, 784);
  EXPECT_EQ(config.model.encoder_sizes, (std::vector<int64_t>{256, 128}));
  EXPECT_EQ(config.model.embedding_dim, 64);
  EXPECT_EQ(config.quantizer.codebook_size, 512);
  EXPECT_EQ(config.training.checkpoint_dir, "runs/dense_fashion_mnist");
}

}  // namespace
}  // namespace tessera
