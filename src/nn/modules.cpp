#include <cmath>

#include "tessera/nn.h"

namespace tessera::inline TESSERA_PRECISION {

Linear::Linear(ParameterGroup& group, const std::string& name, int64_t in, int64_t out,
               uint64_t seed)
    : group_(group) {
  const double bound = std::sqrt(6.0 / static_cast<double>(in + out));
  const std::string weight = name + "/weight";
  weight_ = group.declare({weight, out, in, [seed, weight, bound](int64_t i) {
                             return initial_uniform(seed, weight, i, bound);
                           }});
  bias_ = group.declare({name + "/bias", 1, out, [](int64_t) { return real(0); }});
}

Var Linear::forward(const Pass& pass, const Var& x) {
  return linear(x, pass.parameter(group_[weight_]), pass.parameter(group_[bias_]));
}

namespace {
struct GainShift {
  size_t gain, shift;
};
GainShift declare_gain_shift(ParameterGroup& group, const std::string& name, int64_t width) {
  const size_t gain = group.declare({name + "/weight", 1, width, [](int64_t) { return real(1); }});
  const size_t shift = group.declare({name + "/bias", 1, width, [](int64_t) { return real(0); }});
  return {gain, shift};
}
}  // namespace

LayerNorm::LayerNorm(ParameterGroup& group, const std::string& name, int64_t width, real epsilon)
    : group_(group), epsilon_(epsilon) {
  const GainShift made = declare_gain_shift(group, name, width);
  gain_ = made.gain;
  shift_ = made.shift;
}

Var LayerNorm::forward(const Pass& pass, const Var& x) {
  return layer_norm(x, pass.parameter(group_[gain_]), pass.parameter(group_[shift_]), epsilon_);
}

BatchNorm::BatchNorm(ParameterGroup& group, const std::string& name, int64_t width, Device device,
                     real epsilon, real momentum)
    : group_(group), name_(name), epsilon_(epsilon), momentum_(momentum) {
  const GainShift made = declare_gain_shift(group, name, width);
  gain_ = made.gain;
  shift_ = made.shift;
  const std::vector<real> ones(static_cast<size_t>(width), real(1));
  running_ = {Tensor::zeros(1, width, device, Lifetime::Persistent),
              Tensor::from_host(1, width, ones, device)};
}

Var BatchNorm::forward(const Pass& pass, const Var& x) {
  return batch_norm(x, pass.parameter(group_[gain_]), pass.parameter(group_[shift_]), running_,
                    epsilon_, pass.statistics_momentum > 0 ? pass.statistics_momentum : momentum_, pass.training);
}

void BatchNorm::add_buffers(std::vector<NamedTensor>& buffers) {
  buffers.push_back({name_ + "/running_mean", running_.mean});
  buffers.push_back({name_ + "/running_variance", running_.variance});
}

Var Dropout::forward(const Pass& pass, const Var& x) {
  if (!pass.training || pass.statistics_momentum > 0 || rate_ == 0) return x;
  TESSERA_CHECK(pass.state != nullptr, "Dropout: training needs the step's state");
  return dropout(x, *pass.state, stream_, rate_);
}

Var ReluDropout::forward(const Pass& pass, const Var& x) {
  const bool drops = pass.training && pass.statistics_momentum == 0;
  TESSERA_CHECK(!drops || rate_ == 0 || pass.state != nullptr,
                "ReluDropout: training needs the step's state");
  return relu_dropout_in_place(x, drops ? pass.state : nullptr, stream_, rate_);
}

Var Sequential::forward(const Pass& pass, const Var& x) {
  Var y = x;
  for (const auto& module : modules_) y = module->forward(pass, y);
  return y;
}

void Sequential::add_buffers(std::vector<NamedTensor>& buffers) {
  for (const auto& module : modules_) module->add_buffers(buffers);
}

std::unique_ptr<Sequential> make_mlp(ParameterGroup& group, const std::string& name, int64_t in,
                                     const std::vector<int64_t>& hidden, int64_t out, UnaryOp op,
                                     uint64_t seed) {
  auto mlp = std::make_unique<Sequential>();
  int64_t width = in;
  int layer = 0;
  const auto next = [&] { return name + "/" + std::to_string(layer++); };
  for (const int64_t size : hidden) {
    mlp->append(std::make_unique<Linear>(group, next(), width, size, seed));
    mlp->append(std::make_unique<Activation>(op));
    width = size;
  }
  mlp->append(std::make_unique<Linear>(group, next(), width, out, seed));
  return mlp;
}

UnaryOp activation_named(std::string_view name) {
  std::string known;
  for (const UnaryOp op : kernels::kUnaryOps) {
    if (kernels::name_of(op) == name) return op;
    known += (known.empty() ? "" : ", ") + std::string(kernels::name_of(op));
  }
  fail(ErrorKind::Config, "activation ", name, " is not known; use one of ", known);
}

namespace {
/// A number for `name`, so that a tensor's values do not depend on the order of declaration.
/// Source: FNV-1a, 32 bits.
uint64_t number_of(std::string_view name) {
  uint32_t hash = 2166136261u;
  for (const char c : name) hash = (hash ^ static_cast<uint8_t>(c)) * 16777619u;
  return hash;
}
}  // namespace

real initial_uniform(uint64_t seed, std::string_view name, int64_t i, double bound) {
  const float u = kernels::random_uniform(seed, kernels::kStreamInit, number_of(name),
                                          static_cast<uint64_t>(i));
  return real(bound * (2.0 * double(u) - 1.0));
}

real initial_normal(uint64_t seed, std::string_view name, int64_t i) {
  const auto draw = [&](int64_t element) {
    return double(kernels::random_uniform(seed, kernels::kStreamInit, number_of(name),
                                          static_cast<uint64_t>(element)));
  };
  const double radius = std::sqrt(-2 * std::log(1 - draw(2 * i)));
  return real(radius * std::cos(6.283185307179586 * draw(2 * i + 1)));
}

}  // namespace tessera::inline TESSERA_PRECISION
