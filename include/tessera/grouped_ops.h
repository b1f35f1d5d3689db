#pragma once

#include "tessera/kernels/column_groups.h"
#include "tessera/kernels/grouped_linear.h"
#include "tessera/ops.h"

namespace tessera::inline TESSERA_PRECISION {

// Ops on many parts of different sizes at once: each is a fixed number of launches, whatever the
// number of groups. Values of all groups stand side by side in one tensor, parameters of all groups
// one after another in one.

using LinearTable = GroupTable<kernels::LinearGroup>;
using ColumnTable = GroupTable<kernels::ColumnGroup>;

/// y[b, columns of g] = x[b, columns of g] W_g^T + bias[columns of g]  (kernels/grouped_linear.h)
///
/// x        [batch, input columns]; the inputs of the groups do not overlap
/// weights  flat [1, size], as LinearGroup::pack places them
/// bias     [1, output columns], or a null Var for none
/// Returns [batch, output columns]; differentiable in all three.
/// Throws Error where sizes do not fit the table, and where an output column has no group.
Var grouped_linear(const LinearTable& table, const Var& x, const Var& weights, const Var& bias);

/// layer_norm of each group of columns for itself; gain and shift [1, columns].
/// Throws Error where a column has no group.
Var grouped_layer_norm(const ColumnTable& table, const Var& x, const Var& gain, const Var& shift,
                       real epsilon);

/// (1 / batch) sum_b sum_p weight[p] (prediction[b, p] - target[b, columns[p]])^2 as [1, 1]
///
/// prediction  [batch, P]; differentiable
/// target      [batch, T]; differentiable where `columns` is empty
/// weight      [1, P], a constant
/// columns     [P] columns of the target, or empty: column p itself
Var weighted_squared_error(const Var& prediction, const Var& target, const Tensor& weight,
                           const Buffer<int32_t>& columns = {});

/// sums[p] = sum_b (prediction[b, p] - target[b, columns[p]])^2 as [P], binary64; not differentiable
///
/// Shapes and `columns` as weighted_squared_error.
Buffer<double> column_squared_errors(const Tensor& prediction, const Tensor& target,
                                     const Buffer<int32_t>& columns = {});

/// The first `rows` rows of x; x itself where it has no more. Differentiable.
Var first_rows(const Var& x, int64_t rows);

/// How far distances change from one space to the next:
///
///   0.3 (1 - pre) + 0.7 (1 - post) as [1, 1]
///   pre = r(D(x), D(latents)),  post = r(D(latents), D(quantized))
///
/// D holds the distances of all pairs of rows, r is Pearson's correlation (kernels/distances.h).
/// Distances of latents and codes are means over the groups of the table.
///
/// features   the columns of x: one group for the plain distance
/// x          [batch, features], a constant
/// latents    [batch, columns]; differentiable
/// quantized  [batch, columns]; differentiable: straight-through gradients flow on to the latents
/// samples    rows looked at, from the first
/// Source: the customer's reference, section 6.2 of its description.
struct Topographic {
  Var loss;
  Tensor pre, post;  ///< [1, 1] each
};
Topographic topographic(const ColumnTable& features, const Var& x, const ColumnTable& table,
                        const Var& latents, const Var& quantized, int64_t samples);

/// Mean squared cosine between the codes of a codebook, mean over codebooks, as [1, 1];
/// differentiable in the codebooks (kernels/code_terms.h).
Var code_orthogonality(const VqTable& table, const Var& codebooks);

/// ln K - H(p) with p the mean soft use of the codes, mean over codebooks, as [1, 1]; differentiable
/// in the latents (kernels/code_terms.h).
Var code_entropy(const VqTable& table, const Var& latents, const Tensor& codebooks,
                 real temperature = 1);

}  // namespace tessera::inline TESSERA_PRECISION
