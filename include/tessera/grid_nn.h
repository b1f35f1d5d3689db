#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "tessera/grid_ops.h"
#include "tessera/nn.h"

namespace tessera::inline TESSERA_PRECISION {

/// Axes that a window slides along: 2 on grids, 1 on series.
enum class GridAxes { Series = 1, Grid = 2 };

/// A window of odd `size` along each axis, centred: padding (size - 1) / 2.
Window centred_window(GridAxes axes, int32_t size, int32_t stride);

/// conv() with weights U(-a, a), a = 1 / sqrt(fan in): Kaiming-uniform with gain sqrt(1 / 3), the default
/// of the system that the encoders come from. Without a bias: a batch norm follows.
/// Source: He et al. 2015, section 2.2.
class Conv {
 public:
  Conv(ParameterGroup& group, const std::string& name, int64_t channels, int64_t out,
       const Window& window, uint64_t seed);
  GridVar forward(const Pass& pass, const GridVar& x) const;

 private:
  ParameterGroup& group_;
  Window window_;
  size_t weight_;
};

/// Conv and BatchNorm over all positions of all samples; with ReLU where asked for.
class ConvNorm {
 public:
  ConvNorm(ParameterGroup& group, const std::string& name, int64_t channels, int64_t out,
           const Window& window, Device device, uint64_t seed);
  GridVar forward(const Pass& pass, const GridVar& x);
  GridVar forward_relu(const Pass& pass, const GridVar& x);
  void add_buffers(std::vector<NamedTensor>& buffers) { norm_.add_buffers(buffers); }

 private:
  Conv conv_;
  BatchNorm norm_;
};

/// relu(main(x) + skip(x)): main is two ConvNorms of size 3, the first with ReLU and the stride; skip is a
/// ConvNorm of size 1, or x itself where stride and width leave it as it is.
/// Source: He et al. 2016, "Deep residual learning", section 3.
class ResidualBlock {
 public:
  ResidualBlock(ParameterGroup& group, const std::string& name, GridAxes axes, int64_t channels,
                int64_t out, int32_t stride, Device device, uint64_t seed);
  GridVar forward(const Pass& pass, const GridVar& x);
  void add_buffers(std::vector<NamedTensor>& buffers);

 private:
  ConvNorm first_, second_;
  std::unique_ptr<ConvNorm> skip_;
};

/// Three residual blocks of stride 2 behind a convolution of size 7 and a max pooling of size 3, both of
/// stride 2; then the mean over the positions left of each sample.
class ResNet3 {
 public:
  /// Channels behind the first convolution and behind each block.
  using Widths = std::array<int64_t, 4>;
  static constexpr Widths kWidths = {32, 64, 128, 256};

  ResNet3(ParameterGroup& group, const std::string& name, GridAxes axes, int64_t channels,
          Device device, uint64_t seed, const Widths& widths = kWidths);
  /// [samples, the last width].
  Var forward(const Pass& pass, const GridVar& x);
  void add_buffers(std::vector<NamedTensor>& buffers);

 private:
  Window pool_;
  ConvNorm stem_;
  std::vector<ResidualBlock> blocks_;
};

/// Linear, then BatchNorm where `normalized`: what an encoder ends with.
std::unique_ptr<Sequential> make_head(ParameterGroup& group, const std::string& name, int64_t in,
                                      int64_t out, bool normalized, Device device, uint64_t seed);

}  // namespace tessera::inline TESSERA_PRECISION
