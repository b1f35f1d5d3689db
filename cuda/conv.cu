// Convolution of packed grids and its gradient in the input: contracts in tessera/kernels/conv.h.
//
// Mapping    products of matrices that are never stored (tile_product.cuh); the left one is gathered
//            on its way to shared memory. y: rows of the output x channels, summed over taps and
//            channels. dx: rows of the input x channels; rows that a stride tells apart are shown by
//            different taps, so a tile takes rows of one phase, and no skipped tap costs anything.
// Cost       2*rows*O*kh*kw*C flop in plain float32 (rows of the output, for dx too), bound by shared
//            memory and, where channels are few, by the arithmetic of the gathering.
// Exactness  one chain of fused multiply-adds for each result, over (tap, channel), which no other
//            sample is part of.

#include "conv_places.cuh"
#include "tessera/kernels/conv.h"
#include "tile_product.cuh"

namespace tessera::inline TESSERA_PRECISION::kernels {
namespace {

using cuda::add_products;
using cuda::Along;
using cuda::for_results;
using cuda::kTile;
using cuda::kTileThreads;
using cuda::TileSums;

__global__ void conv_kernel(Conv a) {
  TESSERA_SHARED_ARRAY(PlaceAt, shown, [kTile]);
  const int64_t across = cuda::ceil_div<int64_t>(a.y.cols, kTile);
  const int64_t first_row = blockIdx.x / across * kTile, first_out = blockIdx.x % across * kTile;
  const int64_t outs = a.y.cols - first_out, count = a.weight.cols;
  const float* weight = a.weight.data + first_out * a.weight.ld;
  if (threadIdx.x < kTile)
    shown[threadIdx.x] = first_shown(a.in, a.out, a.window, first_row + threadIdx.x);
  TileSums sum = {};
  add_products<Along::Steps, Along::Steps>(
      count,
      [&](int r, int64_t k) {
        const Tap tap = tap_of(k, a.x.cols, a.window.width);
        const int64_t p = row_at(shown[r], tap.i, tap.j);
        return k < count && p >= 0 ? a.x.data[p * a.x.ld + tap.channel] : 0.0f;
      },
      [&](int c, int64_t k) { return c < outs && k < count ? weight[c * a.weight.ld + k] : 0.0f; },
      sum);
  float* y = a.y.data + first_row * a.y.ld + first_out;
  for_results(a.y.rows - first_row, outs, sum,
              [&](int r, int c, float value) { y[r * a.y.ld + c] = value; });
}

/// Input positions (y, x) with (y + pad_y) mod stride_y and (x + pad_x) mod stride_x given: exactly
/// the elements (i0 + stride_y m, j0 + stride_x n) of a window show them.
struct Phase {
  int32_t i0, j0;
};
__device__ Phase phase_of(const Window& w, int64_t index) {
  return {static_cast<int32_t>(index) / w.stride_x, static_cast<int32_t>(index) % w.stride_x};
}
/// Of one axis: the first position of a phase, and how many there are.
struct Positions {
  int32_t first, count;
};
__device__ Positions positions_of(int32_t phase, int32_t stride, int32_t pad, int32_t size) {
  const int32_t first = (phase + stride - pad % stride) % stride;
  return {first, first < size ? (size - 1 - first) / stride + 1 : 0};
}

/// starts[phase, s] = positions of the phase in the samples before s; one block for each phase.
__global__ void conv_phases_kernel(Grids in, Window w, int64_t* starts) {
  TESSERA_SHARED_ARRAY(int64_t, totals, [kTileThreads]);
  const Phase phase = phase_of(w, blockIdx.x);
  starts += static_cast<int64_t>(blockIdx.x) * (in.count + 1);
  const int each = cuda::ceil_div<int>(in.count, kTileThreads);
  const int thread = static_cast<int>(threadIdx.x);
  const int begin = min(in.count, thread * each), end = min(in.count, begin + each);
  const auto positions = [&](int s) {
    const GridPlace place = place_of(in, s);
    return int64_t{positions_of(phase.i0, w.stride_y, w.pad_y, place.height).count} *
           positions_of(phase.j0, w.stride_x, w.pad_x, place.width).count;
  };
  int64_t total = 0;
  for (int s = begin; s < end; ++s) total += positions(s);
  totals[thread] = total;
  __syncthreads();  // every thread's total is in place
  int64_t before = 0;
  for (int t = 0; t < thread; ++t) before += totals[t];
  for (int s = begin; s < end; ++s) {
    starts[s] = before;
    before += positions(s);
  }
  if (thread == kTileThreads - 1) starts[in.count] = before;
}

/// The tile of a block of the gradient: rows [first, rows) of one phase, the first kTile of them.
struct PhaseTile {
  int64_t phase, first, rows;
};
__device__ PhaseTile find_phase(const int64_t* starts, int64_t phases, int32_t samples,
                                int64_t tile) {
  for (int64_t phase = 0; phase < phases; ++phase) {
    const int64_t rows = starts[phase * (samples + 1) + samples];
    const int64_t tiles = cuda::ceil_div<int64_t>(rows, kTile);
    if (tile < tiles) return {phase, tile * kTile, rows};
    tile -= tiles;
  }
  return {0, 0, 0};  // more blocks than tiles: the host knows a bound only
}

/// Position `index` of a phase: its row of the input, and the output position that shows it at the
/// phase's first element.
struct PhaseRow {
  int64_t row;
  PlaceAt shown_by;
};
__device__ PhaseRow phase_row(const ConvInputGrad& a, const Phase& phase, const int64_t* starts,
                              int64_t index) {
  int32_t low = 0, high = a.in.count;  // starts[low] <= index < starts[high]
  while (high - low > 1) {
    const int32_t middle = low + (high - low) / 2;
    if (starts[middle] <= index)
      low = middle;
    else
      high = middle;
  }
  const Window& w = a.window;
  const GridPlace in = place_of(a.in, low), out = place_of(a.out, low);
  const Positions ys = positions_of(phase.i0, w.stride_y, w.pad_y, in.height);
  const Positions xs = positions_of(phase.j0, w.stride_x, w.pad_x, in.width);
  const auto at = static_cast<int32_t>(index - starts[low]);
  const int32_t y = ys.first + at / xs.count * w.stride_y,
                x = xs.first + at % xs.count * w.stride_x;
  return {in.first_row + int64_t{y} * in.width + x,
          {out.first_row, out.height, out.width, (y + w.pad_y) / w.stride_y,
           (x + w.pad_x) / w.stride_x}};
}

__global__ void conv_input_grad_kernel(ConvInputGrad a, const int64_t* starts) {
  TESSERA_SHARED_ARRAY(PhaseRow, targets, [kTile]);
  const Window& w = a.window;
  const int64_t across = cuda::ceil_div<int64_t>(a.dx.cols, kTile);
  const int64_t first_in = blockIdx.x % across * kTile, ins = a.dx.cols - first_in;
  const PhaseTile tile =
      find_phase(starts, int64_t{w.stride_y} * w.stride_x, a.in.count, blockIdx.x / across);
  const Phase phase = phase_of(w, tile.phase);
  const int64_t rows = tile.rows - tile.first;
  if (threadIdx.x < kTile)
    targets[threadIdx.x] =
        threadIdx.x < rows
            ? phase_row(a, phase, starts + tile.phase * (a.in.count + 1), tile.first + threadIdx.x)
            : PhaseRow{};
  const int32_t down = phase.i0 < w.height ? (w.height - 1 - phase.i0) / w.stride_y + 1 : 0;
  const int32_t taps_across = phase.j0 < w.width ? (w.width - 1 - phase.j0) / w.stride_x + 1 : 0;
  const int64_t count = rows > 0 ? int64_t{down} * taps_across * a.dy.cols : 0;
  TileSums sum = {};
  add_products<Along::Steps, Along::Tile>(
      count,
      [&](int r, int64_t k) {
        const Tap tap = tap_of(k, a.dy.cols, taps_across);
        const int64_t q = row_at(targets[r].shown_by, -tap.i, -tap.j);
        return k < count && q >= 0 ? a.dy.data[q * a.dy.ld + tap.channel] : 0.0f;
      },
      [&](int c, int64_t k) {
        const Tap tap = tap_of(k, a.dy.cols, taps_across);
        const int64_t element =
            int64_t{phase.i0 + tap.i * w.stride_y} * w.width + phase.j0 + tap.j * w.stride_x;
        return c < ins && k < count
                   ? a.weight.data[tap.channel * a.weight.ld + element * a.dx.cols + first_in + c]
                   : 0.0f;
      },
      sum);
  for_results(rows, ins, sum, [&](int r, int c, float value) {
    float& dx = a.dx.data[targets[r].row * a.dx.ld + first_in + c];
    dx = (a.beta == 0 ? 0.0f : a.beta * dx) + value;
  });
}

}  // namespace

void conv(CudaContext& context, const Conv& a) {
  cuda::launch(context, "conv", conv_kernel,
               cuda::ceil_div<int64_t>(a.y.rows, kTile) * cuda::ceil_div<int64_t>(a.y.cols, kTile),
               kTileThreads, a);
}

void conv_input_grad(CudaContext& context, const ConvInputGrad& a) {
  const int64_t phases = int64_t{a.window.stride_y} * a.window.stride_x;
  const cuda::StepScratch starts(context,
                                 static_cast<size_t>(phases * (a.in.count + 1)) * sizeof(int64_t));
  cuda::launch(context, "conv_phases", conv_phases_kernel, phases, kTileThreads, a.in, a.window,
               starts.data<int64_t>());
  // A tile of each phase may be partly filled.
  const int64_t tiles = a.dx.rows / kTile + phases;
  cuda::launch(context, "conv_input_grad", conv_input_grad_kernel,
               tiles * cuda::ceil_div<int64_t>(a.dx.cols, kTile), kTileThreads, a,
               starts.data<int64_t>());
}

}  // namespace tessera::inline TESSERA_PRECISION::kernels
