#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tessera/encoder_params.h"
#include "tessera/level_sizes.h"

namespace tessera {

// What a run reads, builds and does. The defaults below are the only ones: configs/default.yaml is
// to_yaml(Config{}, Comments::Shown). Ranges and allowed names stand in src/config/schema.cpp.

/// What is done to named features before anything else sees them; tessera/cleaning.h has the rules.
struct CleaningConfig {
  std::optional<bool> enabled =
      {};                        ///< none: for named features, not for the rows of a dense model
  double min_deviation = 1e-10;  ///< a feature that deviates no more is constant
  std::optional<double> max_variance =
      {};                               ///< above it, and above max_variation, a feature is dropped
  double max_variation = 100;           ///< deviation / |mean|
  double duplicate_correlation = 0.99;  ///< |r| above it: two features say the same; 1: off
  std::string duplicate_choice = "informative";  ///< of two duplicates stays: informative, first
  std::string outliers = "percentile";           ///< what is capped by: percentile, iqr, mad, none
  double low_percentile = 0.5, high_percentile = 99.5;
  double iqr_multiplier = 1.5;
  double mad_multiplier = 3;
  bool operator==(const CleaningConfig&) const = default;
};

struct DataConfig {
  std::string path;             ///< an IDX folder, or an .npy, .npz or IDX file; empty: not given
  std::string format = "auto";  ///< auto (by name and content), idx, npy, npz
  double validation_fraction = 0.1;    ///< of the rows, held out of training; in [0, 1)
  std::optional<int64_t> max_samples;  ///< rows read at most
  /// auto: bytes are divided by 255, floats stay as they are. unit_range: divided by 255.
  /// standard: each feature to mean 0 and deviation 1 over the training rows. robust: to median 0 and
  /// 1.4826 times the median absolute deviation 1. none. Named features: auto is standard.
  std::string normalization = "auto";
  std::vector<std::string> exclude_features = {};  ///< names, with * for any text
  CleaningConfig cleaning = {};
  bool operator==(const DataConfig&) const = default;
};

/// Sizes that are pinned for a category; what is not given is inferred (tessera/level_sizes.h).
struct CategoryLevels {
  std::string category;  ///< its name, or * for every category that is not named
  std::vector<LevelSize> levels;
  bool operator==(const CategoryLevels&) const = default;
};

/// From the quantized latents of all categories and levels to the features.
struct DecoderConfig {
  int64_t hidden_dim = 256;                 ///< of the MLP
  std::vector<int64_t> residual_sizes = {};  ///< widths of residual blocks in its place
  int64_t partial_hidden_dim = 128;         ///< of each codebook's own decoder
  bool operator==(const DecoderConfig&) const = default;
};

/// dense: input_size -> encoder_sizes -> embedding_dim -> decoder_sizes -> input_size.
/// categorical: tessera/models/categorical_tokenizer.h.
struct ModelConfig {
  std::string kind = "dense";  ///< also spelled vq_vae; categorical
  int64_t input_size = 0;      ///< features of a row; 0: as the data has
  std::vector<int64_t> encoder_sizes = {256, 128};
  std::vector<int64_t> decoder_sizes = {128, 256};
  int64_t embedding_dim = 64;  ///< of a latent and of a code
  std::string activation = "relu";
  int64_t category_embedding_dim = 64;       ///< of a category's embedding, which its levels share
  int64_t category_hidden_dim = 128;         ///< of a category's encoder
  std::string compression_ratios = {};       ///< "0.5:1:1.5" (code widths per feature), auto; empty: none
  std::string ratio_strategy = "balanced";   ///< of auto: balanced, variance, dimensionality, information
  bool uniform_codebooks = false;            ///< every level's codebook as large as the first's
  std::vector<CategoryLevels> levels = {};   ///< pinned sizes; empty: three levels, all inferred
  double dropout = 0.1;
  DecoderConfig decoder = {};
  bool operator==(const ModelConfig&) const = default;
};

/// When a code counts as dead, and what becomes of it.
struct DeadCodeConfig {
  /// fixed: every `interval` steps. adaptive: between epochs, where codes stay unused for long;
  /// src/training/dead_code_policy.h has the rules. none.
  std::string policy = "fixed";
  int64_t interval = 20;         ///< steps
  double threshold = 0.1;        ///< of the mean count of a code, below which it is dead
  double max_fraction = 0.25;    ///< of the codebook, replaced at one time
  bool operator==(const DeadCodeConfig&) const = default;
};

struct QuantizerConfig {
  std::string kind = "ema";                    ///< ema, gradient
  std::string estimator = "straight_through";  ///< straight_through, rotation
  int64_t codebook_size = 512;
  std::string codebook_init = "kmeans";  ///< kmeans, normal, uniform
  double ema_decay = 0.99;
  double ema_epsilon = 1e-5;        ///< smoothing of the counts where sums are divided by them
  double commitment_weight = 0.25;  ///< of mean((latent - stop_gradient(quantized))^2)
  double codebook_weight = 1.0;  ///< of mean((stop_gradient(latent) - quantized)^2); gradient only
  DeadCodeConfig dead_code;
  bool operator==(const QuantizerConfig&) const = default;
};

/// Weights of the terms of the total, each applied once.
struct LossesConfig {
  double reconstruction = 1.0;
  double informativeness = 0.1;         ///< what each codebook alone says of its own category
  double codebook_orthogonality = 0.1;  ///< codes of a codebook apart
  double topographic = 0.02;            ///< distances between inputs, latents and codes alike
  double entropy = 0.0;                 ///< codes used evenly
  int64_t topographic_samples = 64;     ///< rows of a batch whose distances are compared
  double entropy_temperature = 1.0;     ///< of the soft use of codes
  /// Of the features in reconstruction and informativeness: uniform, variance (variance / its mean),
  /// information (entropy of a histogram / its mean) or variance_information (the root of both).
  std::string feature_weights = "uniform";
  bool operator==(const LossesConfig&) const = default;
};

/// Which features are quantized together; tessera/discovery.h has the rules.
struct CategoriesConfig {
  /// clustering, mapping; gradient (from random logits, num_categories of them or 10); hybrid: a
  /// clustering, then its refinement by gradient; auto: a mapping where one is given, else clustering
  std::string method = "auto";
  std::string mapping_file = {};  ///< JSON {category: [feature, ...]}
  std::string distance = "correlation";        ///< between features: correlation, cosine, euclidean
  std::string linkage = "ward";                ///< ward, average, complete, single
  std::string k_selection = "modularity";      ///< modularity, silhouette, elbow, gap
  std::optional<int64_t> num_categories = {};  ///< this many, whatever k_selection
  std::optional<double> cut_height = {};       ///< merges up to this height, whatever k_selection
  int64_t min_categories = 2;                  ///< that k_selection tries
  int64_t max_categories = 25;
  int64_t gap_references = 10;
  double chance_level = 0.01;   ///< of taking an unrelated feature for a related one; 0: none
  int64_t min_features = 3;     ///< smaller categories are dissolved into the others
  int64_t max_samples = 50000;  ///< rows that are looked at
  double orthogonality_target = 0.15;  ///< mean |r| between two categories above which it warns
  bool per_family = false;             ///< no category holds features of two families
  std::vector<std::string> isolated_families = {};  ///< each is one category
  std::optional<int64_t> max_category_size = {};    ///< larger ones are split; none: no splitting
  int64_t max_split_depth = 3;
  int64_t max_split_parts = 8;
  int64_t gradient_epochs = 500;  ///< of gradient and hybrid, at most
  double gradient_lr = 0.01;
  bool operator==(const CategoriesConfig&) const = default;
};

/// The factor on the learning rate at a step; it rises linearly over the first warmup_steps.
///
///   constant     1
///   cosine       f + (1 - f) (1 + cos(pi t)) / 2, t from 0 at the end of the warm-up to 1 at the
///                last step, f = final_fraction
///   step         gamma^floor((epoch - 1) / step_epochs), epochs from 1
///   exponential  gamma^((epoch - 1) / step_epochs)
struct ScheduleConfig {
  std::string kind = "constant";
  int64_t warmup_steps = 0;
  double final_fraction = 0.0;  ///< cosine
  int64_t step_epochs = 1;      ///< step, exponential
  double gamma = 0.95;          ///< step, exponential
  bool operator==(const ScheduleConfig&) const = default;
};

/// Ends a run before num_epochs.
struct EarlyStoppingConfig {
  int64_t patience = 0;    ///< epochs without a better reconstruction of validation rows; 0: off
  double min_delta = 0.0;  ///< what it must be better by
  bool operator==(const EarlyStoppingConfig&) const = default;
};

struct TrainingConfig {
  std::string category_assignment = "auto";  ///< auto: as discovered; learnable
  int64_t num_epochs = 100;
  int64_t batch_size = 256;
  double learning_rate = 1e-3;
  std::optional<double> codebook_learning_rate;  ///< gradient codebooks; none: learning_rate
  double beta1 = 0.9;                            ///< Adam's moments
  double beta2 = 0.999;
  double adam_epsilon = 1e-8;
  ScheduleConfig schedule;
  double gradient_clip_norm = 0.0;  ///< 0: no clipping
  int64_t validation_interval = 1;  ///< epochs
  /// The run folder. Empty: load_config puts runs/<name of the config> here.
  std::string checkpoint_dir;
  int64_t checkpoint_every_steps = 0;   ///< step_<n>.safetensors inside epochs; 0: none
  int64_t checkpoint_every_epochs = 0;  ///< the same at the end of epochs; 0: none
  int64_t keep_last = 2;                ///< of them stay, beside last and best
  EarlyStoppingConfig early_stopping;
  int64_t seed = 0;
  std::string device = "auto";  ///< auto, cpu, cuda, cuda:<index>
  int64_t threads = 0;          ///< of the CPU; 0: the physical cores
  bool operator==(const TrainingConfig&) const = default;
};

/// How the features of a family become columns of the model.
struct FamilyConfig {
  std::string name;                  ///< as in the data set
  std::string encoder = "identity";  ///< the columns as they are
  EncoderParams encoder_params = {};
  bool operator==(const FamilyConfig&) const = default;
};

/// Of model.kind categorical where training.category_assignment is learnable: which features belong to
/// which category is learned with everything else. Defaults repair misplaced features; the seeds' own
/// values stand in their configs.
/// Categories that go while a run learns them.
struct PruningConfig {
  bool enabled = false;
  int64_t interval = 5, start_epoch = 10;  ///< epochs between looks, and of the first one
  int64_t min_features = 5;                ///< a category with fewer goes
  double min_usefulness = 0;               ///< or one without which the loss rises by less; 0: off
  std::optional<double> merge_likeness = {};  ///< two as alike become one; none: never
  bool operator==(const PruningConfig&) const = default;
};

struct LearnableAssignmentConfig {
  std::string init_method = "clustering";  ///< clustering: the discovered categories; random
  double assignment_init = 2.0;            ///< logits start at + and - this
  double temperature_start = 1.0, temperature_end = 0.1;
  std::string temperature_schedule = "exponential";  ///< linear, exponential, cosine, adaptive
  double temperature_hold = 0.6;                     ///< share of the epochs at temperature_start
  bool gumbel = true;                                ///< noise in training
  bool hard = false;                                 ///< one-hot in training, straight-through
  /// Weights of losses.informativeness: soft, the assignment; hard, one-hot, through which the
  /// logits get no gradient and little is repaired: for comparison.
  std::string informativeness = "soft";
  double assignment_lr = 0.02;                       ///< of the logits, with the schedule below
  ScheduleConfig schedule = {};
  double gradient_clip_norm = 1.0;        ///< of the logits' gradient; 0: none
  double orthogonality_weight = 0.1;      ///< of mean |cosine| between categories' sums
  double balance_weight = 0.05;           ///< of (1 / K) sum_k (c_k K / D - 1)^2
  double family_constraint_weight = 0.0;  ///< of the share outside the family
  double modularity_weight = 0.0;         ///< of the modularity term with annealed entropy
  std::string modularity = "correlation";  ///< what it is built on: correlation, nonlinear
  std::optional<int64_t> modularity_steps = {};  ///< on the logits alone, first; none: 3000 from random
  std::optional<int64_t> freeze_after_epochs = {};
  std::optional<double> freeze_threshold = {};  ///< freezes once the mean largest share is above
  double skip_threshold = 1e-4;                 ///< smaller shares are not computed; 0: all are
  PruningConfig pruning = {};
  bool operator==(const LearnableAssignmentConfig&) const = default;
};

struct Config {
  DataConfig data;
  std::vector<FamilyConfig> families = {};  ///< in this order; empty: all of the data set
  ModelConfig model;
  QuantizerConfig quantizer;
  LossesConfig losses;
  CategoriesConfig categories;
  TrainingConfig training;
  LearnableAssignmentConfig learnable_assignment = {};
  bool operator==(const Config&) const = default;
};

/// Whether the model learns which features belong to which category.
inline bool learns_categories(const Config& config) {
  return config.model.kind != "dense" && config.training.category_assignment == "learnable";
}

/// The config in `path`, then `overrides`, each "section.key=value" with a YAML flow value
/// (`model.encoder_sizes=[64, 32]`, `data.max_samples=null`). Later overrides win.
///
/// A file may start with `extends: other.yaml`, relative to itself: sections are merged key by
/// key, everything else (lists too) is replaced.
/// Throws Error: Data where a file cannot be read; Config, with file and line, for everything that
/// is not a known key with a value of its type and range.
Config load_config(const std::string& path, const std::vector<std::string>& overrides = {});

/// The same for `text`; `source` stands for the file in messages, and `extends` is relative to it.
/// An empty training.checkpoint_dir stays empty.
Config parse_config(const std::string& text, const std::string& source,
                    const std::vector<std::string>& overrides = {});

/// What load_config(path, overrides) changes of the file it extends, as `key: old -> new` in the
/// order of the schema; empty where it extends none. Throws as load_config.
std::vector<std::string> changes_from_base(const std::string& path,
                                           const std::vector<std::string>& overrides = {});

/// The keys in which two configs differ, in the same form.
std::vector<std::string> config_changes(const Config& before, const Config& after);

enum class Comments { Hidden, Shown };

/// Every key with its value; parse_config gives the same config back.
std::string to_yaml(const Config& config, Comments comments = Comments::Hidden);

/// The same on one line of JSON, as checkpoints carry it.
std::string to_json(const Config& config);

/// Reads what to_json wrote; `source` stands for the file in messages.
/// Throws Error (Config) for anything else, as strictly as parse_config.
Config config_from_json(const std::string& text, const std::string& source = "config");

}  // namespace tessera
