// Parameters of encoders. Each encoder has keys of its own; src/encoders/registry.cpp lists the same
// ones, and a test compares them.
#include "config/encoder_rules.h"

#include <algorithm>
#include <functional>
#include <map>

#include "config/suggestion.h"

namespace tessera::config {
namespace {

constexpr int64_t kMaxWidth = int64_t{1} << 20;  // of a layer
constexpr int64_t kMaxSteps = int64_t{1} << 24;

/// A key of a struct S and the field it fills.
template <class S>
struct FieldKey {
  std::string name;
  std::function<void(const ConfigNode&, const std::string& path, S&)> read;
  std::function<ConfigNode(const S&)> write;
};

template <class S, class T, class Rule>
FieldKey<S> field(const char* name, T S::*member, Rule rule) {
  return {.name = name,
          .read = [=](const ConfigNode& node, const std::string& path,
                      S& params) { params.*member = rule.read(node, path); },
          .write = [=](const S& params) { return rule.write(params.*member); }};
}

/// The name spells both the key and the field, so the two cannot differ.
#define TESSERA_FIELD(type, name, rule) field<type>(#name, &type::name, rule)

const std::vector<FieldKey<VariableLengthParams>>& length_keys() {
  using V = VariableLengthParams;
  const Integer steps{.min = 1, .max = kMaxSteps};
  static const std::vector<FieldKey<V>> keys = {
      TESSERA_FIELD(V, enabled, Flag{}),
      TESSERA_FIELD(V, min_timesteps, steps),
      TESSERA_FIELD(V, max_timesteps, steps),
      TESSERA_FIELD(V, sampling_strategy, (Choice{{"uniform", "geometric", "fixed_bins"}})),
      TESSERA_FIELD(V, geometric_decay, above_zero()),
      TESSERA_FIELD(V, length_bins, ListOf<Integer>{steps}),
      TESSERA_FIELD(V, bin_weights, ListOf<Number>{from_zero()}),
      TESSERA_FIELD(V, adaptive_pyramid, Flag{}),
      TESSERA_FIELD(V, min_pyramid_length, steps),
      TESSERA_FIELD(V, use_length_curriculum, Flag{}),
      TESSERA_FIELD(V, curriculum_epochs, (Integer{.min = 1})),
      TESSERA_FIELD(V, curriculum_start_min, OrNull<Integer>{steps}),
      TESSERA_FIELD(V, curriculum_schedule, (Choice{{"linear", "cosine", "exponential"}})),
  };
  return keys;
}

const std::vector<FieldKey<EncoderParams>>& all_keys() {
  using E = EncoderParams;
  const Integer size{.min = 1, .max = kMaxWidth};
  const ListOf<Integer> sizes{size};
  static const std::vector<FieldKey<E>> keys = {
      TESSERA_FIELD(E, trainable, Flag{}),
      TESSERA_FIELD(E, hidden_dims, sizes),
      TESSERA_FIELD(E, output_dim, size),
      TESSERA_FIELD(E, dropout, zero_to_below_one()),
      TESSERA_FIELD(E, activation, (Choice{{"relu", "gelu", "tanh"}})),
      TESSERA_FIELD(E, batch_norm, Flag{}),
      TESSERA_FIELD(E, embedding_dim, OrNull<Integer>{size}),
      TESSERA_FIELD(E, use_final_batchnorm, Flag{}),
      TESSERA_FIELD(E, encode_manual, Flag{}),
      TESSERA_FIELD(E, manual_hidden_dims, sizes),
      TESSERA_FIELD(E, manual_output_dim, size),
      TESSERA_FIELD(E, pretrained_cnn_path, Text{}),
      TESSERA_FIELD(E, level_dims, sizes),
      TESSERA_FIELD(E, downsample_factors, sizes),
      TESSERA_FIELD(E, variable_length, VariableLength{}),
  };
  return keys;
}
#undef TESSERA_FIELD

using Names = std::vector<std::string>;

const std::map<std::string, Names>& encoder_keys() {
  static const std::map<std::string, Names> keys = {
      {"identity", {}},
      {"MLPEncoder",
       {"trainable", "hidden_dims", "output_dim", "dropout", "activation", "batch_norm"}},
      {"InitialCNNEncoder",
       {"trainable", "embedding_dim", "use_final_batchnorm", "pretrained_cnn_path"}},
      {"InitialHybridEncoder",
       {"trainable", "embedding_dim", "use_final_batchnorm", "encode_manual", "manual_hidden_dims",
        "manual_output_dim", "pretrained_cnn_path"}},
      {"TemporalCNNEncoder",
       {"trainable", "embedding_dim", "use_final_batchnorm", "variable_length"}},
      {"TemporalMeanEncoder", {"variable_length"}},
      {"PyramidTemporalEncoder",
       {"trainable", "level_dims", "downsample_factors", "variable_length"}},
  };
  return keys;
}

const FieldKey<EncoderParams>& key_named(const std::string& name) {
  return *std::ranges::find(all_keys(), name, &FieldKey<EncoderParams>::name);
}

std::string listed(const Names& names) {
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
  return list;
}

/// What to do about a key that `encoder` does not look at.
std::string suggest_param(const std::string& encoder, const std::string& path,
                          const std::string& name) {
  const Names& known = encoder_keys().at(encoder);
  if (const std::string advice = suggest_param_name(name, known); !advice.empty()) return advice;
  Names others;
  for (const auto& [other, keys] : encoder_keys())
    if (std::ranges::find(keys, name) != keys.end()) others.push_back(other);
  const std::string has = path + " of " + encoder + " has " + listed(known);
  return others.empty() ? has : "it belongs to " + listed(others) + "; " + has;
}

/// What two keys of one pyramid say against each other, as text after the section's path; empty:
/// nothing.
std::string pyramid_contradiction(const EncoderParams& params) {
  const auto& factors = params.downsample_factors;
  const VariableLengthParams& length = params.variable_length;
  if (params.level_dims.empty() || params.level_dims.size() != factors.size())
    return ".level_dims has " + std::to_string(params.level_dims.size()) +
           " entries, downsample_factors " + std::to_string(factors.size()) +
           "; give each level one of both";
  for (size_t i = 1; i < factors.size(); ++i)
    if (factors[i] <= factors[i - 1])
      return ".downsample_factors has " + std::to_string(factors[i]) + " after " +
             std::to_string(factors[i - 1]) + "; factors must ascend";
  const int64_t steps = length.min_timesteps / factors.back();
  if (length.enabled && !length.adaptive_pyramid && steps < length.min_pyramid_length)
    return ".downsample_factors: factor " + std::to_string(factors.back()) + " leaves " +
           std::to_string(steps) + " of variable_length.min_timesteps " +
           std::to_string(length.min_timesteps) + " steps, min_pyramid_length is " +
           std::to_string(length.min_pyramid_length) +
           "; raise min_timesteps, or set adaptive_pyramid: true";
  return "";
}

template <class Value>
ConfigNode& add(ConfigNode& section, const std::string& name, Value value) {
  section.entries.push_back({name, {}, std::move(value)});
  return section;
}

ConfigNode empty_section() {
  ConfigNode section;
  section.kind = ConfigNode::Kind::Section;
  return section;
}

}  // namespace

Choice encoder_choice() {
  return {{"identity", "MLPEncoder", "InitialCNNEncoder", "InitialHybridEncoder",
           "TemporalCNNEncoder", "TemporalMeanEncoder", "PyramidTemporalEncoder"},
          {{"IdentityEncoder", "identity"},
           {"mlp", "MLPEncoder"},
           {"ic_cnn", "InitialCNNEncoder"},
           {"initial_hybrid", "InitialHybridEncoder"},
           {"td_cnn", "TemporalCNNEncoder"}}};
}

std::vector<std::string> encoder_param_names(const std::string& encoder) {
  const auto found = encoder_keys().find(encoder);
  return found == encoder_keys().end() ? Names{} : found->second;
}

EncoderParams EncoderParamsOf::read(const ConfigNode& node, const std::string& path) const {
  EncoderParams params;
  const Names known = encoder_param_names(encoder);
  if (node.kind == ConfigNode::Kind::Null) return params;
  if (!node.is_section() || (known.empty() && !node.entries.empty()))
    fail_value(node, path, allowed());
  for (const ConfigNode::Entry& entry : node.entries) {
    const std::string key_path = join_path(path, printable(entry.key));
    if (std::ranges::find(known, entry.key) == known.end())
      fail_at(entry.place, key_path, " is not a key; ", suggest_param(encoder, path, entry.key));
    key_named(entry.key).read(entry.value, key_path, params);
  }
  if (encoder == "PyramidTemporalEncoder")
    if (const std::string problem = pyramid_contradiction(params); !problem.empty())
      fail_at(node.place, path, problem);
  return params;
}

ConfigNode EncoderParamsOf::write(const EncoderParams& value) const {
  ConfigNode section = empty_section();
  for (const std::string& name : encoder_param_names(encoder))
    add(section, name, key_named(name).write(value));
  return section;
}

std::string EncoderParamsOf::allowed() const {
  const Names known = encoder_param_names(encoder);
  return known.empty() ? "{}: encoder " + encoder + " has no parameters"
                       : "a section with keys such as " + known.front();
}

VariableLengthParams VariableLength::read(const ConfigNode& node, const std::string& path) const {
  VariableLengthParams params;
  if (!node.is_section()) fail_value(node, path, allowed());
  Names known;
  for (const auto& key : length_keys()) known.push_back(key.name);
  for (const ConfigNode::Entry& entry : node.entries) {
    const std::string key_path = join_path(path, printable(entry.key));
    // A step counts for a level where any of the steps it is made of exists; no other way is built,
    // as padding is not stored. The key is read so that a config that says so stays valid.
    if (entry.key == "mask_downsample_method") {
      if (entry.value.text != "ceil")
        fail_value(entry.value, key_path, "ceil: there is no mask, padding is not stored");
      continue;
    }
    const auto key =
        std::ranges::find(length_keys(), entry.key, &FieldKey<VariableLengthParams>::name);
    if (key == length_keys().end()) {
      const std::string advice = suggest_param_name(entry.key, known);
      fail_at(entry.place, key_path, " is not a key; ",
              advice.empty() ? path + " has " + listed(known) : advice);
    }
    key->read(entry.value, key_path, params);
  }
  if (const std::string problem = contradiction(params); !problem.empty())
    fail_at(node.place, path, problem);
  return params;
}

ConfigNode VariableLength::write(const VariableLengthParams& value) const {
  ConfigNode section = empty_section();
  if (value == VariableLengthParams{}) return add(section, "enabled", Flag{}.write(false));
  for (const auto& key : length_keys())
    // 0 stands for "not given" and is no value of these two.
    if (!(key.name == "min_timesteps" && value.min_timesteps == 0) &&
        !(key.name == "max_timesteps" && value.max_timesteps == 0))
      add(section, key.name, key.write(value));
  return section;
}

std::string VariableLength::allowed() const { return "a section with keys such as enabled"; }

}  // namespace tessera::config
