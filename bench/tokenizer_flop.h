#pragma once

#include <algorithm>

#include "bench/tokenizer_models.h"

namespace tessera::bench {

/// What learning the categories computes beside the layers, a step: A folded into the first layer's
/// weights, forward and for both gradients; the categories' sums of features for the orthogonality,
/// forward and for their gradient, and the cosines' products. Draws, softmax and the other terms have
/// an element for each feature and category and count nothing.
inline double assignment_flop(const TokenizerShape& shape, double first_layer) {
  if (!shape.is_learned()) return 0;
  const double batch = double(shape.batch), features = double(shape.options.features()),
               categories = double(shape.options.categories.size());
  return 2 * (3 * first_layer + 2 * batch * features * categories +
              2 * batch * categories * categories);
}

/// Multiply-adds of the linear layers, thrice where their input takes a gradient, and of the search.
/// For the partial reconstructions a subtraction and a multiply-add each, and a subtraction and a
/// product of the gradient. For the topographic loss a subtraction and a multiply-add for each pair of
/// rows and column of distances, rows' and latents', and a multiply-add for each of all ordered pairs
/// and column of the latents' gradient. Distances between quantized rows are those of a few codes and
/// count nothing, nor does what is computed twice, nor do roots, norms, draws and Adam.
///
/// Where categories are learned each first layer and each partial decoder has all features, or where
/// small shares are skipped its own.
inline double step_flop(const TokenizerShape& shape) {
  const CategoricalOptions& o = shape.options;
  const bool has_all = shape.is_learned() && shape.skip_below == 0;
  double layers = 0, first = 0, search = 0, latents = 0, partial = 0;
  for (const CategorySpec& category : o.categories) {
    const double features = double(has_all ? o.features() : category.features);
    double dims = 0;
    for (const LevelSize& level : category.levels) {
      dims += double(*level.code_dim);
      search += double(*level.code_dim * *level.codebook_size);
      layers += 3 * double(o.partial_hidden) * (double(*level.code_dim) + features);
      partial += features;
    }
    first += features * double(o.hidden_dim);
    layers += 3 * double(o.embedding_dim) * (double(o.hidden_dim) + dims);
    latents += dims;
  }
  layers += 2 * first + 3 * double(o.decoder_hidden) * (latents + double(o.features()));
  const double samples = double(std::min(shape.batch, o.topographic_samples));
  const double pairs = samples * samples;
  return double(shape.batch) * (2 * (layers + search) + 5 * partial) +
         pairs * (1.5 * (double(o.features()) + latents) + 2 * latents) +
         assignment_flop(shape, first);
}

}  // namespace tessera::bench
