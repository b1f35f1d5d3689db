#include "tessera/tape.h"

#include <algorithm>

#include "core/context.h"
#include "tessera/kernels/elementwise.h"

namespace tessera::inline TESSERA_PRECISION {

Var Tape::parameter(Parameter& p) {
  auto [at, is_new] = leaves_.try_emplace(&p, static_cast<int>(nodes_.size()));
  if (is_new)
    nodes_.push_back(
        {p.name.c_str(), p.value.rows(), p.value.cols(), p.value.device(), {}, nullptr, &p});
  return Var(p.value, {this, at->second});
}

Var record(const char* op, Tensor value, std::initializer_list<VarRef> inputs,
           Tape::Backward backward) {
  Tape* tape = nullptr;
  for (const VarRef& input : inputs) {
    if (input.tape == nullptr) continue;
    TESSERA_CHECK(tape == nullptr || tape == input.tape, op,
                  ": inputs come from two tapes; use one Tape per step");
    tape = input.tape;
  }
  if (tape == nullptr) return Var(std::move(value));
  tape->nodes_.push_back(
      {op, value.rows(), value.cols(), value.device(), {}, std::move(backward), nullptr});
  return Var(std::move(value), {tape, static_cast<int>(tape->nodes_.size()) - 1});
}

GradSlot Gradients::whole(VarRef ref) {
  if (ref.tape == nullptr) return {};
  Tape::Node& node = tape_.nodes_[ref.id];
  const real beta = node.touched ? 1 : 0;
  node.touched = true;
  if (node.leaf) return {&node.leaf->grad, beta};
  if (node.grad.is_null()) node.grad = Tensor::empty(node.rows, node.cols, node.device);
  return {&node.grad, beta};
}

GradSlot Gradients::over(VarRef ref, const Tensor& out) {
  if (ref.tape == nullptr) return {};
  Tape::Node& node = tape_.nodes_[ref.id];
  if (!node.touched && node.leaf == nullptr) node.grad = out;
  return whole(ref);
}

GradSlot Gradients::part(VarRef ref) {
  GradSlot slot = whole(ref);
  if (slot && slot.beta == 0) {
    on_device(slot->device(), [&](auto& context) {
      kernels::fill(context, {.y = slot->mutable_flat(), .value = 0});
    });
    slot.beta = 1;
  }
  return slot;
}

/// Writes each loss's weight as its gradient; a kernel does, since a step takes nothing from the
/// host.
void Tape::seed(const std::vector<Term>& terms) {
  for (const auto& [loss, weight] : terms) {
    if (!loss.is_recorded() || weight == 0) continue;
    TESSERA_CHECK(loss.ref().tape == this, "backward: a loss is on another tape");
    TESSERA_CHECK(loss.value().size() == 1, "backward: the loss has shape [", loss.rows(), ", ",
                  loss.cols(), "]; reduce it to a scalar first");
    Node& node = nodes_[loss.ref().id];
    TESSERA_CHECK(!node.touched, "backward: the loss ", node.op, " was given twice");
    if (!node.leaf) node.grad = Tensor::empty(1, 1, loss.device());
    Tensor& grad = node.leaf ? node.leaf->grad : node.grad;
    node.touched = true;
    on_device(loss.device(), [&, value = weight](auto& context) {
      kernels::fill(context, {.y = grad.mutable_flat(), .value = value});
    });
  }
}

void Tape::backward(const std::vector<Term>& terms) {
  seed(terms);
  TESSERA_CHECK(std::any_of(nodes_.begin(), nodes_.end(), [](auto& node) { return node.touched; }),
                "backward: no loss is on this tape; no Parameter reaches one");
  for (auto node = nodes_.rbegin(); node != nodes_.rend(); ++node) {  // recording order is a
    if (node->backward && node->touched)                              // topological order
      node->backward(node->grad, Gradients(*this));
    node->grad = {};
    node->backward = nullptr;
  }
  for (Node& node : nodes_)
    if (node.leaf && !node.touched)
      on_device(node.device, [&](auto& context) {
        kernels::fill(context, {.y = node.leaf->grad.mutable_flat(), .value = 0});
      });
}

}  // namespace tessera::inline TESSERA_PRECISION
