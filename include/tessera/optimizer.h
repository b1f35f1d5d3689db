#pragma once

#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "tessera/tape.h"
#include "tessera/training_state.h"

namespace tessera::inline TESSERA_PRECISION {

/// Parameters in four flat persistent buffers: values, gradients and Adam's two moments. Modules
/// declare theirs, then allocate() makes the buffers; a Parameter is a named slice of them.
class ParameterGroup {
 public:
  struct Spec {
    std::string name;
    int64_t rows, cols;
    std::function<real(int64_t)> initial;  ///< of the element's index; evaluated on the host, once
  };
  ParameterGroup(std::string name, ParameterGroupIndex index)
      : name_(std::move(name)), index_(index) {}
  ParameterGroup(const ParameterGroup&) = delete;
  ParameterGroup& operator=(const ParameterGroup&) = delete;

  /// Adds a parameter and returns its number. Before allocate() only; names are unique.
  size_t declare(Spec spec);
  void allocate(Device device);

  const std::string& name() const { return name_; }
  bool empty() const { return parameters_.empty(); }
  int64_t size() const { return empty() ? 0 : values_.size(); }  ///< padding included
  int64_t parameter_count() const;                               ///< padding not included
  Parameter& operator[](size_t i) { return parameters_.at(i); }
  std::deque<Parameter>& parameters() { return parameters_; }
  Buffer<real>& first_moment() { return first_moment_; }
  Buffer<real>& second_moment() { return second_moment_; }
  /// Where parameter i begins in the group's buffers.
  int64_t begin(size_t i) const { return begins_.at(i); }
  /// The moments of parameter i, flat.
  VectorView<real> first_moment_of(size_t i);
  VectorView<real> second_moment_of(size_t i);

  /// One Adam step (kernels/adam.h), clipped by the group's global norm where `clips`. Rate and clip
  /// norm are this group's entries of the state. Nothing for an empty group.
  void adam_step(const TrainingState& state, bool clips, real epsilon = real(1e-8));

 private:
  std::string name_;
  ParameterGroupIndex index_;
  std::vector<Spec> specs_;
  std::vector<int64_t> begins_;
  Buffer<real> values_, grads_, first_moment_, second_moment_;
  Buffer<double> square_sum_;
  std::deque<Parameter> parameters_;  // addresses stay: tapes point here
};

}  // namespace tessera::inline TESSERA_PRECISION
