#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tessera/category_layout.h"
#include "tessera/data.h"
#include "tessera/metrics.h"

namespace tessera {

/// What one category of a set of rows came to.
struct CategoryMetrics {
  std::string name;
  int64_t first = 0, features = 0;  ///< its columns; of a learned assignment their number alone
  double reconstruction_error = 0;         ///< of the whole model's output, on its own columns
  std::vector<double> partial_error = {};  ///< [levels] of each codebook's own decoder, or empty
  std::vector<CodeUse> levels = {};        ///< use of its codebooks over all rows, coarse to fine
};

/// How well a model does on a set of rows. Errors are means over rows and features of
/// (x - x_hat)^2, x as the model sees it (normalised), every feature with weight 1.
struct TokenizerMetrics {
  int64_t rows = 0, features = 0;
  double reconstruction_error = 0;
  std::vector<double> feature_errors = {};  ///< [features] means over rows
  std::vector<CategoryMetrics> categories = {};
  double utilization = 0;  ///< mean over codebooks of codes used at least once / codebook size
  double perplexity = 0;   ///< mean over codebooks
  int64_t tokens_used = 0, tokens_total = 0;  ///< codes of all codebooks together
  int64_t dead_codes = 0;                     ///< tokens_total - tokens_used
  std::vector<int64_t> code_counts = {};      ///< [tokens_total] rows of each code, by codebook
  int64_t topographic_rows = 0;               ///< rows whose distances were compared
  double topographic_pre = 0;                 ///< r(D(x), D(latents))
  double topographic_post = 0;                ///< r(D(latents), D(codes))
  double topographic_end_to_end = 0;          ///< r(D(x), D(codes))
};

/// Rows whose pairwise distances are compared.
inline constexpr int64_t kTopographicRows = 1000;

/// Rows of the source whose distances are compared, ascending: up to kTopographicRows of the set, drawn
/// by a fixed permutation.
std::vector<int32_t> topographic_sample(const RowSource& source, const Buffer<int32_t>& subset);

/// Measures `model` in evaluation on the rows of `subset` or, where it is empty, on all: one pass,
/// `batch` rows at a time, which changes no more than roundings.
///
/// Distances D and their correlation r are those of topographic() (grouped_ops.h): of x over all
/// features; of latents and codes averaged over codebooks. Rows are those of topographic_sample: the
/// same for each model and batch size; they are passed through the model once more, together.
///
/// layout  the model's categories, which together are its features in order; codebook q = k L + l
/// Throws Error (Numeric) where outputs are not finite; Error where the layout is not the model's.
TokenizerMetrics measure_tokenizer(Tokenizer& model, std::span<const CategoryLayout> layout,
                                   const RowSource& source, const Buffer<int32_t>& subset,
                                   int64_t batch);

/// Reconstruction in the units of the stored data.
struct StoredUnitsError {
  double error = 0;              ///< mean over rows and features of the squared difference
  double error_by_variance = 0;  ///< error / mean variance of the features
  std::vector<double> category_by_variance = {};  ///< the same of each category's columns
};

/// With x' = (x - mean[f]) * scale[f] the stored error of a feature is error[f] / scale[f]^2, and its
/// variance, in the rows the normalizer was fitted to, 1 / scale[f]^2 (of `robust`: by the median
/// absolute deviation). Nothing for a normalizer without numbers.
std::optional<StoredUnitsError> in_stored_units(const TokenizerMetrics& metrics,
                                                const Normalizer& normalizer);

/// Share of tokens that come back when rows are encoded, decoded and encoded again.
struct TokenSurvival {
  double share = 0;                      ///< of all tokens of all rows
  std::vector<double> by_codebook = {};  ///< codebook q = k L + l
};
TokenSurvival token_survival(Tokenizer& model, const RowSource& source,
                             const Buffer<int32_t>& subset, int64_t batch);

}  // namespace tessera
