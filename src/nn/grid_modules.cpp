#include <cmath>

#include "tessera/grid_nn.h"

namespace tessera::inline TESSERA_PRECISION {
namespace {

// Overwrites x. A batch norm's gradient needs its input, a max pooling's where its maxima lay: neither
// needs what it gave.
Var relu_in_place(const Var& x) { return relu_dropout_in_place(x, nullptr, 0, 0); }

}  // namespace

Window centred_window(GridAxes axes, int32_t size, int32_t stride) {
  const int32_t pad = (size - 1) / 2;
  if (axes == GridAxes::Series) return {.width = size, .stride_x = stride, .pad_x = pad};
  return {.height = size,
          .width = size,
          .stride_y = stride,
          .stride_x = stride,
          .pad_y = pad,
          .pad_x = pad};
}

Conv::Conv(ParameterGroup& group, const std::string& name, int64_t channels, int64_t out,
           const Window& window, uint64_t seed)
    : group_(group), window_(window) {
  const int64_t fan_in = int64_t{window.height} * window.width * channels;
  const double bound = 1 / std::sqrt(static_cast<double>(fan_in));
  const std::string weight = name + "/weight";
  weight_ = group.declare({weight, out, fan_in, [seed, weight, bound](int64_t i) {
                             return initial_uniform(seed, weight, i, bound);
                           }});
}

GridVar Conv::forward(const Pass& pass, const GridVar& x) const {
  return conv(x, pass.parameter(group_[weight_]), window_);
}

ConvNorm::ConvNorm(ParameterGroup& group, const std::string& name, int64_t channels, int64_t out,
                   const Window& window, Device device, uint64_t seed)
    : conv_(group, name + "/conv", channels, out, window, seed),
      norm_(group, name + "/norm", out, device) {}

GridVar ConvNorm::forward(const Pass& pass, const GridVar& x) {
  const GridVar y = conv_.forward(pass, x);
  return {norm_.forward(pass, y.values), y.layout};
}

GridVar ConvNorm::forward_relu(const Pass& pass, const GridVar& x) {
  const GridVar y = forward(pass, x);
  return {relu_in_place(y.values), y.layout};
}

ResidualBlock::ResidualBlock(ParameterGroup& group, const std::string& name, GridAxes axes,
                             int64_t channels, int64_t out, int32_t stride, Device device,
                             uint64_t seed)
    : first_(group, name + "/first", channels, out, centred_window(axes, 3, stride), device, seed),
      second_(group, name + "/second", out, out, centred_window(axes, 3, 1), device, seed) {
  if (stride != 1 || channels != out)
    skip_ = std::make_unique<ConvNorm>(group, name + "/skip", channels, out,
                                       centred_window(axes, 1, stride), device, seed);
}

GridVar ResidualBlock::forward(const Pass& pass, const GridVar& x) {
  const GridVar main = second_.forward(pass, first_.forward_relu(pass, x));
  const Var skip = skip_ ? skip_->forward(pass, x).values : x.values;
  return {add_relu_in_place(main.values, skip), main.layout};
}

void ResidualBlock::add_buffers(std::vector<NamedTensor>& buffers) {
  first_.add_buffers(buffers);
  second_.add_buffers(buffers);
  if (skip_) skip_->add_buffers(buffers);
}

ResNet3::ResNet3(ParameterGroup& group, const std::string& name, GridAxes axes, int64_t channels,
                 Device device, uint64_t seed, const Widths& widths)
    : pool_(centred_window(axes, 3, 2)),
      stem_(group, name + "/stem", channels, widths[0], centred_window(axes, 7, 2), device, seed) {
  for (size_t i = 1; i < widths.size(); ++i)
    blocks_.emplace_back(group, name + "/block" + std::to_string(i), axes, widths[i - 1], widths[i],
                         2, device, seed);
}

Var ResNet3::forward(const Pass& pass, const GridVar& x) {
  // ReLU after the pooling gives the same values and gradients as before it, on a part of the elements.
  GridVar y = max_pool(stem_.forward(pass, x), pool_);
  y.values = relu_in_place(y.values);
  for (ResidualBlock& block : blocks_) y = block.forward(pass, y);
  return grid_mean(y);
}

void ResNet3::add_buffers(std::vector<NamedTensor>& buffers) {
  stem_.add_buffers(buffers);
  for (ResidualBlock& block : blocks_) block.add_buffers(buffers);
}

std::unique_ptr<Sequential> make_head(ParameterGroup& group, const std::string& name, int64_t in,
                                      int64_t out, bool normalized, Device device, uint64_t seed) {
  auto head = std::make_unique<Sequential>();
  head->append(std::make_unique<Linear>(group, name + "/linear", in, out, seed));
  if (normalized) head->append(std::make_unique<BatchNorm>(group, name + "/norm", out, device));
  return head;
}

}  // namespace tessera::inline TESSERA_PRECISION
