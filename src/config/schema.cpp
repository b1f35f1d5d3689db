#include "config/schema.h"

#include <algorithm>
#include <string_view>

#include "config/section_rules.h"
#include "config/suggestion.h"
#include "config/value_rules.h"

namespace tessera::config {
namespace {

constexpr int64_t kMaxSize = int64_t{1} << 20;   // of a layer, batch or code
constexpr int64_t kMaxCodes = int64_t{1} << 24;  // beyond it a float count of a code is not exact
constexpr int64_t kMaxCategories = 10000;
constexpr int64_t kMaxEpochs = 1000000000;  // times the steps of an epoch: still 64 bits

template <class Field, class Rule>
ConfigKey make_key(const char* path, Field field, Rule rule, const std::string& comment) {
  return {.path = path,
          .comment = comment + ": " + rule.allowed(),
          .read = [=](const ConfigNode& node,
                      Config& config) { field(config) = rule.read(node, path); },
          .write = [=](const Config& config) { return rule.write(field(config)); }};
}

/// The path spells both the key and the field, so the two cannot differ.
#define TESSERA_CONFIG_KEY(path, rule, comment) \
  make_key(                                     \
      #path, [](auto& config) -> auto& { return config.path; }, rule, comment)

std::vector<ConfigKey> make_keys() {
  const Integer count{.min = 1};
  const Integer from_none{.min = 0};
  const Integer size{.min = 1, .max = kMaxSize};
  const ListOf<Integer> sizes{size};
  const Number percent{.max = 100};
  const Integer categories{.min = 1, .max = kMaxCategories};
  const Choice activation{{"relu", "tanh", "gelu", "sigmoid", "silu", "identity"}};
  return {
      TESSERA_CONFIG_KEY(data.path, Text{}, "an IDX folder, or one .npy, .npz or IDX file"),
      TESSERA_CONFIG_KEY(data.format,
                         (Choice{{"auto", "idx", "npy", "npz", "hdf5", "folder"}}),
                         "auto goes by name and content"),
      TESSERA_CONFIG_KEY(data.validation_fraction, zero_to_below_one(),
                         "rows held out of training"),
      TESSERA_CONFIG_KEY(data.max_samples, OrNull<Integer>{count}, "rows read at most"),
      TESSERA_CONFIG_KEY(
          data.normalization,
          (Choice{{"auto", "none", "unit_range", "standard", "robust"}, {{"mad", "robust"}}}),
          "auto: bytes by 255"),
      TESSERA_CONFIG_KEY(data.exclude_features, ListOf<Text>{}, "names, * for any text"),
      TESSERA_CONFIG_KEY(data.cleaning.enabled, OrNull<Flag>{}, "null cleans named features"),
      TESSERA_CONFIG_KEY(data.cleaning.min_deviation, from_zero(), "constant at or below"),
      TESSERA_CONFIG_KEY(data.cleaning.max_variance, OrNull<Number>{above_zero()},
                         "dropped above, and above max_variation"),
      TESSERA_CONFIG_KEY(data.cleaning.max_variation, above_zero(), "deviation / |mean|"),
      TESSERA_CONFIG_KEY(data.cleaning.duplicate_correlation, (Number{.min_open = true, .max = 1}),
                         "duplicates above; 1 keeps all"),
      TESSERA_CONFIG_KEY(data.cleaning.duplicate_choice, (Choice{{"informative", "first"}}),
                         "which one stays"),
      TESSERA_CONFIG_KEY(data.cleaning.outliers, (Choice{{"percentile", "iqr", "mad", "none"}}),
                         "capped by"),
      TESSERA_CONFIG_KEY(data.cleaning.low_percentile, percent, "cap of percentile"),
      TESSERA_CONFIG_KEY(data.cleaning.high_percentile, percent, "cap of percentile"),
      TESSERA_CONFIG_KEY(data.cleaning.iqr_multiplier, from_zero(), "cap of iqr"),
      TESSERA_CONFIG_KEY(data.cleaning.mad_multiplier, from_zero(), "cap of mad"),
      TESSERA_CONFIG_KEY(families, Families{}, "columns by family; empty takes all"),
      TESSERA_CONFIG_KEY(model.kind, (Choice{{"dense", "categorical"}, {{"vq_vae", "dense"}}}),
                         "what is trained"),
      TESSERA_CONFIG_KEY(model.input_size, (Integer{0, kMaxSize}), "features; 0 takes the data's"),
      TESSERA_CONFIG_KEY(model.encoder_sizes, sizes, "hidden layers"),
      TESSERA_CONFIG_KEY(model.decoder_sizes, sizes, "hidden layers"),
      TESSERA_CONFIG_KEY(model.embedding_dim, size, "width of a latent and of a code"),
      TESSERA_CONFIG_KEY(model.activation, activation, "of hidden layers"),
      TESSERA_CONFIG_KEY(model.category_embedding_dim, size, "of a category's embedding"),
      TESSERA_CONFIG_KEY(model.category_hidden_dim, size, "of a category's encoder"),
      TESSERA_CONFIG_KEY(model.compression_ratios, Ratios{}, "code width per feature, by level"),
      TESSERA_CONFIG_KEY(
          model.ratio_strategy,
          (Choice{{"balanced", "variance", "dimensionality", "information"}}), "of ratios auto"),
      TESSERA_CONFIG_KEY(model.uniform_codebooks, Flag{}, "every level as large as the first"),
      TESSERA_CONFIG_KEY(model.levels, (Levels{kMaxSize, kMaxCodes}), "pinned sizes"),
      TESSERA_CONFIG_KEY(model.dropout, zero_to_below_one(), "of encoders and decoder"),
      TESSERA_CONFIG_KEY(model.decoder.hidden_dim, size, "of the decoder, an MLP"),
      TESSERA_CONFIG_KEY(model.decoder.residual_sizes, sizes, "residual blocks instead"),
      TESSERA_CONFIG_KEY(model.decoder.partial_hidden_dim, size, "of each codebook's decoder"),
      TESSERA_CONFIG_KEY(quantizer.kind, (Choice{{"ema", "gradient"}}), "what moves the codes"),
      TESSERA_CONFIG_KEY(quantizer.estimator, (Choice{{"straight_through", "rotation"}}),
                         "how the gradient passes"),
      TESSERA_CONFIG_KEY(quantizer.codebook_size, (Integer{1, kMaxCodes}), "codes"),
      TESSERA_CONFIG_KEY(quantizer.codebook_init, (Choice{{"kmeans", "normal", "uniform"}}),
                         "the first codes"),
      TESSERA_CONFIG_KEY(quantizer.ema_decay, zero_to_below_one(), "of counts and sums, per step"),
      TESSERA_CONFIG_KEY(quantizer.ema_epsilon, above_zero(), "smoothing of the counts"),
      TESSERA_CONFIG_KEY(quantizer.commitment_weight, from_zero(), "latents towards codes"),
      TESSERA_CONFIG_KEY(quantizer.codebook_weight, from_zero(), "codes towards latents"),
      TESSERA_CONFIG_KEY(quantizer.dead_code.policy, (Choice{{"fixed", "adaptive", "none"}}),
                         "replacing of dead codes"),
      TESSERA_CONFIG_KEY(quantizer.dead_code.interval, count, "steps between checks"),
      TESSERA_CONFIG_KEY(quantizer.dead_code.threshold, zero_to_one(),
                         "dead below this share of the mean count"),
      TESSERA_CONFIG_KEY(quantizer.dead_code.max_fraction, zero_to_one(),
                         "of the codebook, replaced at a time"),
      TESSERA_CONFIG_KEY(losses.reconstruction, from_zero(), "weight of the term"),
      TESSERA_CONFIG_KEY(losses.informativeness, from_zero(), "each codebook's own decoder"),
      TESSERA_CONFIG_KEY(losses.codebook_orthogonality, from_zero(), "codes apart"),
      TESSERA_CONFIG_KEY(losses.topographic, from_zero(), "distances kept"),
      TESSERA_CONFIG_KEY(losses.entropy, from_zero(), "codes used evenly"),
      TESSERA_CONFIG_KEY(losses.topographic_samples, (Integer{3, kMaxSize}), "rows of a batch"),
      TESSERA_CONFIG_KEY(losses.entropy_temperature, above_zero(), "of the soft use of codes"),
      TESSERA_CONFIG_KEY(losses.feature_weights,
                         (Choice{{"uniform", "variance", "information", "variance_information"}}),
                         "of the reconstruction"),
      TESSERA_CONFIG_KEY(categories.method, (Choice{{"auto", "clustering", "mapping", "gradient", "hybrid"}}),
                         "auto takes mapping_file if given"),
      TESSERA_CONFIG_KEY(categories.mapping_file, Text{}, "JSON {category: [features]}"),
      TESSERA_CONFIG_KEY(categories.distance, (Choice{{"correlation", "cosine", "euclidean"}}),
                         "between features"),
      TESSERA_CONFIG_KEY(categories.linkage, (Choice{{"ward", "average", "complete", "single"}}),
                         "between clusters"),
      TESSERA_CONFIG_KEY(
          categories.k_selection,
          (Choice{{"modularity", "silhouette", "elbow", "gap"}, {{"gap_statistic", "gap"}}}),
          "chooses how many"),
      TESSERA_CONFIG_KEY(categories.num_categories, OrNull<Integer>{categories},
                         "null: by k_selection"),
      TESSERA_CONFIG_KEY(categories.cut_height, OrNull<Number>{from_zero()},
                         "merges up to here, instead"),
      TESSERA_CONFIG_KEY(categories.min_categories, categories, "tried by k_selection"),
      TESSERA_CONFIG_KEY(categories.max_categories, categories, "tried by k_selection"),
      TESSERA_CONFIG_KEY(categories.gap_references, (Integer{1, 1000}), "random data of gap"),
      TESSERA_CONFIG_KEY(categories.chance_level, zero_to_below_one(),
                         "unrelated features; 0 has none"),
      TESSERA_CONFIG_KEY(categories.min_features, categories, "smaller ones are dissolved"),
      TESSERA_CONFIG_KEY(categories.max_samples, (Integer{.min = 2}), "rows looked at"),
      TESSERA_CONFIG_KEY(categories.orthogonality_target, zero_to_one(),
                         "mean |r| that warns above"),
      TESSERA_CONFIG_KEY(categories.per_family, Flag{}, "never mixes families"),
      TESSERA_CONFIG_KEY(categories.isolated_families, ListOf<Text>{}, "one category each"),
      TESSERA_CONFIG_KEY(categories.max_category_size, OrNull<Integer>{count},
                         "larger ones are split"),
      TESSERA_CONFIG_KEY(categories.max_split_depth, (Integer{1, 100}), "splits of splits"),
      TESSERA_CONFIG_KEY(categories.max_split_parts, (Integer{2, kMaxCategories}), "of one split"),
      TESSERA_CONFIG_KEY(categories.gradient_epochs, count, "of gradient and hybrid"),
      TESSERA_CONFIG_KEY(categories.gradient_lr, above_zero(), "of gradient and hybrid"),
      TESSERA_CONFIG_KEY(training.category_assignment, (Choice{{"auto", "learnable"}}),
                         "auto keeps the discovered ones"),
      TESSERA_CONFIG_KEY(training.num_epochs, (Integer{1, kMaxEpochs}), "passes over the data"),
      TESSERA_CONFIG_KEY(training.batch_size, size, "rows of a step"),
      TESSERA_CONFIG_KEY(training.learning_rate, above_zero(), "step size of Adam"),
      TESSERA_CONFIG_KEY(training.codebook_learning_rate, OrNull<Number>{above_zero()},
                         "null takes learning_rate"),
      TESSERA_CONFIG_KEY(training.beta1, zero_to_below_one(), "decay of Adam's mean"),
      TESSERA_CONFIG_KEY(training.beta2, zero_to_below_one(), "decay of Adam's square"),
      TESSERA_CONFIG_KEY(training.adam_epsilon, above_zero(), "added to Adam's root"),
      TESSERA_CONFIG_KEY(training.schedule.kind,
                         (Choice{{"constant", "cosine", "step", "exponential"}}),
                         "of the learning rate"),
      TESSERA_CONFIG_KEY(training.schedule.warmup_steps, from_none, "steps of linear rise"),
      TESSERA_CONFIG_KEY(training.schedule.final_fraction, zero_to_one(),
                         "of the rate, at the end of cosine"),
      TESSERA_CONFIG_KEY(training.schedule.step_epochs, count, "epochs for one factor gamma"),
      TESSERA_CONFIG_KEY(training.schedule.gamma, (Number{.min_open = true, .max = 1}),
                         "of step and exponential"),
      TESSERA_CONFIG_KEY(training.gradient_clip_norm, from_zero(), "0 turns clipping off"),
      TESSERA_CONFIG_KEY(training.validation_interval, count, "epochs between validations"),
      TESSERA_CONFIG_KEY(training.checkpoint_dir, Text{}, "null takes runs/<name of the config>"),
      TESSERA_CONFIG_KEY(training.checkpoint_every_steps, from_none,
                         "0 keeps the last and best epoch"),
      TESSERA_CONFIG_KEY(training.checkpoint_every_epochs, from_none, "the same between epochs"),
      TESSERA_CONFIG_KEY(training.keep_last, count, "of these checkpoints stay"),
      TESSERA_CONFIG_KEY(training.early_stopping.patience, from_none,
                         "epochs without improvement; 0 is off"),
      TESSERA_CONFIG_KEY(training.early_stopping.min_delta, from_zero(),
                         "that an improvement exceeds"),
      TESSERA_CONFIG_KEY(training.seed, from_none, "of every random draw"),
      TESSERA_CONFIG_KEY(training.device, DeviceName{}, "auto takes a GPU if any"),
      TESSERA_CONFIG_KEY(training.threads, (Integer{0, 1024}), "0 takes the physical cores"),
      TESSERA_CONFIG_KEY(learnable_assignment.init_method, (Choice{{"clustering", "random"}}),
                         "of the logits"),
      TESSERA_CONFIG_KEY(learnable_assignment.assignment_init, above_zero(), "logits at + and -"),
      TESSERA_CONFIG_KEY(learnable_assignment.temperature_start, above_zero(), "at epoch 1"),
      TESSERA_CONFIG_KEY(learnable_assignment.temperature_end, above_zero(), "at the last epoch"),
      TESSERA_CONFIG_KEY(learnable_assignment.temperature_schedule,
                         (Choice{{"linear", "exponential", "cosine", "adaptive"}}), "between"),
      TESSERA_CONFIG_KEY(learnable_assignment.temperature_hold, zero_to_one(),
                         "share of the run at the start"),
      TESSERA_CONFIG_KEY(learnable_assignment.gumbel, Flag{}, "noise in training"),
      TESSERA_CONFIG_KEY(learnable_assignment.hard, Flag{}, "one-hot, straight-through"),
      TESSERA_CONFIG_KEY(learnable_assignment.informativeness, (Choice{{"soft", "hard"}}),
                         "hard is for comparison alone"),
      TESSERA_CONFIG_KEY(learnable_assignment.assignment_lr, above_zero(), "step size of logits"),
      TESSERA_CONFIG_KEY(learnable_assignment.schedule.kind,
                         (Choice{{"constant", "cosine", "step", "exponential"}}),
                         "of assignment_lr"),
      TESSERA_CONFIG_KEY(learnable_assignment.schedule.warmup_steps, from_none, "steps of rise"),
      TESSERA_CONFIG_KEY(learnable_assignment.schedule.final_fraction, zero_to_one(), "of cosine"),
      TESSERA_CONFIG_KEY(learnable_assignment.schedule.step_epochs, count, "for one factor gamma"),
      TESSERA_CONFIG_KEY(learnable_assignment.schedule.gamma, (Number{.min_open = true, .max = 1}),
                         "of step and exponential"),
      TESSERA_CONFIG_KEY(learnable_assignment.gradient_clip_norm, from_zero(), "0 is off"),
      TESSERA_CONFIG_KEY(learnable_assignment.orthogonality_weight, from_zero(), "of the term"),
      TESSERA_CONFIG_KEY(learnable_assignment.balance_weight, from_zero(), "of the term"),
      TESSERA_CONFIG_KEY(learnable_assignment.family_constraint_weight, from_zero(), "of the term"),
      TESSERA_CONFIG_KEY(learnable_assignment.modularity_weight, from_zero(), "of the term"),
      TESSERA_CONFIG_KEY(learnable_assignment.modularity, (Choice{{"correlation", "nonlinear"}}),
                         "what it is built on"),
      TESSERA_CONFIG_KEY(learnable_assignment.modularity_steps, OrNull<Integer>{from_none},
                         "on logits alone; null: 3000 from random"),
      TESSERA_CONFIG_KEY(learnable_assignment.freeze_after_epochs, OrNull<Integer>{count},
                         "null: never"),
      TESSERA_CONFIG_KEY(learnable_assignment.freeze_threshold, OrNull<Number>{zero_to_one()},
                         "mean largest share above which it freezes"),
      TESSERA_CONFIG_KEY(learnable_assignment.skip_threshold, zero_to_below_one(),
                         "smaller shares are skipped"),
      TESSERA_CONFIG_KEY(learnable_assignment.pruning.enabled, Flag{}, "categories may go"),
      TESSERA_CONFIG_KEY(learnable_assignment.pruning.interval, count, "epochs between looks"),
      TESSERA_CONFIG_KEY(learnable_assignment.pruning.start_epoch, count, "none goes before"),
      TESSERA_CONFIG_KEY(learnable_assignment.pruning.min_features, from_none,
                         "of a category that stays"),
      TESSERA_CONFIG_KEY(learnable_assignment.pruning.min_usefulness, from_zero(),
                         "rise of the loss without it; 0 is off"),
      TESSERA_CONFIG_KEY(learnable_assignment.pruning.merge_likeness,
                         OrNull<Number>{above_zero()}, "of two that become one; null: never"),
  };
}
#undef TESSERA_CONFIG_KEY

void read_section(const ConfigNode& section, const std::string& path, Config& config) {
  for (const auto& [name, place, value] : section.entries) {
    const std::string key_path = join_path(path, name);
    if (name.find('.') != std::string::npos)
      fail_at(place, printable(key_path),
              " has a dot; write sections and keys on lines of their own");
    const auto key = std::ranges::find(config_keys(), key_path, &ConfigKey::path);
    if (key != config_keys().end()) {
      key->read(value, config);
      continue;
    }
    const auto below = [&](const std::string& known) { return known.starts_with(key_path + '.'); };
    const auto child = std::ranges::find_if(config_paths(), below);
    if (child == config_paths().end())
      fail_at(place, join_path(path, printable(name)), " is not a key; ",
              suggest_key(path, name, config_paths()));
    if (!value.is_section())
      fail_at(value.place, key_path, " is ", describe(value),
              "; it must be a section with keys such as ", *child);
    read_section(value, key_path, config);
  }
}

}  // namespace

const std::vector<ConfigKey>& config_keys() {
  static const std::vector<ConfigKey> keys = make_keys();
  return keys;
}

const std::vector<std::string>& config_paths() {
  static const std::vector<std::string> paths = [] {
    std::vector<std::string> list;
    for (const ConfigKey& key : config_keys()) list.push_back(key.path);
    return list;
  }();
  return paths;
}

void read_config(const ConfigNode& root, Config& config) {
  if (root.kind == ConfigNode::Kind::Null) return;
  if (!root.is_section())
    fail_at(root.place, "a config is ", describe(root),
            "; it must be sections of keys, such as training: {seed: 1}");
  read_section(root, "", config);
}

}  // namespace tessera::config
