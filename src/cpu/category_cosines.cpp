// Cosines between categories: contracts in tessera/kernels/category_cosines.h.
//
// Mapping    one thread: K*K values of tens of categories.
// Exactness  binary64, k and j ascending.

#include "tessera/kernels/category_cosines.h"

#include <cmath>

#include "cpu/cpu_context.h"

namespace tessera::inline TESSERA_PRECISION::kernels {

void category_cosines(CpuContext& context, const CategoryCosines& a) {
  context.enqueue("category_cosines", [&] {
    const int64_t count = a.products.rows;
    double sum = 0;
    for (int64_t k = 0; k < count; ++k)
      for (int64_t j = k + 1; j < count; ++j) sum += std::abs(cosine_at(a.products, k, j));
    a.loss.data[0] = real(pair_weight(count) * sum);
  });
}

void category_cosines_grad(CpuContext& context, const CategoryCosinesGrad& a) {
  context.enqueue("category_cosines_grad", [&] {
    const int64_t count = a.products.rows;
    const double scale = double(a.dloss.data[0]) * pair_weight(count);
    for (int64_t k = 0; k < count; ++k) {
      real* row = a.coefficients.data + k * a.coefficients.ld;
      double sum = 0;
      for (int64_t j = 0; j < count; ++j) {
        if (j == k) continue;
        const double cosine = cosine_at(a.products, k, j);
        sum += std::abs(cosine);
        row[j] = real(scale * ((cosine > 0) - (cosine < 0)) * inverse_norms(a.products, k, j));
      }
      row[k] = real(-scale * sum * inverse_norms(a.products, k, k));
    }
  });
}

}  // namespace tessera::inline TESSERA_PRECISION::kernels
