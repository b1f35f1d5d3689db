#pragma once

#include "tessera/group_table.h"
#include "tessera/kernels/unary.h"
#include "tessera/kernels/vq_assign.h"
#include "tessera/tape.h"

namespace tessera::inline TESSERA_PRECISION {

class TrainingState;
using VqTable = GroupTable<kernels::VqGroup>;
using kernels::UnaryOp;

/// y[b, o] = sum_i x[b, i] * weight[o, i] + bias[o]
///
/// x       [batch, in]
/// weight  [out, in], same device
/// bias    [1, out], or a null Var for none
/// Returns [batch, out]; differentiable in all three.
/// Throws Error if widths differ.
Var linear(const Var& x, const Var& weight, const Var& bias);

/// y[b, i] = sum_o x[b, o] * weight[o, i]: linear() with the same weight, read the other way, as a
/// tied decoder does.
///
/// x       [batch, out]
/// weight  [out, in], same device
/// Returns [batch, in]; differentiable in both. Throws Error if widths differ.
Var linear_transposed(const Var& x, const Var& weight);

/// y = f(x), element by element; f by name in kernels/unary.h. Same shape; differentiable.
Var activation(UnaryOp op, const Var& x);

/// alpha a + beta b, same shapes; differentiable in both.
Var add(const Var& a, const Var& b, real alpha = 1, real beta = 1);

/// Each row brought to mean 0 and variance 1, then gain * . + shift ([1, cols] each).
/// Source: Ba et al. 2016, eq. (4).
Var layer_norm(const Var& x, const Var& gain, const Var& shift, real epsilon);

/// Running statistics of batch_norm, persistent, [1, cols] each.
struct BatchStatistics {
  Tensor mean, variance;
};
/// Each column brought to mean 0 and variance 1, then gain * . + shift. In training by the batch's
/// own statistics, which also move the running ones; else by the running ones.
/// Source: Ioffe and Szegedy 2015.
Var batch_norm(const Var& x, const Var& gain, const Var& shift, BatchStatistics& running,
               real epsilon, real momentum, bool training);

/// Zeroes each element with probability `rate` and scales the others by 1 / (1 - rate).
/// The draw depends on (seed, stream, step, element); `stream` names this use.
Var dropout(const Var& x, const TrainingState& state, uint32_t stream, real rate);

/// dropout(activation(Relu, x)), relu alone without a state, in the memory of x: a third of the memory
/// and half of the traffic of the two. x is lost, so neither the caller nor what made it may need it
/// again; the gradients of linear layers do not.
Var relu_dropout_in_place(const Var& x, const TrainingState* state, uint32_t stream, real rate);

/// activation(Relu, a + b) in the memory of a; differentiable in both. a is lost, so what made it may not
/// need it again: the gradients of normalizations and linear layers do not. Throws Error if shapes
/// differ.
Var add_relu_in_place(const Var& a, const Var& b);

/// (1 / n) sum_i (prediction[i] - target[i])^2 as [1, 1], n the number of elements; differentiable
/// in both. Throws Error if shapes differ.
Var mean_squared_error(const Var& prediction, const Var& target);

struct NearestCodes {
  Buffer<int32_t> codes;  ///< [rows, groups]
  Var quantized;          ///< [rows, columns], the hard rows; differentiable in the codebooks
};
/// Nearest code of every row in every codebook of the table, exact (kernels/vq_assign.h).
///
/// latents    [rows, columns the table reads]
/// codebooks  flat [1, size]; on a tape where it is trained by gradient
/// nonfinite  [1] counter of rows with a value that is not finite, or null
NearestCodes nearest_codes(const VqTable& table, const Var& latents, const Var& codebooks,
                           Buffer<int32_t>* nonfinite = nullptr);

/// The value of `quantized`, bit for bit; gradients go to `latents` unchanged.
/// Source: Bengio et al. 2013; van den Oord et al. 2017, section 3.2.
Var straight_through(const Var& latents, const Tensor& quantized);

/// The value of `quantized`, bit for bit; gradients go to `latents` turned and scaled as the
/// rotation that carries each latent to its code (kernels/vq_update.h).
/// Source: Fifty et al. 2025, arXiv 2410.06424.
Var rotation_trick(const VqTable& table, const Var& latents, const Tensor& quantized);

}  // namespace tessera::inline TESSERA_PRECISION
