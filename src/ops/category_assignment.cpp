#include "tessera/kernels/category_assignment.h"

#include "core/context.h"
#include "tessera/assignment_ops.h"
#include "tessera/kernels/gather_columns.h"
#include "tessera/training_state.h"

namespace tessera::inline TESSERA_PRECISION {
namespace {

using kernels::LinearGroup;
using kernels::RoutedCategory;

int32_t narrow(int64_t size) { return static_cast<int32_t>(size); }

int64_t feature_count(std::span<const CategoryFamily> families) {
  return families.back().feature_begin + families.back().features;
}
int64_t category_count(std::span<const CategoryFamily> families) {
  return families.back().category_begin + families.back().categories;
}

/// The flat weights: a matrix of all categories for each family.
std::vector<LinearGroup> family_weights(std::span<const CategoryFamily> families, int64_t hidden) {
  std::vector<LinearGroup> groups;
  for (const CategoryFamily& family : families)
    groups.push_back({.in = family.features, .out = narrow(family.categories * hidden)});
  LinearGroup::pack(groups);
  return groups;
}

/// The first layers, weights in place; nothing said yet of what they read and where W' lies.
std::vector<RoutedCategory> first_layers(std::span<const CategoryFamily> families, int64_t hidden) {
  const std::vector<LinearGroup> weights = family_weights(families, hidden);
  std::vector<RoutedCategory> layers;
  for (size_t f = 0; f < families.size(); ++f)
    for (int32_t k = 0; k < families[f].categories; ++k)
      layers.push_back(
          {.in = families[f].features,
           .out = narrow(hidden),
           .family_features = families[f].features,
           .feature_begin = families[f].feature_begin,
           .category = families[f].category_begin + k,
           .weight_begin = weights[f].weight_begin + k * hidden * families[f].features});
  return layers;
}

/// All features: W' lies as W does.
std::vector<RoutedCategory> reading_all(std::vector<RoutedCategory> layers) {
  for (RoutedCategory& layer : layers) layer.folded_begin = layer.weight_begin;
  return layers;
}

/// Some features; W' packed as one linear group for each category.
std::vector<LinearGroup> listed_groups(int64_t hidden,
                                       const std::vector<std::vector<int32_t>>& features_of) {
  std::vector<LinearGroup> groups;
  for (const std::vector<int32_t>& features : features_of)
    groups.push_back({.in = narrow(static_cast<int64_t>(features.size())), .out = narrow(hidden)});
  LinearGroup::pack(groups);
  return groups;
}
std::vector<RoutedCategory> reading_some(std::vector<RoutedCategory> layers, int64_t hidden,
                                         const std::vector<std::vector<int32_t>>& features_of) {
  TESSERA_CHECK(features_of.size() == layers.size(), "RoutingTable: lists of ", features_of.size(),
                " categories for ", layers.size());
  const std::vector<LinearGroup> groups = listed_groups(hidden, features_of);
  for (size_t k = 0; k < layers.size(); ++k) {
    RoutedCategory& layer = layers[k];
    for (const int32_t i : features_of[k])
      TESSERA_CHECK(i >= layer.feature_begin && i < layer.feature_begin + layer.family_features,
                    "RoutingTable: category ", k, " lists feature ", i, "; its family has ",
                    layer.feature_begin, " to ", layer.feature_begin + layer.family_features - 1);
    layer.in = groups[k].in;
    layer.list_begin = groups[k].in_begin;
    layer.folded_begin = groups[k].weight_begin;
  }
  return layers;
}

std::vector<int32_t> joined(const std::vector<std::vector<int32_t>>& lists) {
  std::vector<int32_t> all;
  for (const std::vector<int32_t>& list : lists) all.insert(all.end(), list.begin(), list.end());
  return all;
}

int64_t weights_end(std::vector<LinearGroup> groups) { return LinearGroup::pack(groups).weights; }

}  // namespace

Var category_assignment(const FamilyTable& families, const Var& logits,
                        const AssignmentMode& mode) {
  TESSERA_CHECK(logits.rows() == feature_count(families.groups()) &&
                    logits.cols() == category_count(families.groups()),
                "category_assignment: logits [", logits.rows(), ", ", logits.cols(), "] for ",
                feature_count(families.groups()), " features and ",
                category_count(families.groups()), " categories");
  TESSERA_CHECK(mode.state != nullptr || (mode.temperature > 0 && !mode.gumbel),
                "category_assignment: noise or a scheduled temperature without a state");
  const Device device = logits.device();
  const StepState* state = mode.state != nullptr ? mode.state->get() : nullptr;
  Tensor soft = Tensor::empty(logits.rows(), logits.cols(), device);
  Tensor hard = mode.hard ? Tensor::empty(logits.rows(), logits.cols(), device) : Tensor();
  on_device(device, [&](auto& context) {
    kernels::category_assignment(context,
                                 {.families = families.view(),
                                  .logits = logits.value().view(),
                                  .state = state,
                                  .soft = soft.mutable_view(),
                                  .hard = mode.hard ? hard.mutable_view() : MatrixView<real>{},
                                  .temperature = mode.temperature,
                                  .noise = mode.gumbel});
  });
  return record("category_assignment", mode.hard ? hard : soft, {logits.ref()},
                [families, soft, state, temperature = mode.temperature, ref = logits.ref()](
                    const Tensor& da, Gradients grad) {
                  const GradSlot dp = grad.whole(ref);
                  on_device(da.device(), [&](auto& context) {
                    kernels::category_assignment_grad(context,
                                                      {.families = families.view(),
                                                       .soft = soft.view(),
                                                       .dassignment = da.view(),
                                                       .state = state,
                                                       .dlogits = dp.tensor->mutable_view(),
                                                       .temperature = temperature,
                                                       .beta = dp.beta});
                  });
                });
}

ColumnList::ColumnList(const std::vector<int32_t>& taken, int64_t inputs, Device device) {
  std::vector<int32_t> begin(static_cast<size_t>(inputs) + 1), copies(taken.size());
  for (const int32_t column : taken) {
    TESSERA_CHECK(column >= 0 && column < inputs, "ColumnList: column ", column, " of ", inputs);
    ++begin[static_cast<size_t>(column) + 1];
  }
  for (size_t i = 1; i < begin.size(); ++i) begin[i] += begin[i - 1];
  std::vector<int32_t> next = begin;
  for (size_t t = 0; t < taken.size(); ++t)
    copies[static_cast<size_t>(next[static_cast<size_t>(taken[t])]++)] = static_cast<int32_t>(t);
  columns = Buffer<int32_t>::from_host(taken, device);
  first = Buffer<int32_t>::from_host(begin, device);
  places = Buffer<int32_t>::from_host(copies, device);
}

Var gather_columns(const ColumnList& list, const Var& x) {
  TESSERA_CHECK(x.cols() + 1 == list.first.size(), "gather_columns: x has ", x.cols(),
                " columns, the list was made for ", list.first.size() - 1);
  Tensor y = Tensor::empty(x.rows(), list.columns.size(), x.device());
  on_device(x.device(), [&](auto& context) {
    kernels::gather_columns(
        context, {.x = x.value().view(), .columns = list.columns.view(), .y = y.mutable_view()});
  });
  return record(
      "gather_columns", y, {x.ref()},
      [first = list.first, places = list.places, ref = x.ref()](const Tensor& dy, Gradients grad) {
        const GradSlot dx = grad.whole(ref);
        on_device(dy.device(), [&](auto& context) {
          kernels::gather_columns_grad(context, {.dy = dy.view(),
                                                 .first = first.view(),
                                                 .places = places.view(),
                                                 .dx = dx.tensor->mutable_view(),
                                                 .beta = dx.beta});
        });
      });
}

RoutingTable::RoutingTable(const std::vector<CategoryFamily>& families, int64_t hidden,
                           Device device)
    : features_(feature_count(families)),
      hidden_(hidden),
      weights_(weights_end(family_weights(families, hidden))),
      folded_(weights_),
      categories_(reading_all(first_layers(families, hidden)), device),
      linear_(family_weights(families, hidden), device) {}

RoutingTable::RoutingTable(const std::vector<CategoryFamily>& families, int64_t hidden,
                           const std::vector<std::vector<int32_t>>& features_of, Device device)
    : features_(feature_count(families)),
      hidden_(hidden),
      weights_(weights_end(family_weights(families, hidden))),
      folded_(weights_end(listed_groups(hidden, features_of))),
      categories_(reading_some(first_layers(families, hidden), hidden, features_of), device),
      linear_(listed_groups(hidden, features_of), device),
      listed_(std::make_shared<const ColumnList>(joined(features_of), features_, device)) {}

/// W' as one matrix where a single family reads everything, else flat.
Var fold_assignment(const RoutingTable& table, const Var& assignment, const Var& weights) {
  const bool dense = table.linear_.size() == 1 && !table.is_listed();
  int64_t used = 0;
  for (const RoutedCategory& layer : table.categories_.groups())
    used += int64_t{layer.in} * layer.out;
  Tensor folded = dense ? Tensor::empty(table.outputs(), table.features_, weights.device())
                        : Tensor::empty(1, table.folded_, weights.device());
  const auto listed = table.listed_;
  const auto features = [listed] {
    return listed ? listed->columns.view() : VectorView<const int32_t>{};
  };
  on_device(weights.device(), [&](auto& context) {
    kernels::routing_fold(context, {.categories = table.categories_.view(),
                                    .assignment = assignment.value().view(),
                                    .weights = weights.value().flat(),
                                    .features = features(),
                                    .folded = folded.mutable_flat()});
  });
  const bool all_weights = used == table.weights_, all_shares = dense;
  return record("routing_fold", folded, {assignment.ref(), weights.ref()},
                [categories = table.categories_, features, assignment, weights, all_weights,
                 all_shares](const Tensor& dfolded, Gradients grad) {
                  const auto slot = [&](const Var& of, bool all) {
                    return all ? grad.whole(of.ref()) : grad.part(of.ref());
                  };
                  const GradSlot dw = slot(weights, all_weights), da = slot(assignment, all_shares);
                  if (!dw && !da) return;
                  on_device(dfolded.device(), [&](auto& context) {
                    kernels::routing_fold_grad(
                        context,
                        {.categories = categories.view(),
                         .assignment = assignment.value().view(),
                         .weights = weights.value().flat(),
                         .dfolded = dfolded.flat(),
                         .features = features(),
                         .dweights = dw ? dw.tensor->mutable_flat() : VectorView<real>{},
                         .dassignment = da ? da.tensor->mutable_view() : MatrixView<real>{},
                         .beta_w = dw.beta,
                         .beta_a = da.beta});
                  });
                });
}

Var soft_routing(const RoutingTable& table, const Var& x, const Var& assignment, const Var& weights,
                 const Var& bias) {
  TESSERA_CHECK(x.cols() == table.features() && assignment.rows() == table.features() &&
                    assignment.cols() == table.categories_.size(),
                "soft_routing: x has ", x.cols(), " features, the assignment [", assignment.rows(),
                ", ", assignment.cols(), "], the table ", table.features(), " features and ",
                table.categories_.size(), " categories");
  TESSERA_CHECK(weights.value().size() == table.weights(), "soft_routing: ", weights.value().size(),
                " weights, the table has ", table.weights());
  const Var folded = fold_assignment(table, assignment, weights);
  if (table.is_listed())
    return grouped_linear(table.linear_, gather_columns(*table.listed_, x), folded, bias);
  return table.linear_.size() == 1 ? linear(x, folded, bias)
                                   : grouped_linear(table.linear_, x, folded, bias);
}

}  // namespace tessera::inline TESSERA_PRECISION
