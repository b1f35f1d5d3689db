#include "config/suggestion.h"

#include <algorithm>
#include <cstdlib>

#include "config/config_node.h"

namespace tessera::config {

int edit_distance(std::string_view a, std::string_view b, int limit) {
  const auto over = limit + 1;
  if (std::abs(static_cast<long>(a.size()) - static_cast<long>(b.size())) > limit) return over;
  // Rows of the optimal string alignment table: two back, one back, current.
  std::vector<int> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) above[j] = static_cast<int>(j);
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = static_cast<int>(i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const int replaced = above[j - 1] + (a[i - 1] != b[j - 1]);
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, replaced});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(above);
    above.swap(row);
  }
  return std::min(above[b.size()], over);
}

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
  const int limit = word.size() < 4 ? 1 : std::max(2, static_cast<int>(word.size() / 4));
  int best = limit + 1;
  std::string found;
  for (const std::string& candidate : candidates) {
    const int distance = edit_distance(word, candidate, limit);
    if (distance < best) {
      best = distance;
      found = candidate;
    }
  }
  return found;
}

const std::vector<ForeignName>& foreign_names() {
  static const std::vector<ForeignName> names = {
      {"commitment_cost", "quantizer.commitment_weight"},
      {"beta", "quantizer.commitment_weight"},
      {"num_embeddings", "quantizer.codebook_size"},
      {"num_tokens", "quantizer.codebook_size"},
      {"num_codes", "quantizer.codebook_size"},
      {"decay", "quantizer.ema_decay"},
      {"epsilon", "quantizer.ema_epsilon"},
      {"use_ema", "quantizer.kind"},
      {"uniform_codebook_init", "model.uniform_codebooks"},
      {"group_embedding_dim", "model.category_embedding_dim"},
      {"group_hidden_dim", "model.category_hidden_dim"},
      {"auto_compression_strategy", "model.ratio_strategy"},
      {"factors", "model.levels"},
      {"decoder_hidden_dim", "model.decoder.hidden_dim"},
      {"partial_decoder_hidden_dim", "model.decoder.partial_hidden_dim"},
      {"residual_decoder_hidden_dims", "model.decoder.residual_sizes"},
      {"use_residual_decoder", "model.decoder.residual_sizes"},
      {"informativeness_weight", "losses.informativeness"},
      {"topo_weight", "losses.topographic"},
      {"topo_samples", "losses.topographic_samples"},
      {"entropy_weight", "losses.entropy"},
      {"feature_weighting", "losses.feature_weights"},
      {"dead_code_reset_interval", "quantizer.dead_code.interval"},
      {"dead_code_threshold", "quantizer.dead_code.threshold"},
      {"dead_code_max_reset_fraction", "quantizer.dead_code.max_fraction"},
      {"use_smart_reset", "quantizer.dead_code.policy"},
      {"latent_size", "model.embedding_dim"},
      {"latent_dim", "model.embedding_dim"},
      {"hidden_size", "model.encoder_sizes"},
      {"hidden_sizes", "model.encoder_sizes"},
      {"output_size", "model.input_size"},
      {"epochs", "training.num_epochs"},
      {"lr", "training.learning_rate"},
      {"codebook_lr", "training.codebook_learning_rate"},
      {"scheduler", "training.schedule.kind"},
      {"lr_schedule", "training.schedule.kind"},
      {"warmup_epochs", "training.schedule.warmup_steps"},
      {"eta_min", "training.schedule.final_fraction"},
      {"step_size", "training.schedule.step_epochs"},
      {"grad_clip", "training.gradient_clip_norm"},
      {"max_grad_norm", "training.gradient_clip_norm"},
      {"val_every_n_epochs", "training.validation_interval"},
      {"save_every", "training.checkpoint_every_steps"},
      {"keep_last_n", "training.keep_last"},
      {"early_stopping_patience", "training.early_stopping.patience"},
      {"early_stopping_min_delta", "training.early_stopping.min_delta"},
      {"output_dir", "training.checkpoint_dir"},
      {"random_seed", "training.seed"},
      {"num_threads", "training.threads"},
      {"dataset_path", "data.path"},
      {"input", "data.path"},
      {"normalization_method", "data.normalization"},
      {"feature_cleaning", "data.cleaning.enabled"},
      {"clean_features", "data.cleaning.enabled"},
      {"variance_threshold", "data.cleaning.min_deviation"},
      {"max_variance_threshold", "data.cleaning.max_variance"},
      {"max_cv_threshold", "data.cleaning.max_variation"},
      {"deduplicate_threshold", "data.cleaning.duplicate_correlation"},
      {"use_intelligent_dedup", "data.cleaning.duplicate_choice"},
      {"outlier_method", "data.cleaning.outliers"},
      {"percentile_range", "data.cleaning.low_percentile"},
      {"mad_threshold", "data.cleaning.mad_multiplier"},
      {"category_mapping_file", "categories.mapping_file"},
      {"distance_metric", "categories.distance"},
      {"linkage_method", "categories.linkage"},
      {"k_selection_method", "categories.k_selection"},
      {"manual_k", "categories.num_categories"},
      {"num_categories_auto", "categories.num_categories"},
      {"distance_threshold", "categories.cut_height"},
      {"min_clusters", "categories.min_categories"},
      {"max_clusters", "categories.max_categories"},
      {"gap_statistic_refs", "categories.gap_references"},
      {"min_features_per_category", "categories.min_features"},
      {"max_samples_for_clustering", "categories.max_samples"},
      {"per_family_clustering", "categories.per_family"},
      {"split_mega_categories", "categories.max_category_size"},
      {"max_split_recursion_depth", "categories.max_split_depth"},
      {"max_clusters_for_split", "categories.max_split_parts"},
      {"val_fraction", "data.validation_fraction"},
      {"val_split", "data.validation_fraction"},
      {"reconstruction_weight", "losses.reconstruction"},
  };
  return names;
}

