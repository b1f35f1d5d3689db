// Convolution of packed grids: contracts in tessera/kernels/conv.h.
//
// Mapping    implicit products of matrices: rows are positions, and a tile takes its values of the
//            source where they lie. Rows whose windows are cut by the border in the same way form a
//            class (conv_rows.h), whatever sample they are of, so a tile is full even where samples
//            are small, nothing is copied, and taps beyond the border or between the strides of the
//            input gradient cost nothing. A unit of work is a chunk of rows x a panel of columns.
//            The weight gradient turns the roles: a tile is eight values of a patch x a panel of dy.
// Cost       2*rows*O*C flop for each tap that hits. The weight is packed once for each launch,
//            dy for each panel of columns. Bound by multiply-adds from 8 channels on.
// Exactness  forward and input gradient: one chain for each value, so neither chunks nor threads
//            matter. Weight gradient: chains over up to 128 rows of a class, added in the order of
//            the rows to at most 16 partial sums that are added in order; all of it follows from the
//            shapes.

#define HWY_TARGET_INCLUDE "cpu/conv.cpp"
#include "cpu/simd_targets.h"
// First the targets, then all else.
#include "cpu/conv_rows.h"
#include "cpu/conv_tiles-inl.h"
#include "cpu/cpu_context.h"
#include "cpu/matmul-inl.h"
#include "tessera/kernels/conv.h"

