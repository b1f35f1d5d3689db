#include <cmath>

#include "tessera/grouped_nn.h"

namespace tessera::inline TESSERA_PRECISION {

using kernels::LinearGroup;

namespace {

template <class Group>
std::vector<Group> packed(std::vector<Group> groups) {
  Group::pack(groups);
  return groups;
}

/// Element i of the flat weights: uniform by the sizes of its group, 0 between groups.
std::function<real(int64_t)> initial_weights(std::vector<kernels::LinearGroup> groups,
                                             const std::string& name, uint64_t seed) {
  return [groups = std::move(groups), name, seed](int64_t i) {
    for (const kernels::LinearGroup& group : groups) {
      const int64_t local = i - group.weight_begin;
      if (local >= 0 && local < int64_t{group.in} * group.out)
        return initial_uniform(seed, name, i, std::sqrt(6.0 / double(group.in + group.out)));
    }
    return real(0);
  };
}

}  // namespace

GroupedLinear::GroupedLinear(ParameterGroup& group, const std::string& name,
                             std::vector<kernels::LinearGroup> groups, uint64_t seed, Device device)
    : group_(group), table_(packed(std::move(groups)), device) {
  std::vector<kernels::LinearGroup> all(table_.groups().begin(), table_.groups().end());
  const auto sizes = kernels::LinearGroup::pack(all);
  const std::string weights = name + "/weight";
  weights_ = group.declare({weights, 1, sizes.weights, initial_weights(all, weights, seed)});
  bias_ = group.declare({name + "/bias", 1, sizes.outputs, [](int64_t) { return real(0); }});
}

/// Some outputs of every group: their layers over compact weights, and where those come from.
struct GroupedLinear::Kept {
  LinearTable table;
  ColumnList weights, bias;
};

void GroupedLinear::keep_outputs(const std::vector<std::vector<int32_t>>& outputs_of) {
  const std::span<const LinearGroup> all = table_.groups();
  TESSERA_CHECK(outputs_of.size() == all.size(), "GroupedLinear: outputs of ", outputs_of.size(),
                " groups for ", all.size());
  std::vector<LinearGroup> groups(all.begin(), all.end());
  for (size_t g = 0; g < groups.size(); ++g)
    groups[g].out = static_cast<int32_t>(outputs_of[g].size());
  const LinearGroup::Sizes sizes = LinearGroup::pack(groups);
  // Padding takes some weight of its group; as nothing reads it, its gradient is 0.
  std::vector<int32_t> weights, bias;
  for (size_t g = 0; g < groups.size(); ++g) {
    for (const int32_t output : outputs_of[g]) {
      TESSERA_CHECK(output >= 0 && output < all[g].out, "GroupedLinear: output ", output,
                    " of group ", g, ", which has ", all[g].out);
      bias.push_back(all[g].out_begin + output);
      for (int32_t i = 0; i < all[g].in; ++i)
        weights.push_back(
            static_cast<int32_t>(all[g].weight_begin + int64_t{output} * all[g].in + i));
    }
    const int64_t end = g + 1 < groups.size() ? groups[g + 1].weight_begin : sizes.weights;
    weights.resize(static_cast<size_t>(end), static_cast<int32_t>(all[g].weight_begin));
  }
  const Device device = table_.device();
  kept_ =
      std::make_shared<const Kept>(Kept{.table = {groups, device},
                                        .weights = {weights, group_[weights_].value.size(), device},
                                        .bias = {bias, group_[bias_].value.size(), device}});
}

Var GroupedLinear::forward(const Pass& pass, const Var& x) {
  const Var weights = pass.parameter(group_[weights_]), bias = pass.parameter(group_[bias_]);
  if (!kept_) return grouped_linear(table_, x, weights, bias);
  return grouped_linear(kept_->table, x, gather_columns(kept_->weights, weights),
                        gather_columns(kept_->bias, bias));
}

GroupedLayerNorm::GroupedLayerNorm(ParameterGroup& group, const std::string& name,
                                   std::vector<kernels::ColumnGroup> groups, Device device,
                                   real epsilon)
    : group_(group), table_(packed(std::move(groups)), device), epsilon_(epsilon) {
  std::vector<kernels::ColumnGroup> all(table_.groups().begin(), table_.groups().end());
  const int64_t columns = kernels::ColumnGroup::pack(all).columns;
  gain_ = group.declare({name + "/weight", 1, columns, [](int64_t) { return real(1); }});
  shift_ = group.declare({name + "/bias", 1, columns, [](int64_t) { return real(0); }});
}

Var GroupedLayerNorm::forward(const Pass& pass, const Var& x) {
  return grouped_layer_norm(table_, x, pass.parameter(group_[gain_]),
                            pass.parameter(group_[shift_]), epsilon_);
}

}  // namespace tessera::inline TESSERA_PRECISION
