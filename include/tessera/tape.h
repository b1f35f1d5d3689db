#pragma once

#include <functional>
#include <initializer_list>
#include <map>
#include <string>
#include <vector>

#include "tessera/tensor.h"

namespace tessera::inline TESSERA_PRECISION {

class Tape;

/// A named slice of a ParameterGroup: value and gradient lie in the group's flat buffers.
/// After Tape::backward the gradient is that of this step alone.
struct Parameter {
  std::string name;
  Tensor value;
  Tensor grad;
};

/// Where a value sits on a tape; carries no data, so a backward closure may hold it for free.
struct VarRef {
  Tape* tape = nullptr;
  int id = -1;
};

/// A value an op can consume. Off the tape (a constant) unless it depends on a Parameter.
class Var {
 public:
  Var() = default;
  explicit Var(Tensor value, VarRef ref = {}) : value_(std::move(value)), ref_(ref) {}
  const Tensor& value() const { return value_; }
  int64_t rows() const { return value_.rows(); }
  int64_t cols() const { return value_.cols(); }
  Device device() const { return value_.device(); }
  bool is_null() const { return value_.is_null(); }
  bool is_recorded() const { return ref_.tape != nullptr; }
  VarRef ref() const { return ref_; }

 private:
  Tensor value_;
  VarRef ref_;
};

/// Where an op puts the gradient of one input; false where none is wanted.
struct GradSlot {
  Tensor* tensor = nullptr;
  real beta = 0;  ///< 0 the first time this step: the old contents are undefined; 1 after that
  explicit operator bool() const { return tensor != nullptr; }
  Tensor* operator->() const { return tensor; }
};

/// Hands a backward closure the gradients it must contribute to.
class Gradients {
 public:
  explicit Gradients(Tape& tape) : tape_(tape) {}
  /// For an op that writes every element: grad = beta * grad + contribution.
  GradSlot whole(VarRef ref);
  /// For an op that adds to some elements: zero-filled on first touch, beta is always 1.
  GradSlot part(VarRef ref);
  /// whole(), for an op that reads an element of the gradient `out` that it was given before it writes
  /// the same element: the first contribution takes the place of `out`, which nobody reads again.
  GradSlot over(VarRef ref, const Tensor& out);

 private:
  Tape& tape_;
};

/// Records ops in execution order, then runs their backward closures in reverse. Lives in one step.
class Tape {
 public:
  using Backward = std::function<void(const Tensor& grad_out, Gradients grad)>;

  Tape() = default;
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  /// The parameter as a value of this tape; the same node however often it is asked for.
  Var parameter(Parameter& parameter);

  struct Term {
    Var loss;         ///< [1, 1]
    real weight = 1;  ///< the gradient of `loss` in the total; 0 skips the term
  };
  /// Gradients of sum_i weight_i loss_i, in the Parameters' grad. Parameters that no loss reaches
  /// get zero. Closures and intermediate gradients are dropped as soon as they have been used.
  void backward(std::initializer_list<Term> terms) { backward(std::vector<Term>(terms)); }
  void backward(const std::vector<Term>& terms);

 private:
  friend class Gradients;
  friend Var record(const char*, Tensor, std::initializer_list<VarRef>, Backward);
  struct Node {
    const char* op;
    int64_t rows, cols;
    Device device;
    Tensor grad;
    Backward backward;
    Parameter* leaf;
    bool touched = false;
  };
  void seed(const std::vector<Term>& terms);

  std::vector<Node> nodes_;
  std::map<const Parameter*, int> leaves_;
};

/// Returns `value` as a Var; recorded with `backward` iff some input is on a tape.
Var record(const char* op, Tensor value, std::initializer_list<VarRef> inputs,
           Tape::Backward backward);

/// The same value, seen as a constant.
inline Var stop_gradient(const Var& x) { return Var(x.value()); }

}  // namespace tessera::inline TESSERA_PRECISION