HWY_BEFORE_NAMESPACE();
namespace tessera::inline TESSERA_PRECISION::kernels {
namespace HWY_NAMESPACE {

inline constexpr int64_t kMinChunkRows = 256, kMaxChunkRows = 2048, kWantedChunks = 32;
inline constexpr int64_t kMaxPartialSums = 16, kPartialRows = 512;
inline constexpr int64_t kPackedAtOnce = 256;  // rows of a packed weight
inline constexpr int64_t kCombinedAtOnce = 8;  // vectors of a row of the weight's gradient

inline int64_t chunk_rows(const Grids& target) {
  return std::clamp(target.rows / kWantedChunks, kMinChunkRows, kMaxChunkRows);
}

/// Every chunk of target rows x panel of columns of `out`.
void multiply_chunks(ThreadPool& pool, const ConvGeometry& g, const real* source,
                     const real* packed, const MatrixView<real>& out, const Panels& panels,
                     real beta) {
  const ConvPieces pieces(g.target, chunk_rows(g.target));
  const int64_t depth = int64_t{g.window.height} * g.window.width * g.tap_values;
  pool.run(pieces.chunks() * panels.count, [&](int64_t unit) {
    thread_local ConvRows rows;
    const int64_t chunk = unit / panels.count, p = unit % panels.count;
    rows.build(g, pieces.pieces.data() + pieces.first[chunk],
               pieces.pieces.data() + pieces.first[chunk + 1]);
    const int64_t column = panels.begin(p) * kRealLanes;
    const ConvPanel panel = {source, packed + column * depth,        out, beta,
                             column, last_lanes(panels, p, out.cols)};
    with_width(panels.width(p), [&](auto width) { conv_rows<width()>(panel, rows); });
  });
}

void forward(ThreadPool& pool, const Conv& a) {
  thread_local SimdScratch scratch;
  const int64_t depth = a.weight.cols;
  const Panels panels(a.y.cols);
  real* packed = scratch.get<real>(panels.vectors * kRealLanes * depth);
  const Matmul m = {.a = {}, .b = a.weight, .c = a.y, .bias = {}};
  const int64_t parts = (depth + kPackedAtOnce - 1) / kPackedAtOnce;
  pool.run(panels.count * parts, [&](int64_t unit) {
    const int64_t p = unit / parts, k = unit % parts * kPackedAtOnce;
    real* to = packed + panels.begin(p) * kRealLanes * depth;
    const Part part = {
        m, panels, p, k, std::min(kPackedAtOnce, depth - k), to + k * panels.width(p) * kRealLanes};
    with_width(panels.width(p),
               [&](auto width) { pack_columns<width()>(part, last_lanes(panels, p, a.y.cols)); });
  });
  const ConvGeometry g = {a.in, a.out, a.window, false, a.x.ld, a.x.cols};
  multiply_chunks(pool, g, a.x.data, packed, a.y, panels, real(0));
}

void input_grad(ThreadPool& pool, const ConvInputGrad& a) {
  thread_local SimdScratch scratch;
  const int64_t taps = int64_t{a.window.height} * a.window.width;
  const int64_t channels = a.dx.cols, outputs = a.dy.cols;
  const Panels panels(channels);
  real* packed = scratch.get<real>(panels.vectors * kRealLanes * taps * outputs);
  pool.run(panels.count * taps, [&](int64_t unit) {
    const int64_t p = unit / taps, tap = unit % taps;
    const Matmul m = {.a = {},
                      .b = {a.weight.data + tap * channels, outputs, channels, a.weight.ld},
                      .c = a.dx,
                      .bias = {}};
    real* to = packed + panels.begin(p) * kRealLanes * taps * outputs;
    const Part part = {m, panels, p, 0, outputs, to + tap * outputs * panels.width(p) * kRealLanes};
    with_width(panels.width(p),
               [&](auto width) { pack_rows<width()>(part, last_lanes(panels, p, channels)); });
  });
  const ConvGeometry g = {a.out, a.in, a.window, true, a.dy.ld, outputs};
  multiply_chunks(pool, g, a.dy.data, packed, a.dx, panels, a.beta);
}

/// dweight[o, k] = beta dweight[o, k] + the partial sums [depth, vectors, lanes] in order, for the
/// columns o of one panel and k in [begin, end).
template <int kVectors>
void combine(const ConvWeightGrad& a, const real* sums, int64_t count, int64_t step, int64_t column,
             int64_t begin, int64_t end) {
  constexpr int64_t kWidth = kVectors * kRealLanes;
  const RealTag d;
  const int64_t columns = std::min(kWidth, a.dweight.rows - column);
  for (int64_t k = begin; k < end; k += kRealLanes) {
    const int64_t lanes = std::min(kRealLanes, end - k);
    alignas(64) real block[kRealLanes][kWidth];
    const real* rows[kRealLanes];  // past the last row: the last again, never stored
    for (int64_t l = 0; l < kRealLanes; ++l) {
      rows[l] = block[l];
      const real* from = sums + (k + std::min(l, lanes - 1)) * kWidth;
      for (int64_t i = 0; i < kWidth; i += kRealLanes) {
        RealVec sum = hn::Load(d, from + i);
        for (int64_t s = 1; s < count; ++s) sum = hn::Add(sum, hn::Load(d, from + s * step + i));
        hn::Store(sum, d, block[l] + i);
      }
    }
    const auto mask = hn::FirstN(d, static_cast<size_t>(lanes));
    for_columns(rows, columns, [&](int64_t o, RealVec sum) HWY_ATTR {
      real* to = a.dweight.data + (column + o) * a.dweight.ld + k;
      if (a.beta != 0) sum = mul_add(hn::Set(d, a.beta), hn::MaskedLoad(mask, d, to), sum);
      hn::BlendedStore(sum, mask, d, to);
    });
  }
}

void weight_grad(ThreadPool& pool, const ConvWeightGrad& a) {
  thread_local SimdScratch scratch;
  const int64_t depth = a.dweight.cols;
  const Panels panels(a.dy.cols);
  const ConvGeometry g = {a.in, a.out, a.window, false, a.x.ld, a.x.cols};
  const ConvPieces pieces(g.target, chunk_rows(g.target));
  const int64_t groups = std::clamp(std::min(g.target.rows / kPartialRows, pieces.chunks()),
                                    int64_t{1}, kMaxPartialSums);
  const int64_t step = panels.vectors * kRealLanes * depth;
  real* sums = scratch.get<real>(groups * step);
  pool.run(groups * panels.count, [&](int64_t unit) {
    thread_local ConvRows rows;
    const int64_t group = unit / panels.count, p = unit % panels.count;
    const int64_t column = panels.begin(p) * kRealLanes;
    real* own = sums + group * step + column * depth;
    std::fill_n(own, panels.width(p) * kRealLanes * depth, real(0));
    for (int64_t chunk = group * pieces.chunks() / groups;
         chunk < (group + 1) * pieces.chunks() / groups; ++chunk) {
      rows.build(g, pieces.pieces.data() + pieces.first[chunk],
                 pieces.pieces.data() + pieces.first[chunk + 1]);
      with_width(panels.width(p), [&](auto width) {
        conv_grad_rows<width()>(a.x.data, a.dy, column, last_lanes(panels, p, a.dy.cols), rows,
                                own);
      });
    }
  });
  constexpr int64_t kBlock = kCombinedAtOnce * kRealLanes;
  const int64_t blocks = (depth + kBlock - 1) / kBlock;
  pool.run(panels.count * blocks, [&](int64_t unit) {
    const int64_t p = unit / blocks, k = unit % blocks * kBlock;
    const int64_t column = panels.begin(p) * kRealLanes;
    with_width(panels.width(p), [&](auto width) {
      combine<width()>(a, sums + column * depth, groups, step, column, k,
                       std::min(depth, k + kBlock));
    });
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera::inline TESSERA_PRECISION::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tessera::inline TESSERA_PRECISION::kernels {

HWY_EXPORT(forward);
void conv(CpuContext& context, const Conv& a) {
  context.enqueue("conv", [&] {
    if (a.y.rows > 0 && a.y.cols > 0) HWY_DYNAMIC_DISPATCH(forward)(context.pool(), a);
  });
}

HWY_EXPORT(input_grad);
void conv_input_grad(CpuContext& context, const ConvInputGrad& a) {
  context.enqueue("conv_input_grad", [&] {
    if (a.dx.rows > 0 && a.dx.cols > 0) HWY_DYNAMIC_DISPATCH(input_grad)(context.pool(), a);
  });
}

HWY_EXPORT(weight_grad);
void conv_weight_grad(CpuContext& context, const ConvWeightGrad& a) {
  context.enqueue("conv_weight_grad", [&] {
    if (a.dweight.rows > 0 && a.dweight.cols > 0)
      HWY_DYNAMIC_DISPATCH(weight_grad)(context.pool(), a);
  });
}

}  // namespace tessera::inline TESSERA_PRECISION::kernels
#endif
