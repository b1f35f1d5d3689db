#define HWY_TARGET_INCLUDE "cpu/normalize.cpp"
#include "tessera/kernels/normalize.h"

#include <algorithm>

#include "cpu/cpu_context.h"
#include "cpu/layer_norm-inl.h"
#include "cpu/simd-inl.h"
#include "cpu/simd_targets.h"

HWY_BEFORE_NAMESPACE();
namespace tessera::inline TESSERA_PRECISION::kernels {
namespace HWY_NAMESPACE {

void layer_norm_row(const LayerNorm& a, int64_t n) {
  normalize_row(a.x.data + n * a.x.ld, a.x.cols, a.gain.data, a.shift.data, a.epsilon,
                a.y.data + n * a.y.ld, a.mean.data[n], a.rstd.data[n]);
}

void layer_norm_grad_row(const LayerNormGrad& a, int64_t n) {
  normalize_row_grad(a.x.data + n * a.x.ld, a.dy.data + n * a.dy.ld, a.x.cols, a.gain.data,
                     a.mean.data[n], a.rstd.data[n], a.beta_x, a.dx.data + n * a.dx.ld);
}

void layer_norm_parameters(const LayerNormGrad& a, int64_t first, int64_t last) {
  normalize_parameter_grads(a.x, a.dy, first, last - first, a.mean.data, a.rstd.data, 1, a.beta_p,
                            a.dgain.data, a.dshift.data);
}

/// Mean and variance of columns [begin, end), or the running ones.
void batch_norm_columns(const BatchNorm& a, int64_t begin, int64_t end) {
  const int64_t rows = a.x.rows;
  for (int64_t c = begin; c < end; ++c) {
    double mean = double(a.running_mean.data[c]), variance = double(a.running_variance.data[c]);
    if (a.training) {
      double sum = 0, square = 0;
      for (int64_t n = 0; n < rows; ++n) sum += double(a.x.data[n * a.x.ld + c]);
      mean = sum / static_cast<double>(rows);
      for (int64_t n = 0; n < rows; ++n) {
        const double t = double(a.x.data[n * a.x.ld + c]) - mean;
        square = std::fma(t, t, square);
      }
      variance = square / static_cast<double>(rows);
      const double momentum = double(a.momentum);
      const double unbiased = square / static_cast<double>(std::max<int64_t>(1, rows - 1));
      a.running_mean.data[c] =
          real((1 - momentum) * double(a.running_mean.data[c]) + momentum * mean);
      a.running_variance.data[c] =
          real((1 - momentum) * double(a.running_variance.data[c]) + momentum * unbiased);
    }
    a.mean.data[c] = real(mean);
    a.rstd.data[c] = real(1 / std::sqrt(variance + double(a.epsilon)));
    for (int64_t n = 0; n < rows; ++n)
      a.y.data[n * a.y.ld + c] =
          std::fma((a.x.data[n * a.x.ld + c] - a.mean.data[c]) * a.rstd.data[c], a.gain.data[c],
                   a.shift.data[c]);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera::inline TESSERA_PRECISION::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tessera::inline TESSERA_PRECISION::kernels {
namespace {
constexpr int64_t kRowGrain = 64, kColumnGrain = 16;
constexpr int64_t kParameterGrain = 64;  // at most kParameterBlock

/// Sums over rows of dy and dy * xhat for one column; mean and rstd by row or by column.
struct ColumnTerms {
  double dy = 0, dy_xhat = 0;
};
ColumnTerms column_terms(const BatchNormGrad& a, int64_t c) {
  ColumnTerms terms;
  for (int64_t n = 0; n < a.x.rows; ++n) {
    const double dy = double(a.dy.data[n * a.dy.ld + c]);
    const double xhat =
        (double(a.x.data[n * a.x.ld + c]) - double(a.mean.data[c])) * double(a.rstd.data[c]);
    terms.dy += dy;
    terms.dy_xhat = std::fma(dy, xhat, terms.dy_xhat);
  }
  return terms;
}

void store(const VectorView<real>& y, int64_t c, double value, real beta) {
  if (y.data == nullptr) return;
  y.data[c] = real(beta == 0 ? value : double(beta) * double(y.data[c]) + value);
}
}  // namespace

HWY_EXPORT(layer_norm_row);
void layer_norm(CpuContext& context, const LayerNorm& a) {
  const auto row = HWY_DYNAMIC_DISPATCH(layer_norm_row);
  context.parallel_ranges("layer_norm", a.x.rows, kRowGrain, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) row(a, n);
  });
}

HWY_EXPORT(layer_norm_grad_row);
HWY_EXPORT(layer_norm_parameters);
void layer_norm_grad(CpuContext& context, const LayerNormGrad& a) {
  const auto row = HWY_DYNAMIC_DISPATCH(layer_norm_grad_row);
  const auto parameters = HWY_DYNAMIC_DISPATCH(layer_norm_parameters);
  context.enqueue("layer_norm_grad", [&] {
    if (a.dx.data != nullptr)
      context.pool().run((a.x.rows + kRowGrain - 1) / kRowGrain, [&](int64_t i) {
        for (int64_t n = i * kRowGrain; n < std::min(a.x.rows, (i + 1) * kRowGrain); ++n) row(a, n);
      });
    if (a.dgain.data == nullptr && a.dshift.data == nullptr) return;
    context.pool().run((a.x.cols + kParameterGrain - 1) / kParameterGrain, [&](int64_t i) {
      parameters(a, i * kParameterGrain, std::min(a.x.cols, (i + 1) * kParameterGrain));
    });
  });
}

HWY_EXPORT(batch_norm_columns);
void batch_norm(CpuContext& context, const BatchNorm& a) {
  const auto columns = HWY_DYNAMIC_DISPATCH(batch_norm_columns);
  context.parallel_ranges("batch_norm", a.x.cols, kColumnGrain,
                          [&](int64_t begin, int64_t end) { columns(a, begin, end); });
}

void batch_norm_grad(CpuContext& context, const BatchNormGrad& a) {
  context.parallel_ranges(
      "batch_norm_grad", a.x.cols, kColumnGrain, [&](int64_t begin, int64_t end) {
        for (int64_t c = begin; c < end; ++c) {
          const ColumnTerms terms = column_terms(a, c);
          store(a.dgain, c, terms.dy_xhat, a.beta_p);
          store(a.dshift, c, terms.dy, a.beta_p);
          if (a.dx.data == nullptr) continue;
          const double rows = static_cast<double>(a.x.rows);
          const double mean_dy = a.training ? terms.dy / rows : 0;
          const double mean_dy_xhat = a.training ? terms.dy_xhat / rows : 0;
          const double factor = double(a.gain.data[c]) * double(a.rstd.data[c]);
          for (int64_t n = 0; n < a.x.rows; ++n) {
            const double xhat = (double(a.x.data[n * a.x.ld + c]) - double(a.mean.data[c])) *
                                double(a.rstd.data[c]);
            const double dx =
                factor * (double(a.dy.data[n * a.dy.ld + c]) - mean_dy - xhat * mean_dy_xhat);
            real& out = a.dx.data[n * a.dx.ld + c];
            out = real(a.beta_x == 0 ? dx : double(a.beta_x) * double(out) + dx);
          }
        }
      });
}

}  // namespace tessera::inline TESSERA_PRECISION::kernels
#endif
