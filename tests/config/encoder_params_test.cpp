// families.<name>.encoder and encoder_params.

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "config/config_testing.h"
#include "config/encoder_rules.h"
#include "tessera/config.h"
#include "tessera/encoder.h"

namespace tessera {
namespace {

using config_testing::message_of;

Config parse_run(const std::string& text) { return parse_config(text, "run.yaml"); }

/// Family t with an encoder and its parameters.
Config family(const std::string& encoder, const std::string& params) {
  return parse_run("families: {t: {encoder: " + encoder + ", encoder_params: " + params + "}}");
}
EncoderParams params_of(const std::string& encoder, const std::string& params) {
  return family(encoder, params).families.at(0).encoder_params;
}
/// What is refused, without the place and the path of the parameters.
std::string refusal(const std::string& encoder, const std::string& params) {
  const std::string message = message_of(ErrorKind::Config, [&] { family(encoder, params); });
  const std::string prefix = "run.yaml:1: families.t.encoder_params";
  EXPECT_TRUE(message.starts_with(prefix)) << message;
  return message.substr(std::min(prefix.size(), message.size()));
}
std::string length_refusal(const std::string& params) {
  const std::string message =
      refusal("TemporalMeanEncoder", "{variable_length: {enabled: true, " + params + "}}");
  const std::string prefix = ".variable_length";
  EXPECT_TRUE(message.starts_with(prefix)) << message;
  return message.substr(std::min(prefix.size(), message.size()));
}

TEST(EncoderParamsTest, ConfigAndEncodersKnowTheSameNamesAndKeys) {
  const config::Choice choice = config::encoder_choice();
  ASSERT_EQ(choice.names.size(), encoder_infos().size());
  for (const EncoderInfo& info : encoder_infos()) {
    const std::string name(info.name);
    EXPECT_EQ(std::ranges::count(choice.names, name), 1) << name;
    for (const std::string_view alias : info.aliases)
      EXPECT_EQ(parse_run("families: {t: {encoder: " + std::string(alias) + "}}").families[0].encoder,
                name);
    EXPECT_EQ(config::encoder_param_names(name),
              std::vector<std::string>(info.params.begin(), info.params.end()))
        << name;
  }
}

TEST(EncoderParamsTest, AnAliasIsWrittenBackAsTheName) {
  EXPECT_NE(to_yaml(parse_run("families: {t: {encoder: initial_hybrid}}"))
                .find("families: {t: {encoder: InitialHybridEncoder, encoder_params: "),
            std::string::npos);
  EXPECT_NE(to_yaml(parse_run("families: {t: {encoder: IdentityEncoder}}"))
                .find("families: {t: {encoder: identity}}"),
            std::string::npos);
}

TEST(EncoderParamsTest, ReadsTheKeysOfEachEncoder) {
  const EncoderParams mlp = params_of(
      "mlp", "{hidden_dims: [8], output_dim: 3, dropout: 0, activation: tanh, batch_norm: false}");
  EXPECT_EQ(mlp.hidden_dims, (std::vector<int64_t>{8}));
  EXPECT_EQ(mlp.output_dim, 3);
  EXPECT_EQ(mlp.activation, "tanh");
  EXPECT_FALSE(mlp.batch_norm);
  EXPECT_EQ(params_of("td_cnn", "{embedding_dim: 128}").embedding_dim, 128);
  EXPECT_EQ(params_of("td_cnn", "{}").embedding_dim, std::nullopt);
  EXPECT_EQ(params_of("initial_hybrid", "{pretrained_cnn_path: a.safetensors}").pretrained_cnn_path,
            "a.safetensors");
}

TEST(EncoderParamsTest, ReadsBackWhatItWrites) {
  for (
      const std::string& text : std::vector<std::string>{
          "{t: {encoder: mlp, encoder_params: {trainable: false, hidden_dims: [], dropout: 0.25}}}",
          "{t: {encoder: ic_cnn, encoder_params: {embedding_dim: 5, pretrained_cnn_path: 'a: b'}}}",
          "{t: {encoder: initial_hybrid, encoder_params: {encode_manual: true, manual_output_dim: "
          "2}}, s: {encoder: identity}}",
          "{t: {encoder: PyramidTemporalEncoder, encoder_params: {level_dims: [4, 8], "
          "downsample_factors: [2, 3], variable_length: {enabled: true, min_timesteps: 4, "
          "max_timesteps: 64, sampling_strategy: fixed_bins, length_bins: [8, 64], bin_weights: "
          "[0.5, 2], adaptive_pyramid: false, use_length_curriculum: true, curriculum_epochs: 7, "
          "curriculum_start_min: 32, curriculum_schedule: cosine}}}}"}) {
    const Config config = parse_run("families: " + text);
    EXPECT_EQ(parse_config(to_yaml(config), "copy.yaml"), config) << text;
    EXPECT_EQ(config_from_json(to_json(config)), config) << text;
  }
}

TEST(EncoderParamsTest, ADisabledSectionKeepsItsValues) {
  const Config config = family("td_cnn", "{variable_length: {enabled: false, max_timesteps: 9}}");
  EXPECT_EQ(parse_config(to_yaml(config), "copy.yaml"), config);
}

TEST(EncoderParamsTest, ChangesShowTheParameterAlone) {
  using Changes = std::vector<std::string>;
  const Config eight = family("td_cnn", "{embedding_dim: 8}");
  const std::string name = "families." + eight.families[0].name;
  EXPECT_EQ(config_changes(eight, family("td_cnn", "{embedding_dim: 9}")),
            Changes{name + ".encoder_params.embedding_dim: 8 -> 9"});
  Config two = eight;
  two.families.push_back({.name = "zeta"});
  EXPECT_EQ(config_changes(eight, two), Changes{"families.zeta: not given -> {encoder: identity}"});
  EXPECT_EQ(config_changes(two, eight), Changes{"families.zeta: {encoder: identity} -> not given"});
  Config turned = two;
  std::swap(turned.families[0], turned.families[1]);
  ASSERT_EQ(config_changes(two, turned).size(), 1u) << "their order is the order of the columns";
}

TEST(EncoderParamsTest, AnOverrideReachesOneParameter) {
  const Config config = parse_config(
      "families: {t: {encoder: td_cnn, encoder_params: {embedding_dim: 8}}}", "run.yaml",
      {"families.t.encoder_params.variable_length={enabled: true, min_timesteps: 2, "
       "max_timesteps: 8}"});
  EXPECT_EQ(config.families[0].encoder_params.embedding_dim, 8);
  EXPECT_EQ(config.families[0].encoder_params.variable_length.max_timesteps, 8);
}

TEST(EncoderParamsTest, RefusesAnUnknownEncoderWithTheNearest) {
  const std::string message = message_of(
      ErrorKind::Config, [] { parse_run("families: {t: {encoder: PyramidTemporalEncodr}}"); });
  EXPECT_NE(message.find("one of identity, MLPEncoder, InitialCNNEncoder"), std::string::npos);
  EXPECT_NE(message.find("; did you mean PyramidTemporalEncoder?"), std::string::npos) << message;
}

TEST(EncoderParamsTest, RefusesParametersOfTheIdentity) {
  EXPECT_EQ(refusal("identity", "{output_dim: 3}"),
            " is a section; it must be {}: encoder identity has no parameters");
}

TEST(EncoderParamsTest, RefusesAKeyByNameWithASuggestion) {
  EXPECT_EQ(refusal("mlp", "{hiden_dims: [3]}"),
            ".hiden_dims is not a key; did you mean hidden_dims?");
  EXPECT_EQ(refusal("ic_cnn", "{cnn_embedding_dim: 3}"),
            ".cnn_embedding_dim is not a key; did you mean embedding_dim?");
  EXPECT_EQ(refusal("TemporalMeanEncoder", "{level_dims: [3]}"),
            ".level_dims is not a key; it belongs to PyramidTemporalEncoder; "
            "families.t.encoder_params of TemporalMeanEncoder has variable_length");
}

TEST(EncoderParamsTest, RefusesSizesThatTheDataGive) {
  for (const char* key : {"input_dim", "in_channels", "manual_dim"})
    EXPECT_EQ(refusal("initial_hybrid", "{" + std::string(key) + ": 3}"),
              "." + std::string(key) +
                  " is not a key; sizes of the data are taken from the data; leave it out");
}

TEST(EncoderParamsTest, RefusesValuesByTheRulesOfAllKeys) {
  EXPECT_EQ(refusal("mlp", "{dropout: 1}"),
            ".dropout is '1'; it must be a number of at least 0 and below 1");
  EXPECT_EQ(refusal("mlp", "{activation: relo}"),
            ".activation is 'relo'; it must be one of relu, gelu, tanh; did you mean relu?");
  EXPECT_EQ(refusal("PyramidTemporalEncoder", "{downsample_factors: [0, 2, 4, 8]}"),
            ".downsample_factors[0] is '0'; it must be a whole number from 1 to 1048576");
}

TEST(EncoderParamsTest, RefusesAPyramidThatContradictsItself) {
  const std::string pyramid = "PyramidTemporalEncoder";
  EXPECT_EQ(refusal(pyramid, "{level_dims: [3, 4]}"),
            ".level_dims has 2 entries, downsample_factors 4; give each level one of both");
  EXPECT_EQ(refusal(pyramid, "{level_dims: [3, 4], downsample_factors: [2, 2]}"),
            ".downsample_factors has 2 after 2; factors must ascend");
  EXPECT_EQ(refusal(pyramid,
                    "{variable_length: {enabled: true, min_timesteps: 4, max_timesteps: 64, "
                    "adaptive_pyramid: false}}"),
            ".downsample_factors: factor 8 leaves 0 of variable_length.min_timesteps 4 steps, "
            "min_pyramid_length is 1; raise min_timesteps, or set adaptive_pyramid: true");
}

TEST(VariableLengthParamsTest, RefusesLengthsThatContradictThemselves) {
  EXPECT_EQ(length_refusal("min_timesteps: 3"),
            ".enabled is true without max_timesteps; give the shortest and the longest length");
  EXPECT_EQ(length_refusal("min_timesteps: 8, max_timesteps: 8"),
            ".min_timesteps is 8, max_timesteps 8; the range needs min below max");
  const std::string range = "min_timesteps: 8, max_timesteps: 32, ";
  EXPECT_EQ(length_refusal(range + "length_bins: [8, 64]"),
            ".length_bins has 64, which is outside of min_timesteps 8 to max_timesteps 32; "
            "leave it out, or widen the range");
  EXPECT_EQ(length_refusal(range + "length_bins: [16, 8]"),
            ".length_bins has 8 after 16; bins must ascend");
  EXPECT_EQ(length_refusal(range + "length_bins: [8, 16], bin_weights: [1]"),
            ".bin_weights has 1 entries, length_bins 2; give one weight for each bin");
  EXPECT_EQ(length_refusal(range + "sampling_strategy: fixed_bins"),
            ".sampling_strategy is fixed_bins, length_bins is empty; give at least one bin");
  EXPECT_EQ(length_refusal(range + "use_length_curriculum: true, curriculum_start_min: 8"),
            ".curriculum_start_min is 8; it must be above min_timesteps 8 and at most "
            "max_timesteps 32");
}

TEST(VariableLengthParamsTest, TakesTheMaskRuleThatIsBuiltAndNoOther) {
  const EncoderParams params =
      params_of("td_cnn", "{variable_length: {mask_downsample_method: ceil}}");
  EXPECT_EQ(params, EncoderParams{});
  EXPECT_EQ(
      refusal("td_cnn", "{variable_length: {mask_downsample_method: floor}}"),
      ".variable_length.mask_downsample_method is 'floor'; it must be ceil: there is no mask, "
      "padding is not stored");
}

TEST(VariableLengthParamsTest, RefusesAnUnknownKey) {
  EXPECT_EQ(length_refusal("max_length: 3"),
            ".max_length is not a key; did you mean max_timesteps?");
}

}  // namespace
}  // namespace tessera
