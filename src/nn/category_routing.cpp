#include <cmath>

#include "tessera/assignment_nn.h"

namespace tessera::inline TESSERA_PRECISION {
namespace {

std::vector<CategoryFamily> all_of(const FamilyTable& table) {
  return {table.groups().begin(), table.groups().end()};
}

/// Element i of the flat weights, uniform by the sizes of one category's layer; 0 between families.
std::function<real(int64_t)> initial_weights(const RoutingTable& table, const std::string& name,
                                             uint64_t seed) {
  const auto layers = table.layers();
  return [all = std::vector(layers.begin(), layers.end()), name, seed](int64_t i) {
    for (const kernels::RoutedCategory& layer : all) {
      const int64_t local = i - layer.weight_begin;
      if (local >= 0 && local < int64_t{layer.family_features} * layer.out)
        return initial_uniform(seed, name, i,
                               std::sqrt(6.0 / double(layer.family_features + layer.out)));
    }
    return real(0);
  };
}

}  // namespace

CategoryRouting::CategoryRouting(ParameterGroup& model, const std::string& name,
                                 ParameterGroup& assignment, const CategoryRoutingOptions& options,
                                 Device device)
    : model_(model),
      assignment_(assignment),
      families_(options.families, device),
      table_(options.families, options.hidden, device),
      hidden_(options.hidden),
      gumbel_(options.gumbel),
      hard_(options.hard) {
  const int64_t categories = table_.outputs() / options.hidden;
  TESSERA_CHECK(
      static_cast<int64_t>(options.initial_logits.size()) == table_.features() * categories,
      "CategoryRouting: ", options.initial_logits.size(), " logits for ", table_.features(),
      " features and ", categories, " categories");
  const std::string weight = name + "/weight";
  weights_ =
      model.declare({weight, 1, table_.weights(), initial_weights(table_, weight, options.seed)});
  bias_ = model.declare({name + "/bias", 1, table_.outputs(), [](int64_t) { return real(0); }});
  logits_ = assignment.declare(
      {"logits", table_.features(), categories,
       [logits = options.initial_logits](int64_t i) { return logits[static_cast<size_t>(i)]; }});
}

Var CategoryRouting::assignment(const Pass& pass) const {
  AssignmentMode mode{.temperature = evaluation_temperature_, .hard = hard_};
  if (pass.training && pass.state != nullptr)
    mode = {.state = pass.state, .gumbel = gumbel_, .hard = hard_};
  return category_assignment(families_, pass.parameter(assignment_[logits_]), mode);
}

Var CategoryRouting::plain_assignment(const Pass& pass) const {
  return category_assignment(families_, pass.parameter(assignment_[logits_]), {.temperature = 1});
}

Var CategoryRouting::forward(const Pass& pass, const Var& x, const Var& assignment) const {
  return soft_routing(table_, x, assignment, pass.parameter(model_[weights_]),
                      pass.parameter(model_[bias_]));
}

void CategoryRouting::read_features(const std::vector<std::vector<int32_t>>& features_of) {
  const Device device = families_.device();
  table_ = features_of.empty() ? RoutingTable(all_of(families_), hidden_, device)
                               : RoutingTable(all_of(families_), hidden_, features_of, device);
}

}  // namespace tessera::inline TESSERA_PRECISION
