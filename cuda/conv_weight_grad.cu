// Gradient of a convolution in its weight: contract in tessera/kernels/conv.h.
//
// Mapping    channels x (tap, channel), summed over the rows of the batch, gathered on their way to
//            shared memory (tile_product.cuh). Rows are cut into chunks to fill the device; a second
//            kernel adds their sums in order.
// Cost       2*rows*O*kh*kw*C flop in plain float32, as the forward pass; each chunk writes one
//            dweight and reads it back, mostly within L2.
// Exactness  chunks depend on shapes alone: a chain of fused multiply-adds in each, their sum in
//            binary64.

#include <algorithm>

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

constexpr int64_t kRowsAtOnce = 128;    // of which the block knows the places
constexpr int64_t kWeightBlocks = 512;  // to aim for: four for each multiprocessor of an H100

/// The batch cut into chunks of rows.
struct ChunkedGrad {
  ConvWeightGrad grad;
  int64_t chunks, rows;  // of each
  float* sums;           // [chunks, O, kh kw C]
};

// Three blocks on a multiprocessor: 80 registers, which suffice without spills.
__global__ void __launch_bounds__(kTileThreads, 3) conv_weight_grad_kernel(ChunkedGrad parts) {
  const ConvWeightGrad& a = parts.grad;
  TESSERA_SHARED_ARRAY(PlaceAt, shown, [kRowsAtOnce]);
  const int64_t across = cuda::ceil_div<int64_t>(a.dweight.cols, kTile);
  const int64_t tiles = cuda::ceil_div<int64_t>(a.dweight.rows, kTile) * across;
  const int64_t tile = blockIdx.x % tiles, chunk = blockIdx.x / tiles;
  const int64_t first_out = tile / across * kTile, outs = a.dweight.rows - first_out;
  const int64_t first_element = tile % across * kTile, elements = a.dweight.cols - first_element;
  const int64_t end = min(a.dy.rows, (chunk + 1) * parts.rows);
  TileSums sum = {};
  for (int64_t first = chunk * parts.rows; first < end; first += kRowsAtOnce) {
    const int64_t count = min(kRowsAtOnce, end - first);
    // Nobody reads the places of the round before any more: their last use is above a barrier.
    if (threadIdx.x < kRowsAtOnce)
      shown[threadIdx.x] = first_shown(a.in, a.out, a.window, first + threadIdx.x);
    add_products<Along::Tile, Along::Tile>(
        count,
        [&](int r, int64_t k) {
          return r < outs && k < count ? a.dy.data[(first + k) * a.dy.ld + first_out + r] : 0.0f;
        },
        [&](int c, int64_t k) {
          const Tap tap = tap_of(first_element + c, a.x.cols, a.window.width);
          if (c >= elements || k >= count) return 0.0f;
          const int64_t p = row_at(shown[k], tap.i, tap.j);
          return p >= 0 ? a.x.data[p * a.x.ld + tap.channel] : 0.0f;
        },
        sum);
  }
  float* sums = parts.sums + (chunk * a.dweight.rows + first_out) * a.dweight.cols + first_element;
  for_results(outs, elements, sum,
              [&](int r, int c, float value) { sums[r * a.dweight.cols + c] = value; });
}

__global__ void conv_add_chunks_kernel(ChunkedGrad parts) {
  const ConvWeightGrad& a = parts.grad;
  const int64_t size = a.dweight.rows * a.dweight.cols;
  cuda::for_elements(size, [&](int64_t e) {
    double sum = 0;
#pragma unroll 4
    for (int64_t chunk = 0; chunk < parts.chunks; ++chunk)
      sum += static_cast<double>(parts.sums[chunk * size + e]);
    float& dweight = a.dweight.data[e / a.dweight.cols * a.dweight.ld + e % a.dweight.cols];
    dweight = (a.beta == 0 ? 0.0f : a.beta * dweight) + static_cast<float>(sum);
  });
}

}  // namespace

void conv_weight_grad(CudaContext& context, const ConvWeightGrad& a) {
  const int64_t size = a.dweight.rows * a.dweight.cols;
  if (size == 0) return;
  const int64_t tiles = cuda::ceil_div<int64_t>(a.dweight.rows, kTile) *
                        cuda::ceil_div<int64_t>(a.dweight.cols, kTile);
  const int64_t rounds = cuda::ceil_div(a.dy.rows, kRowsAtOnce);
  const int64_t wanted = cuda::ceil_div(kWeightBlocks, tiles);
  const int64_t rows = std::max<int64_t>(1, cuda::ceil_div(rounds, wanted)) * kRowsAtOnce;
  const int64_t chunks = cuda::ceil_div(a.dy.rows, rows);
  const cuda::StepScratch sums(context, static_cast<size_t>(chunks * size) * sizeof(float));
  const ChunkedGrad parts = {a, chunks, rows, sums.data<float>()};
  cuda::launch(context, "conv_weight_grad", conv_weight_grad_kernel, chunks * tiles, kTileThreads,
               parts);
  cuda::launch_elements(context, "conv_add_chunks", conv_add_chunks_kernel, size, parts);
}

}  // namespace tessera::inline TESSERA_PRECISION::kernels
