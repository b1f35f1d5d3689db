#pragma once

#include <span>
#include <vector>

#include "tessera/assignment_ops.h"
#include "tessera/grouped_nn.h"

namespace tessera::inline TESSERA_PRECISION {

/// How a model learns which features belong to which category.
struct AssignmentOptions {
  std::vector<CategoryFamily> families = {};  ///< packed; one where every category is open to all
  bool gumbel = true;                         ///< noise in training
  bool hard = false;                          ///< one-hot in training, with the soft one's gradient
  bool hard_informativeness = false;         ///< of one-hot categories, without a gradient to them
};

/// The logits of a category assignment, a parameter group of their own, and what stands on them: the
/// first layer of every category's encoder, and which features its decoders give back.
///
/// In training A = softmax((logits + noise) / temperature of the step); in evaluation without noise,
/// at the temperature of set_evaluation(), one-hot where that says so.
class LearnedAssignment {
 public:
  /// Declares the logits in `assignment` and the first layer, `hidden` units a category, in `model`.
  LearnedAssignment(const AssignmentOptions& options, int64_t hidden, int64_t levels,
                    ParameterGroup& model, ParameterGroup& assignment, uint64_t seed,
                    Device device);

  /// [features, categories] of this pass.
  Var assign(const Pass& pass);
  /// The same at temperature 1 without noise, from the logits: of terms on the logits alone.
  Var clean(const Pass& pass);
  /// soft_routing of x.
  Var route(const Pass& pass, const Var& x, const Var& assignment);

  const AssignmentOptions& options() const { return options_; }
  int64_t features() const { return features_; }
  int64_t categories() const { return categories_; }
  const FamilyTable& families() const { return families_; }
  const PartialTable& parts() const { return parts_; }

  std::vector<real> logits();
  void write_logits(std::span<const real> values);
  /// Share of features whose logits had a gradient above `least` in the last step.
  double rows_with_gradient(double least = 1e-8);
  /// The category of each feature.
  std::vector<int32_t> hard();
  void set_evaluation(double temperature, bool hard) {
    temperature_ = real(temperature);
    hard_ = hard;
  }
  double temperature() const { return double(temperature_); }

  /// The last layer of the categories' own decoders: groups as parts() has them, each with an output
  /// for every feature of its family. Must outlive this.
  void decodes_with(GroupedLinear& outputs) { outputs_ = &outputs; }
  /// Leaves features out of the categories where their share at temperature 1, by the logits the epoch
  /// began with, is below `threshold` (0: none): first layers do not read them, own decoders do not
  /// give them back. Steps that were captured before must be captured again.
  void skip_below(double threshold);
  /// The share of the work on these layers that would be left.
  double work_left(double threshold) const;

  // What a run compares with; a checkpoint keeps it.
  void begin_at(std::vector<int32_t> category_of) { initial_ = std::move(category_of); }
  const std::vector<int32_t>& initial() const { return initial_; }  ///< categories at the start
  void keep_epoch_logits() { epoch_logits_ = logits(); }
  void write_epoch_logits(std::vector<real> logits) { epoch_logits_ = std::move(logits); }
  const std::vector<real>& epoch_logits() const { return epoch_logits_; }  ///< as the epoch began

  /// Frozen, the assignment is one-hot and without noise in training too. Returns whether that is new:
  /// then steps that were captured before must be captured again.
  bool freeze(bool frozen);

  /// For the modularity term: correlations between the features, [features, features].
  void set_modularity(const std::vector<real>& matrix, double entropy_steps);
  const Tensor& modularity_matrix() const { return modularity_; }
  double entropy_steps() const { return entropy_steps_; }

 private:
  std::vector<std::vector<int32_t>> features_above(double threshold) const;

  AssignmentOptions options_;
  ParameterGroup &model_, &assignment_;
  Device device_;
  int64_t features_ = 0, categories_ = 0, hidden_;
  FamilyTable families_;
  RoutingTable routing_;
  PartialTable parts_;
  size_t logits_, weights_, bias_;
  real temperature_ = 1;
  bool hard_ = true, frozen_ = false;
  std::vector<int32_t> initial_;
  std::vector<real> epoch_logits_;
  Tensor modularity_;
  double entropy_steps_ = 1;
  int64_t levels_;
  GroupedLinear* outputs_ = nullptr;  // of the own decoders
};

}  // namespace tessera::inline TESSERA_PRECISION
