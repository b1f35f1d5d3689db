#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tessera/kernels/philox.h"
#include "tessera/ops.h"
#include "tessera/optimizer.h"

namespace tessera::inline TESSERA_PRECISION {

/// How a module is run: recorded or not, training or not.
struct Pass {
  Tape* tape = nullptr;                  ///< null: parameters are constants
  const TrainingState* state = nullptr;  ///< random numbers of the step; needed by dropout
  bool training = false;                 ///< dropout draws, batch statistics are the batch's
  /// Above 0: a pass that only sets running statistics, by this momentum and without dropout.
  real statistics_momentum = 0;

  Var parameter(Parameter& p) const { return tape ? tape->parameter(p) : Var(p.value); }
};

/// A named tensor that is saved with the model and is not a Parameter.
struct NamedTensor {
  std::string name;
  Tensor tensor;
};

/// A function of one Var with parameters in a ParameterGroup.
class Module {
 public:
  virtual ~Module() = default;
  virtual Var forward(const Pass& pass, const Var& x) = 0;
  virtual void add_buffers(std::vector<NamedTensor>&) {}  ///< running statistics, if any
};

/// y = x W^T + b. W is Glorot uniform, U(-a, a) with a = sqrt(6 / (in + out)); b is 0.
/// Source: Glorot and Bengio 2010, eq. (16).
class Linear final : public Module {
 public:
  Linear(ParameterGroup& group, const std::string& name, int64_t in, int64_t out, uint64_t seed);
  Var forward(const Pass& pass, const Var& x) override;

 private:
  ParameterGroup& group_;
  size_t weight_, bias_;
};

/// layer_norm over `width` columns; gain starts at 1, shift at 0.
class LayerNorm final : public Module {
 public:
  LayerNorm(ParameterGroup& group, const std::string& name, int64_t width,
            real epsilon = real(1e-5));
  Var forward(const Pass& pass, const Var& x) override;

 private:
  ParameterGroup& group_;
  size_t gain_, shift_;
  real epsilon_;
};

/// batch_norm over `width` columns; gain starts at 1, shift and running mean at 0, variance at 1.
class BatchNorm final : public Module {
 public:
  BatchNorm(ParameterGroup& group, const std::string& name, int64_t width, Device device,
            real epsilon = real(1e-5), real momentum = real(0.1));
  Var forward(const Pass& pass, const Var& x) override;
  void add_buffers(std::vector<NamedTensor>& buffers) override;

 private:
  ParameterGroup& group_;
  std::string name_;
  size_t gain_, shift_;
  BatchStatistics running_;
  real epsilon_, momentum_;
};

/// dropout in training, nothing in evaluation. `index` tells layers of one model apart.
class Dropout final : public Module {
 public:
  Dropout(real rate, uint32_t index) : rate_(rate), stream_(kernels::kStreamDropout + index) {}
  Var forward(const Pass& pass, const Var& x) override;

 private:
  real rate_;
  uint32_t stream_;
};

/// One of the activations in kernels/unary.h.
class Activation final : public Module {
 public:
  explicit Activation(UnaryOp op) : op_(op) {}
  Var forward(const Pass&, const Var& x) override { return activation(op_, x); }

 private:
  UnaryOp op_;
};

/// relu_dropout_in_place, for the place behind a linear layer; without dropout in evaluation.
class ReluDropout final : public Module {
 public:
  ReluDropout(real rate, uint32_t index)
      : rate_(rate), stream_(kernels::kStreamDropout + index) {}
  Var forward(const Pass& pass, const Var& x) override;

 private:
  real rate_;
  uint32_t stream_;
};

/// Modules one after another.
class Sequential final : public Module {
 public:
  void append(std::unique_ptr<Module> module) { modules_.push_back(std::move(module)); }
  Var forward(const Pass& pass, const Var& x) override;
  void add_buffers(std::vector<NamedTensor>& buffers) override;

 private:
  std::vector<std::unique_ptr<Module>> modules_;
};

/// Linear and activation for each hidden size, then a Linear without one. Layers are named
/// <name>/<i>.
std::unique_ptr<Sequential> make_mlp(ParameterGroup& group, const std::string& name, int64_t in,
                                     const std::vector<int64_t>& hidden, int64_t out, UnaryOp op,
                                     uint64_t seed);

/// The activation called `name`. Throws Error (Config) with the list of names.
UnaryOp activation_named(std::string_view name);

/// Element `i` of a tensor of uniform numbers in [-bound, bound), the same on every machine.
real initial_uniform(uint64_t seed, std::string_view name, int64_t i, double bound);
/// Element `i` of a tensor of standard normal numbers (Box and Muller 1958).
real initial_normal(uint64_t seed, std::string_view name, int64_t i);

}  // namespace tessera::inline TESSERA_PRECISION
