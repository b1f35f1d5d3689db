#pragma once

#include <vector>

#include "tessera/grouped_ops.h"
#include "tessera/kernels/assignment_terms.h"
#include "tessera/kernels/partial_weights.h"
#include "tessera/kernels/routing_fold.h"

namespace tessera::inline TESSERA_PRECISION {

// Ops of learnable category assignment. An assignment A [features, categories] says how much each
// feature belongs to each category; its rows sum to 1. Launches do not depend on the number of
// categories.

using kernels::AnnealedWeight;
using kernels::CategoryFamily;
/// Which categories the features may belong to. One family leaves every choice.
using FamilyTable = GroupTable<CategoryFamily>;

/// How an assignment is made of its logits.
struct AssignmentMode {
  const TrainingState* state = nullptr;  ///< seed, step; the temperature where none is given
  real temperature = 0;                  ///< above 0, or 0: the state's
  bool gumbel = false;                   ///< noise, of the seed and the step; none in evaluation
  bool hard = false;                     ///< one-hot values, gradients as of the soft ones
};

/// A = softmax((logits + noise) / temperature) over the categories of each feature's family, exactly 0
/// elsewhere (kernels/category_assignment.h).
///
/// logits   [features, categories]
/// Returns [features, categories]; differentiable, straight-through where it is hard.
/// Throws Error where shapes differ from the table's, and for a mode that needs a state without one.
Var category_assignment(const FamilyTable& families, const Var& logits, const AssignmentMode& mode);

/// Columns of a matrix, and where each of them went: for gather_columns.
struct ColumnList {
  /// `inputs`: columns of the matrix they are taken from.
  ColumnList(const std::vector<int32_t>& taken, int64_t inputs, Device device);
  Buffer<int32_t> columns;        ///< [T]
  Buffer<int32_t> first, places;  ///< [inputs + 1], [T]: the copies of each input
};
/// y[b, t] = x[b, columns[t]]; differentiable.
Var gather_columns(const ColumnList& list, const Var& x);

/// The first linear layer of every category, H hidden units each, and which features they read.
///
/// Weights are flat [1, weights()]: family by family, its categories one after another, W_k
/// [H, features of the family] row-major, a family on a 16-byte border. They stay where they are
/// whichever features are read. Category k has outputs k H to (k + 1) H - 1, also in the bias.
class RoutingTable {
 public:
  /// Every category reads all features of its family.
  RoutingTable(const std::vector<CategoryFamily>& families, int64_t hidden, Device device);
  /// Category k reads features_of[k], ascending, of its family: those whose share is worth the work
  /// (active_features in category_assignment.h). Weights and shares of the others get no gradient.
  /// Throws Error for a category that reads nothing or a feature of another family.
  RoutingTable(const std::vector<CategoryFamily>& families, int64_t hidden,
               const std::vector<std::vector<int32_t>>& features_of, Device device);

  int64_t features() const { return features_; }
  int64_t weights() const { return weights_; }
  int64_t outputs() const { return categories_.size() * hidden_; }
  bool is_listed() const { return listed_ != nullptr; }

 private:
  friend Var soft_routing(const RoutingTable&, const Var&, const Var&, const Var&, const Var&);
  friend Var fold_assignment(const RoutingTable&, const Var&, const Var&);

  int64_t features_, hidden_;
  int64_t weights_ = 0, folded_ = 0;  // values, with what lies between families
  GroupTable<kernels::RoutedCategory> categories_;
  LinearTable linear_;  // over the folded weights
  std::shared_ptr<const ColumnList> listed_;
};

/// Each category's first layer on the features as far as they belong to it:
///
///   y[b, k H + h] = sum_i x[b, i] A[i, k] W_k[h, i] + bias[k H + h]
///
/// by folding A into the weights: no pass over x for each category, no [batch, features, categories].
///
/// x           [batch, features]
/// assignment  [features, categories]
/// weights     [1, table.weights()]
/// bias        [1, table.outputs()], or a null Var for none
/// Returns [batch, table.outputs()]; differentiable in all four.
/// Throws Error where sizes do not fit the table.
Var soft_routing(const RoutingTable& table, const Var& x, const Var& assignment, const Var& weights,
                 const Var& bias);

/// The partial reconstructions of a model whose categories are learned: each codebook's decoder
/// gives features of its category's family; codebook by codebook, levels of a category together.
class PartialTable {
 public:
  /// All of the family.
  PartialTable(const std::vector<CategoryFamily>& families, int64_t levels, Device device);
  /// Category k gives features_of[k], ascending: those whose share is worth the work. Shares of the
  /// others get no gradient.
  PartialTable(const std::vector<std::vector<int32_t>>& features_of, int64_t levels, Device device);
  int64_t columns() const { return columns_.size(); }
  const GroupTable<kernels::PartialCategory>& categories() const { return categories_; }
  /// The feature that each column reconstructs.
  const Buffer<int32_t>& features() const { return columns_; }

 private:
  GroupTable<kernels::PartialCategory> categories_;
  Buffer<int32_t> columns_;
};

/// What each codebook alone tells of the features, weighted by how much they are of its category:
///
///   (1 / batch) sum_b sum_i weight[i] sum_k A[i, k] (1 / L) sum_l (partial_kl[b, i] - target[b, i])^2
///
/// over the k that give feature i. With weight 1 / features and a one-hot A, the informativeness of
/// hard categories.
///
/// partial     [batch, table.columns()]; differentiable
/// target      [batch, features], a constant
/// assignment  [features, categories]; differentiable
/// weight      [1, features], a constant
Var soft_informativeness(const PartialTable& table, const Var& partial, const Var& target,
                         const Var& assignment, const Tensor& weight);

/// Mean |cosine| between the columns of S = features A, over pairs of categories, as [1, 1];
/// differentiable in the assignment (kernels/category_cosines.h).
///
/// features  [batch, features], a constant
Var assignment_orthogonality(const Var& features, const Var& assignment);

/// (1 / K) sum_k (c_k K / D - 1)^2 with c_k = sum_i A[i, k], as [1, 1]; differentiable.
Var category_balance(const Var& assignment);

/// (1 / families) sum over features and categories outside their family of A, as [1, 1]: 0 for
/// assignments made with the same table; differentiable.
Var family_constraint(const FamilyTable& families, const Var& assignment);

/// weight (1 / D) sum_ik -A ln A, as [1, 1]: between 0 and weight ln K; differentiable. Subtracted
/// from a loss it keeps an assignment soft, less and less as the weight falls.
Var row_entropy(const Var& assignment, const AnnealedWeight& weight = {});

/// sum_k A_k^T M A_k, as [1, 1]; differentiable. With modularity_matrix() of category_assignment.h
/// the modularity of soft categories: to be subtracted from a loss.
///
/// matrix  [features, features], symmetric, a constant
/// Source: Newman 2006, "Modularity and community structure in networks".
Var modularity(const Var& assignment, const Tensor& matrix);

}  // namespace tessera::inline TESSERA_PRECISION
