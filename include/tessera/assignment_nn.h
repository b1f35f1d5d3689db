#pragma once

#include <string>
#include <vector>

#include "tessera/assignment_ops.h"
#include "tessera/nn.h"

namespace tessera::inline TESSERA_PRECISION {

struct CategoryRoutingOptions {
  std::vector<CategoryFamily> families;  ///< placed one after another, as pack() does
  std::vector<real> initial_logits;      ///< [features, categories], as in category_assignment.h
  int64_t hidden = 128;                  ///< H: hidden units of each category
  bool gumbel = true;                    ///< noise on the logits in training
  bool hard = false;                     ///< one-hot assignments, gradients of the soft ones
  uint64_t seed = 0;
};

/// The learned assignment and, in it, the first layer of every category's encoder:
///
///   y[b, k H + h] = sum_i x[b, i] A[i, k] W_k[h, i] + bias[k H + h]
///
/// W_k is Glorot uniform by (features of the family, H); biases are 0. The logits are the parameter
/// "logits" of a group of their own, since they have a rate and a clip norm of their own; no other
/// optimizer sees them.
class CategoryRouting {
 public:
  /// Declares <name>/weight and <name>/bias in `model`, "logits" in `assignment`.
  CategoryRouting(ParameterGroup& model, const std::string& name, ParameterGroup& assignment,
                  const CategoryRoutingOptions& options, Device device);

  const FamilyTable& families() const { return families_; }
  const RoutingTable& table() const { return table_; }
  Parameter& logits() { return assignment_[logits_]; }

  /// This pass's assignment [features, categories], to be used by all that see it: in training at
  /// the temperature of the state and with noise; else without noise, at evaluation_temperature.
  Var assignment(const Pass& pass) const;
  /// softmax(logits) at temperature 1 without noise: what the entropy is taken of.
  Var plain_assignment(const Pass& pass) const;
  /// [batch, categories H]
  Var forward(const Pass& pass, const Var& x, const Var& assignment) const;

  /// Between epochs. The temperature of the epoch, for passes that have no state.
  void set_evaluation_temperature(real temperature) { evaluation_temperature_ = temperature; }
  /// Features that categories read from now on (active_features), or all where the list is empty.
  /// A recorded step keeps what it had.
  void read_features(const std::vector<std::vector<int32_t>>& features_of);

 private:
  ParameterGroup &model_, &assignment_;
  FamilyTable families_;
  RoutingTable table_;
  int64_t hidden_;
  size_t weights_, bias_, logits_;
  bool gumbel_, hard_;
  real evaluation_temperature_ = 1;
};

}  // namespace tessera::inline TESSERA_PRECISION
