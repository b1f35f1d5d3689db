#pragma once

#include <span>

#include "tessera/error.h"
#include "tessera/kernels/groups.h"
#include "tessera/kernels/views.h"
#include "tessera/precision.h"

namespace tessera::inline TESSERA_PRECISION {
namespace kernels {

/// One linear layer among many: its columns of the input and of the output, its weight in the flat
/// weights. The bias of an output column stands at the number of that column.
struct LinearGroup {
  int32_t in, out;           // I_g, O_g: features
  int32_t in_begin = 0;      // first column of x
  int32_t out_begin = 0;     // first column of y
  int64_t weight_begin = 0;  // first element of W_g [O_g, I_g], row-major, in the flat weights

  struct Sizes {
    int64_t inputs = 0, outputs = 0, weights = 0;
  };
  /// Places inputs, outputs and weights one after another, weights on 16-byte borders.
  static Sizes pack(std::span<LinearGroup> groups) {
    Sizes sizes;
    for (LinearGroup& group : groups) {
      group.in_begin = static_cast<int32_t>(sizes.inputs);
      group.out_begin = static_cast<int32_t>(sizes.outputs);
      group.weight_begin = sizes.weights;
      sizes.inputs += group.in;
      sizes.outputs += group.out;
      sizes.weights += (int64_t{group.in} * group.out + 3) / 4 * 4;
    }
    return sizes;
  }

  static constexpr int kTile = 64;  // features along one side of a block's tile
  enum Tiling { kByOutput, kByInput, kByWeight, kTilings };
  static int32_t tiles(std::span<const LinearGroup> all, size_t g, int tiling) {
    const int32_t in = (all[g].in + kTile - 1) / kTile, out = (all[g].out + kTile - 1) / kTile;
    return tiling == kByOutput ? out : tiling == kByInput ? in : in * out;
  }
  static void check(std::span<const LinearGroup> all) {
    for (const LinearGroup& group : all)
      TESSERA_CHECK(group.in > 0 && group.out > 0, "linear group of ", group.in, " inputs and ",
                    group.out, " outputs; both must be positive");
  }
};

/// Linear layers of different sizes over the same rows, as one launch:
///
///   y[n, out_begin + o] = sum_i x[n, in_begin + i] W_g[o, i] + bias[out_begin + o]
///
/// One chain of fused multiply-adds over i ascending, started from the bias, for each y; on both
/// backends. Columns of y that belong to no group are not written. y overlaps nothing.
struct GroupedLinear {
  Groups<LinearGroup> groups;
  MatrixView<const real> x;        // [N, input columns]
  VectorView<const real> weights;  // flat
  VectorView<const real> bias;     // [output columns], or empty for none
  MatrixView<real> y;              // [N, output columns]  out
};
void grouped_linear(CpuContext&, const GroupedLinear&);
void grouped_linear(CudaContext&, const GroupedLinear&);

/// Gradient with respect to the input:
///
///   dx[n, in_begin + i] = beta dx + sum_o dy[n, out_begin + o] W_g[o, i]      o ascending
/// Inputs of different groups do not overlap. Columns that belong to no group are not written.
struct GroupedLinearInputGrad {
  Groups<LinearGroup> groups;
  MatrixView<const real> dy;       // [N, output columns]
  VectorView<const real> weights;  // flat
  MatrixView<real> dx;             // [N, input columns]  out (in, out unless beta is 0)
  real beta = 0;                   // 0 or 1
};
void grouped_linear_input_grad(CpuContext&, const GroupedLinearInputGrad&);
void grouped_linear_input_grad(CudaContext&, const GroupedLinearInputGrad&);

/// Gradient with respect to the weights:
///
///   dW_g[o, i] = beta dW_g[o, i] + sum_n dy[n, out_begin + o] x[n, in_begin + i]      n ascending
/// What lies between the weights of two groups is not written.
struct GroupedLinearWeightGrad {
  Groups<LinearGroup> groups;
  MatrixView<const real> x, dy;
  VectorView<real> dweights;  // flat  out (in, out unless beta is 0)
  real beta = 0;              // 0 or 1
};
void grouped_linear_weight_grad(CpuContext&, const GroupedLinearWeightGrad&);
void grouped_linear_weight_grad(CudaContext&, const GroupedLinearWeightGrad&);

}  // namespace kernels
}  // namespace tessera::inline TESSERA_PRECISION
