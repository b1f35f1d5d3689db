// Distances between rows and their correlation: contracts in tessera/kernels/distances.h.
//
// Mapping    rows over the threads; lanes are the other row j, read from a transposed copy of x.
// Cost       distances: n*n*C/2 subtract and multiply-add; gradient: twice that for all pairs.
// Exactness  as the contract; the gradient sums over j in lanes of 16, each ascending.

#define HWY_TARGET_INCLUDE "cpu/distances.cpp"
#include "cpu/simd_targets.h"
// First the targets, then all else.
#include <algorithm>
#include <cmath>

#include "cpu/chunked_sum.h"
#include "cpu/cpu_context.h"
#include "cpu/simd-inl.h"
#include "cpu/simd_scratch.h"
#include "tessera/kernels/distances.h"

HWY_BEFORE_NAMESPACE();
namespace tessera::inline TESSERA_PRECISION::kernels {
namespace HWY_NAMESPACE {

inline constexpr int64_t kPad = 16;  // rows of the transposed copy: whole vectors of any target
inline int64_t padded(int64_t n) { return (n + kPad - 1) / kPad * kPad; }

/// x transposed, [C, padded n]; rows beyond the end are copies of the last.
void transpose(const MatrixView<const real>& x, real* out) {
  const int64_t pitch = padded(x.rows);
  for (int64_t c = 0; c < x.cols; ++c)
    for (int64_t n = 0; n < pitch; ++n)
      out[c * pitch + n] = x.data[std::min(n, x.rows - 1) * x.ld + c];
}

/// Squared distances of row i to rows [j, j + lanes) in the columns of a group.
HWY_INLINE hn::Vec<RealTag> square_distances(const ColumnGroup& group, const real* row,
                                             const real* turned, int64_t pitch, int64_t j) {
  const RealTag d;
  auto sum = hn::Zero(d);
  for (int32_t c = group.begin; c < group.begin + group.cols; ++c) {
    const auto t = hn::Sub(hn::Set(d, row[c]), hn::LoadU(d, turned + c * pitch + j));
    sum = mul_add(t, t, sum);
  }
  return sum;
}

/// Row i of the distances, from column i on, and its mirror image.
void distance_row(const MeanDistances& a, const real* turned, int64_t i) {
  const RealTag d;
  const int64_t n = a.x.rows, pitch = padded(n);
  const real* row = a.x.data + i * a.x.ld;
  const auto share = hn::Set(d, real(1) / static_cast<real>(a.groups.count));
  alignas(64) real values[kRealLanes];
  for (int64_t j = i / kRealLanes * kRealLanes; j < n; j += kRealLanes) {
    auto sum = hn::Zero(d);
    for (int32_t g = 0; g < a.groups.count; ++g)
      sum = hn::Add(sum, hn::Sqrt(square_distances(a.groups[g], row, turned, pitch, j)));
    hn::Store(hn::Mul(sum, share), d, values);
    for (int64_t l = std::max<int64_t>(0, i - j); l < std::min(kRealLanes, n - j); ++l) {
      a.distances.data[i * a.distances.ld + j + l] = values[l];
      a.distances.data[(j + l) * a.distances.ld + i] = values[l];
    }
  }
}

/// Row i of the gradient. `weights` [padded n] is this thread's.
void distance_grad_row(const MeanDistancesGrad& a, const real* turned, real* weights, int64_t i) {
  const RealTag d;
  const int64_t n = a.x.rows, pitch = padded(n);
  const real* row = a.x.data + i * a.x.ld;
  const real factor = real(2) / static_cast<real>(a.groups.count);
  for (int32_t g = 0; g < a.groups.count; ++g) {
    const ColumnGroup& group = a.groups[g];
    for (int64_t j = 0; j < n; j += kRealLanes)
      hn::StoreU(hn::Sqrt(square_distances(group, row, turned, pitch, j)), d, weights + j);
    for (int64_t j = 0; j < pitch; ++j)
      weights[j] = j < n && weights[j] > 0 ? factor * a.dd.data[i * a.dd.ld + j] / weights[j] : 0;
    for (int32_t c = group.begin; c < group.begin + group.cols; ++c) {
      // kPad lanes whatever the vectors are: the same sum on every target.
      constexpr int kVectors = static_cast<int>(kPad / kRealLanes);
      hn::Vec<RealTag> sums[kVectors];
      for (auto& sum : sums) sum = hn::Zero(d);
      const auto own = hn::Set(d, row[c]);
      for (int64_t j = 0; j < pitch; j += kPad)
        for (int v = 0; v < kVectors; ++v) {
          const int64_t at = j + v * kRealLanes;
          sums[v] = mul_add(hn::LoadU(d, weights + at),
                            hn::Sub(own, hn::LoadU(d, turned + c * pitch + at)), sums[v]);
        }
      alignas(64) real lanes[kPad];
      for (int v = 0; v < kVectors; ++v) hn::Store(sums[v], d, lanes + v * kRealLanes);
      real total = 0;
      for (const real lane : lanes) total += lane;
      real& dx = a.dx.data[i * a.dx.ld + c];
      dx = a.beta == 0 ? total : std::fma(a.beta, dx, total);
    }
  }
}

double sum_values(const real* x, int64_t n) { return sum_lanes(x, n); }

double centred_product(const real* x, double x_mean, const real* y, double y_mean, int64_t n) {
  return fold_lanes(n, [=](auto d, int64_t i, auto acc) HWY_ATTR {
    const auto u = hn::Sub(load_double(d, x + i), hn::Set(d, x_mean));
    const auto v = hn::Sub(load_double(d, y + i), hn::Set(d, y_mean));
    return mul_add(u, v, acc);
  });
}

void correlation_grad_range(const real* own, double own_mean, const real* other, double other_mean,
                            CorrelationSlope slope, real beta, real* out, int64_t begin,
                            int64_t end) {
  for (int64_t i = begin; i < end; ++i) {
    const real value = real(slope.toward * (double(other[i]) - other_mean) +
                            slope.along * (double(own[i]) - own_mean));
    out[i] = beta == 0 ? value : std::fma(beta, out[i], value);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera::inline TESSERA_PRECISION::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tessera::inline TESSERA_PRECISION::kernels {
namespace {
constexpr int64_t kRowGrain = 8, kGrain = 32768;
constexpr int64_t kPadding = 16;
int64_t turned_size(const MatrixView<const real>& x) {
  return x.cols * ((x.rows + kPadding - 1) / kPadding * kPadding);
}
}  // namespace

HWY_EXPORT(transpose);
HWY_EXPORT(distance_row);
void mean_distances(CpuContext& context, const MeanDistances& a) {
  const auto turn = HWY_DYNAMIC_DISPATCH(transpose);
  const auto row = HWY_DYNAMIC_DISPATCH(distance_row);
  context.enqueue("mean_distances", [&] {
    if (a.x.rows == 0) return;
    thread_local SimdScratch scratch;
    real* turned = scratch.get<real>(turned_size(a.x));
    turn(a.x, turned);
    context.pool().run((a.x.rows + kRowGrain - 1) / kRowGrain, [&](int64_t chunk) {
      for (int64_t i = chunk * kRowGrain; i < std::min(a.x.rows, (chunk + 1) * kRowGrain); ++i)
        row(a, turned, i);
    });
  });
}

HWY_EXPORT(distance_grad_row);
void mean_distances_grad(CpuContext& context, const MeanDistancesGrad& a) {
  const auto turn = HWY_DYNAMIC_DISPATCH(transpose);
  const auto row = HWY_DYNAMIC_DISPATCH(distance_grad_row);
  context.enqueue("mean_distances_grad", [&] {
    if (a.x.rows == 0) return;
    thread_local SimdScratch scratch;
    real* turned = scratch.get<real>(turned_size(a.x));
    turn(a.x, turned);
    context.pool().run((a.x.rows + kRowGrain - 1) / kRowGrain, [&](int64_t chunk) {
      thread_local SimdScratch own;
      real* weights = own.get<real>((a.x.rows + kPadding - 1) / kPadding * kPadding);
      for (int64_t i = chunk * kRowGrain; i < std::min(a.x.rows, (chunk + 1) * kRowGrain); ++i)
        row(a, turned, weights, i);
    });
  });
}

HWY_EXPORT(sum_values);
HWY_EXPORT(centred_product);
void vector_correlation(CpuContext& context, const VectorCorrelation& a) {
  const auto sum = HWY_DYNAMIC_DISPATCH(sum_values);
  const auto product = HWY_DYNAMIC_DISPATCH(centred_product);
  context.enqueue("vector_correlation", [&] {
    const int64_t n = a.a.size;
    const auto mean = [&](const real* x) {
      const auto part = [&](int64_t begin, int64_t end) { return sum(x + begin, end - begin); };
      return n > 0 ? chunked_sum(context, n, part) / static_cast<double>(n) : 0.0;
    };
    const double mean_a = mean(a.a.data), mean_b = mean(a.b.data);
    const auto centred = [&](const real* x, double x_mean, const real* y, double y_mean) {
      return chunked_sum(context, n, [&](int64_t begin, int64_t end) {
        return product(x + begin, x_mean, y + begin, y_mean, end - begin);
      });
    };
    const double aa = centred(a.a.data, mean_a, a.a.data, mean_a);
    const double bb = centred(a.b.data, mean_b, a.b.data, mean_b);
    const double ab = centred(a.a.data, mean_a, a.b.data, mean_b);
    const double all[] = {mean_a, mean_b, aa, bb, ab};
    std::copy(std::begin(all), std::end(all), a.moments.data);
    a.r.data[0] = real(ab / (std::sqrt(aa) * std::sqrt(bb) + 1e-8));
  });
}

HWY_EXPORT(correlation_grad_range);
void vector_correlation_grad(CpuContext& context, const VectorCorrelationGrad& a) {
  const auto range = HWY_DYNAMIC_DISPATCH(correlation_grad_range);
  context.parallel_ranges(
      "vector_correlation_grad", a.a.size, kGrain, [&](int64_t begin, int64_t end) {
        const double* m = a.moments.data;
        const double dr = double(a.dr.data[0]);
        if (a.da.data != nullptr)
          range(a.a.data, m[0], a.b.data, m[1], correlation_slope(m[3], m[2], m[4], dr), a.beta_a,
                a.da.data, begin, end);
        if (a.db.data != nullptr)
          range(a.b.data, m[1], a.a.data, m[0], correlation_slope(m[2], m[3], m[4], dr), a.beta_b,
                a.db.data, begin, end);
      });
}

}  // namespace tessera::inline TESSERA_PRECISION::kernels
#endif
