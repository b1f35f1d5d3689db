#pragma once

#include <string_view>
#include <vector>

#include "tessera/grouped_ops.h"

namespace tessera::inline TESSERA_PRECISION {

class LearnedAssignment;

/// What the losses of a model with categories look at beside values; made once.
struct LossContext {
  VqTable codes;
  ColumnTable features, latents;     ///< the features as one group; the latents by codebook
  Tensor feature_weight;             ///< [1, features] of (prediction - target)^2, summed
  Tensor latent_weight;              ///< [1, latent columns] of (latents - quantized)^2, summed
  Tensor partial_weight;             ///< [1, partial columns] of (partial - target)^2, summed
  Buffer<int32_t> partial_columns;   ///< the feature that each partial column reconstructs
  int64_t topographic_samples = 64;  ///< rows of a batch
  real entropy_temperature = 1;
};

/// What a loss may look at. Without a context, means over all elements.
struct LossInputs {
  Var prediction, target;  ///< decoder output and its input, [rows, features]
  Var latents, quantized;  ///< encoder output and the hard code rows, [rows, columns]
  Var passed = {};         ///< the code rows with the estimator's gradient to the latents
  Var partial = {};        ///< what each codebook alone reconstructs, or null
  Var codebooks = {};      ///< flat; on the tape where they are trained by gradient
  const LossContext* context = nullptr;
  Var assignment = {};        ///< of features to categories, as this pass drew it
  Var clean_assignment = {};  ///< at temperature 1 without noise, where a loss looks at it
  const LearnedAssignment* learned = nullptr;
  const TrainingState* state = nullptr;
};

/// A loss by name: its value as [1, 1], differentiable; means over all elements (decisions D8).
using Loss = Var (*)(const LossInputs&);

/// Throws Error (Config) with the known names.
Loss loss_named(std::string_view name);
std::vector<std::string_view> loss_names();
/// Of models that learn their categories, the last of all.
std::vector<std::string_view> assignment_loss_names();

// One file each under src/losses/.
/// mean (prediction - target)^2, weighted by feature where there is a context
Var reconstruction_loss(const LossInputs& in);
/// mean (stop_gradient(latents) - quantized)^2: moves codes. van den Oord et al. 2017, eq. (3).
Var codebook_loss(const LossInputs& in);
/// mean (latents - stop_gradient(quantized))^2: moves the encoder. The same equation.
Var commitment_loss(const LossInputs& in);
// Of models with categories; they need a context.
/// (1 / (D L)) sum over levels, categories and their columns of (partial - target)^2; weighted by the
/// assignment where that is learned (soft_informativeness)
Var informativeness_loss(const LossInputs& in);
/// mean squared cosine between codes of a codebook (code_orthogonality)
Var codebook_orthogonality_loss(const LossInputs& in);
/// 0.3 (1 - pre) + 0.7 (1 - post) (topographic)
Var topographic_loss(const LossInputs& in);
/// ln K - H of the soft use of codes (code_entropy)
Var entropy_loss(const LossInputs& in);

// Of models that learn their categories; they need an assignment.
/// mean |cosine| between the sums that categories make of the features (assignment_orthogonality)
Var assign_orthogonality_loss(const LossInputs& in);
/// (1 / K) sum_k (c_k K / D - 1)^2 (category_balance)
Var assign_balance_loss(const LossInputs& in);
/// share of features outside their family (family_constraint)
Var assign_family_loss(const LossInputs& in);
/// -modularity - T mean row entropy at temperature 1, T from 2 to 0.05 over the first four fifths of
/// the run; a weight of the whole scales both
Var assign_modularity_loss(const LossInputs& in);

/// The assignment; fails where `loss` is asked of a model that learns none.
const LearnedAssignment& assignment_for(std::string_view loss, const LossInputs& in);
/// The context; fails where `loss` is asked of a model without categories.
const LossContext& context_for(std::string_view loss, const LossInputs& in);

}  // namespace tessera::inline TESSERA_PRECISION