namespace {

std::string_view last_part(std::string_view path) { return path.substr(path.rfind('.') + 1); }

/// The names directly below `section`, sections among them once.
std::vector<std::string> names_in(std::string_view section, const std::vector<std::string>& paths) {
  const std::string prefix = join_path(section, "");
  std::vector<std::string> names;
  for (const std::string& path : paths) {
    if (!path.starts_with(prefix)) continue;
    const std::string name =
        path.substr(prefix.size(), path.find('.', prefix.size()) - prefix.size());
    if (std::ranges::find(names, name) == names.end()) names.push_back(name);
  }
  return names;
}

std::string did_you_mean(std::string_view name) {
  return "did you mean " + std::string(name) + '?';
}

/// Names that other programs use in encoder_params, and what is meant by them here; no path: a size
/// of the data.
constexpr ForeignName kForeignParams[] = {
    {"input_dim", ""},
    {"input_size", ""},
    {"in_channels", ""},
    {"num_channels", ""},
    {"grid_size", ""},
    {"manual_dim", ""},
    {"feature_dim", ""},
    {"seq_len", ""},
    {"cnn_embedding_dim", "embedding_dim"},
    {"cnn_dim", "embedding_dim"},
    {"cnn_use_final_batchnorm", "use_final_batchnorm"},
    {"hidden_sizes", "hidden_dims"},
    {"hidden_dim", "hidden_dims"},
    {"output_size", "output_dim"},
    {"use_batch_norm", "batch_norm"},
    {"use_batchnorm", "batch_norm"},
    {"dropout_rate", "dropout"},
    {"freeze", "trainable"},
    {"frozen", "trainable"},
    {"pretrained_path", "pretrained_cnn_path"},
    {"levels", "level_dims"},
    {"factors", "downsample_factors"},
    {"pyramid_factors", "downsample_factors"},
    {"strategy", "sampling_strategy"},
    {"min_length", "min_timesteps"},
    {"max_length", "max_timesteps"},
    {"bins", "length_bins"},
};

}  // namespace

std::string suggest_param_name(std::string_view name, const std::vector<std::string>& known) {
  // First, because these names are near to others that mean something else.
  const auto foreign = std::ranges::find(kForeignParams, name, &ForeignName::name);
  if (foreign != std::end(kForeignParams)) {
    if (foreign->path.empty()) return "sizes of the data are taken from the data; leave it out";
    if (std::ranges::find(known, foreign->path) != known.end()) return did_you_mean(foreign->path);
  }
  const std::string near = nearest(name, known);
  return near.empty() ? "" : did_you_mean(near);
}

std::string suggest_key(std::string_view section, std::string_view name,
                        const std::vector<std::string>& paths) {
  const std::vector<std::string> here = names_in(section, paths);
  if (const std::string near = nearest(name, here); !near.empty()) return did_you_mean(near);

  const auto foreign = std::ranges::find(foreign_names(), name, &ForeignName::name);
  if (foreign != foreign_names().end()) return did_you_mean(foreign->path);

  std::vector<std::string> last_parts;
  for (const std::string& path : paths) last_parts.emplace_back(last_part(path));
  if (const std::string near = nearest(name, last_parts); !near.empty())
    return did_you_mean(paths[std::ranges::find(last_parts, near) - last_parts.begin()]);

  std::string known = section.empty() ? "a config has" : std::string(section) + " has";
  for (const std::string& key : here) known += (&key == &here.front() ? " " : ", ") + key;
  return known;
}

}  // namespace tessera::config
