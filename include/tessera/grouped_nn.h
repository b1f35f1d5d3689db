#pragma once

#include <memory>
#include <vector>

#include "tessera/assignment_ops.h"
#include "tessera/grouped_ops.h"
#include "tessera/nn.h"

namespace tessera::inline TESSERA_PRECISION {

/// Linear layers of many groups side by side, as one op. Each W_g is Glorot uniform by its own sizes;
/// biases are 0. Groups are placed one after another in input and output.
class GroupedLinear final : public Module {
 public:
  GroupedLinear(ParameterGroup& group, const std::string& name,
                std::vector<kernels::LinearGroup> groups, uint64_t seed, Device device);
  Var forward(const Pass& pass, const Var& x) override;
  const LinearTable& table() const { return table_; }

  /// From now on group g computes outputs_of[g] alone, ascending, side by side; weights stay where
  /// they are, those of the others get no gradient. Two launches more, and indices as large as the
  /// weights. Steps that were captured before must be captured again.
  /// Throws Error for a group without outputs and for an output that it does not have.
  void keep_outputs(const std::vector<std::vector<int32_t>>& outputs_of);
  void keep_all() { kept_ = nullptr; }

 private:
  struct Kept;
  std::shared_ptr<const Kept> kept_;
  ParameterGroup& group_;
  LinearTable table_;
  size_t weights_, bias_;
};

/// layer_norm of each group of columns; gains start at 1, shifts at 0.
class GroupedLayerNorm final : public Module {
 public:
  GroupedLayerNorm(ParameterGroup& group, const std::string& name,
                   std::vector<kernels::ColumnGroup> groups, Device device,
                   real epsilon = real(1e-5));
  Var forward(const Pass& pass, const Var& x) override;

 private:
  ParameterGroup& group_;
  ColumnTable table_;
  size_t gain_, shift_;
  real epsilon_;
};

}  // namespace tessera::inline TESSERA_PRECISION
