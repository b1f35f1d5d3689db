#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace tessera {

/// The codebook of one category and level; what is not given is inferred from the category.
struct LevelSize {
  std::optional<int64_t> code_dim, codebook_size;
  bool operator==(const LevelSize&) const = default;
};

/// How sizes are inferred.
struct LevelRules {
  /// Widths of the levels per feature; none: the rule without ratios.
  std::optional<std::vector<double>> ratios;
  bool uniform_codebooks = false;  ///< every level as large as the first
  int64_t samples = 10'000;        ///< rows that the rule of the first level assumes
};

/// Levels of a category of `features` features, coarse to fine; every size is set.
///
/// `given`  sizes that are pinned, level by level; empty: three levels, all inferred
///
/// With n = features, base = floor(7 log2 n), codebook sizes are
///   first level  max(4 floor(base / 4), min(28, max(5, floor(4.8 sqrt(samples / 1000)))))
///   level l      the first's where codebooks are uniform, else max(6, floor(base / 2^l))
/// and code dimensions
///   with ratios     max(4, 4 ceil(n r_l / 4))
///   without ratios  4 ceil(n (1 + 0.8 (n / 100)^0.7) 2^-l max(1, log2(size) / 20) / 4), the first at
///                   least min(64, max(8, 4 ceil(12 log10(samples) / 4))), others at least 8; a level
///                   that is not smaller than the one before it becomes max(4, max(p - 4, p / 2))
/// Source: the customer's reference, section 5.1 of its description.
/// Throws Error (Config) naming `category` for a size below 1, and for other numbers of ratios than
/// levels.
std::vector<LevelSize> level_sizes(const std::string& category, int64_t features,
                                   const std::vector<LevelSize>& given, const LevelRules& rules);

enum class RatioStrategy { Balanced, Variance, Dimensionality, Information };

/// Widths per feature from the values of a category, [rows, features], not normalised:
///   v = median of the columns' variances, at most 1;   m = log10(n + 1) / log10(101)
///   i = share of variance in the first min(5, n) principal components;   c = mean |r|, i != j
/// Each strategy has three grades of [coarse, middle, fine]; balanced weighs them by (v, m, 1 - i).
/// Rounded to two decimals. Source: as level_sizes.
std::array<double, 3> automatic_ratios(std::span<const float> values, int64_t rows,
                                       int64_t features, RatioStrategy strategy);

}  // namespace tessera
