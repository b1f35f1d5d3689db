#include <cmath>

#include "tessera/grouped_nn.h"

namespace tessera::inline TESSERA_PRECISION {
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

Var GroupedLinear::forward(const Pass& pass, const Var& x) {
  return grouped_linear(table_, x, pass.parameter(group_[weights_]), pass.parameter(group_[bias_]));
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
