#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "tessera/category_layout.h"

namespace tessera {

struct ResidualKmeansOptions {
  int iterations = 25;  ///< Lloyd iterations of each codebook, after k-means++
  uint64_t seed = 0;
  std::function<void(int done, int of)> progress = {};  ///< called after each codebook
};

/// What residual k-means comes to. Errors are means over rows and features of (x - x_hat)^2, as
/// TokenizerMetrics::reconstruction_error.
struct ResidualKmeans {
  struct Category {
    std::string name;
    double fit_error = 0, error = 0;  ///< over its own columns
  };
  int64_t fitted_rows = 0, evaluated_rows = 0;
  double fit_error = 0;                       ///< of the rows it was fitted to
  double error = 0;                           ///< of the evaluated rows; 0 where there are none
  std::vector<double> level_fit_errors = {};  ///< [levels] with the codebooks up to that one
  std::vector<double> level_errors = {};      ///< the same of the evaluated rows
  std::vector<Category> categories = {};
  double seconds = 0;
};

/// The yardstick of a tokenizer: what its tokens can say without a network. With the model's
/// categories and codebook sizes, and columns x_k of category k:
///
///   r_k0 = x_k;   r_k(l+1) = r_kl - nearest centre of r_kl in codebook (k, l);   x_hat = x - r_kL
///
/// The centres of codebook q = k L + l are those of kmeans() on the fit rows' r_kl, with q as
/// stream_step; evaluated rows take the nearest. Each level is fitted on its own, coarse to fine.
/// Deterministic by seed.
///
/// fit, evaluated  [rows, features], normalised as the model sees them; `evaluated` may be null
/// codebook_sizes  [categories x levels], category by category
/// Throws Error (Config) where a codebook has more codes than there are fit rows.
/// Source: Juang and Gray 1982, "Multiple stage vector quantization for speech coding".
ResidualKmeans residual_kmeans(const Tensor& fit, const Tensor& evaluated,
                               std::span<const CategoryLayout> layout,
                               std::span<const int64_t> codebook_sizes,
                               const ResidualKmeansOptions& options = {});

/// Codebook sizes of a model, as residual_kmeans takes them.
std::vector<int64_t> codebook_sizes(const VqTable& table);

}  // namespace tessera
