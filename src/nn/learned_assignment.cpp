#include "tessera/learned_assignment.h"

#include <cmath>

#include "tessera/category_assignment.h"

namespace tessera::inline TESSERA_PRECISION {
namespace {

/// Element i of the flat first-layer weights: uniform by the sizes of its family, as GroupedLinear.
std::function<real(int64_t)> initial_weights(const std::vector<CategoryFamily>& families,
                                             int64_t hidden, const std::string& name,
                                             uint64_t seed) {
  struct Range {
    int64_t end;
    double bound;
  };
  std::vector<Range> ranges;
  int64_t end = 0;
  for (const CategoryFamily& family : families) {
    end = (end + 3) / 4 * 4 + int64_t{family.features} * family.categories * hidden;
    ranges.push_back({end, std::sqrt(6.0 / double(family.features + hidden))});
  }
  return [ranges, name, seed](int64_t i) {
    for (const Range& range : ranges)
      if (i < range.end) return initial_uniform(seed, name, i, range.bound);
    return real(0);
  };
}

}  // namespace

LearnedAssignment::LearnedAssignment(const AssignmentOptions& options, int64_t hidden,
                                     int64_t levels, ParameterGroup& model,
                                     ParameterGroup& assignment, uint64_t seed, Device device)
    : options_(options),
      model_(model),
      assignment_(assignment),
      device_(device),
      hidden_(hidden),
      families_(options.families, device),
      routing_(options.families, hidden, device),
      parts_(options.families, levels, device),
      levels_(levels) {
  for (const CategoryFamily& family : options.families) {
    features_ += family.features;
    categories_ += family.categories;
  }
  logits_ = assignment.declare({"logits", features_, categories_, [](int64_t) { return real(0); }});
  const std::string name = "encoder/hidden/weight";
  weights_ = model.declare(
      {name, 1, routing_.weights(), initial_weights(options.families, hidden, name, seed)});
  bias_ = model.declare(
      {"encoder/hidden/bias", 1, routing_.outputs(), [](int64_t) { return real(0); }});
}

Var LearnedAssignment::assign(const Pass& pass) {
  const Var logits = pass.parameter(assignment_[logits_]);
  if (frozen_) return category_assignment(families_, logits, {.temperature = 1, .hard = true});
  if (pass.training && pass.state != nullptr)
    return category_assignment(
        families_, logits, {.state = pass.state, .gumbel = options_.gumbel, .hard = options_.hard});
  return category_assignment(families_, logits, {.temperature = temperature_, .hard = hard_});
}

Var LearnedAssignment::clean(const Pass& pass) {
  return category_assignment(families_, pass.parameter(assignment_[logits_]), {.temperature = 1});
}

Var LearnedAssignment::route(const Pass& pass, const Var& x, const Var& assignment) {
  return soft_routing(routing_, x, assignment, pass.parameter(model_[weights_]),
                      pass.parameter(model_[bias_]));
}

std::vector<real> LearnedAssignment::logits() { return assignment_[logits_].value.to_host(); }

void LearnedAssignment::write_logits(std::span<const real> values) {
  assignment_[logits_].value.write({values.begin(), values.end()});
}

double LearnedAssignment::rows_with_gradient(double least) {
  const std::vector<real> gradient = assignment_[logits_].grad.to_host();
  int64_t rows = 0;
  for (int64_t i = 0; i < features_; ++i) {
    bool above = false;
    for (int64_t k = 0; k < categories_; ++k)
      above |= std::abs(double(gradient[static_cast<size_t>(i * categories_ + k)])) > least;
    rows += above ? 1 : 0;
  }
  return double(rows) / double(features_);
}

std::vector<int32_t> LearnedAssignment::hard() {
  return hard_assignment(options_.families, logits());
}

/// What each category reads; frozen, its own features whatever their share.
std::vector<std::vector<int32_t>> LearnedAssignment::features_above(double threshold) const {
  if (!frozen_)
    return active_features(options_.families,
                           soft_assignment(options_.families, epoch_logits_, 1), threshold);
  std::vector<real> shares(static_cast<size_t>(features_ * categories_));
  const std::vector<int32_t> own = hard_assignment(options_.families, epoch_logits_);
  for (size_t i = 0; i < own.size(); ++i)
    shares[i * static_cast<size_t>(categories_) + static_cast<size_t>(own[i])] = 1;
  return active_features(options_.families, shares, 0.5);
}

double LearnedAssignment::work_left(double threshold) const {
  const auto active = features_above(threshold);
  double left = 0, all = 0;
  for (const std::vector<int32_t>& features : active) left += double(features.size());
  for (const CategoryFamily& family : options_.families)
    all += double(family.features) * double(family.categories);
  return left / all;
}

void LearnedAssignment::skip_below(double threshold) {
  if (threshold <= 0) {
    routing_ = RoutingTable(options_.families, hidden_, device_);
    parts_ = PartialTable(options_.families, levels_, device_);
    if (outputs_) outputs_->keep_all();
    return;
  }
  const auto active = features_above(threshold);
  routing_ = RoutingTable(options_.families, hidden_, active, device_);
  if (!outputs_) return;
  parts_ = PartialTable(active, levels_, device_);
  std::vector<std::vector<int32_t>> outputs_of;
  for (const CategoryFamily& family : options_.families)
    for (int32_t k = family.category_begin; k < family.category_begin + family.categories; ++k) {
      std::vector<int32_t> outputs = active[static_cast<size_t>(k)];
      for (int32_t& output : outputs) output -= family.feature_begin;
      outputs_of.insert(outputs_of.end(), static_cast<size_t>(levels_), outputs);
    }
  outputs_->keep_outputs(outputs_of);
}

bool LearnedAssignment::freeze(bool frozen) {
  const bool is_new = frozen != frozen_;
  frozen_ = frozen;
  return is_new;
}

void LearnedAssignment::set_modularity(const std::vector<real>& matrix, double entropy_steps) {
  modularity_ = Tensor::from_host(features_, features_, matrix, device_);
  entropy_steps_ = entropy_steps;
}

}  // namespace tessera::inline TESSERA_PRECISION
