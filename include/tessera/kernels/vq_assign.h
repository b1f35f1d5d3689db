#pragma once

#include <span>

#include "tessera/error.h"
#include "tessera/kernels/groups.h"
#include "tessera/kernels/views.h"
#include "tessera/precision.h"

namespace tessera::inline TESSERA_PRECISION {
namespace kernels {

/// One codebook among many: its columns of the latents, its rows in the flat codebooks.
struct VqGroup {
  int32_t dim, codebook_size;  // D_g, K_g
  int32_t latent_begin = 0;    // first column of the latents
  int32_t code_begin = 0;      // first entry in per-code vectors (counts): sum of K before it
  int64_t codebook_begin = 0;  // first element of [K_g, D_g], row-major, in the flat codebooks

  struct Sizes {
    int64_t latents = 0, codes = 0, codebooks = 0;
  };
  /// Places latents, codes and codebooks one after another, codebooks on 16-byte borders.
  static Sizes pack(std::span<VqGroup> groups) {
    Sizes sizes;
    for (VqGroup& group : groups) {
      group.latent_begin = static_cast<int32_t>(sizes.latents);
      group.code_begin = static_cast<int32_t>(sizes.codes);
      group.codebook_begin = sizes.codebooks;
      sizes.latents += group.dim;
      sizes.codes += group.codebook_size;
      sizes.codebooks += (int64_t{group.codebook_size} * group.dim + 3) / 4 * 4;
    }
    return sizes;
  }

  static constexpr int kCodesPerTile = 8;
  enum Tiling { kWhole, kByCode, kTilings };
  static int32_t tiles(std::span<const VqGroup> all, size_t g, int tiling) {
    return tiling == kWhole ? 1 : (all[g].codebook_size + kCodesPerTile - 1) / kCodesPerTile;
  }
  static void check(std::span<const VqGroup> all) {
    for (const VqGroup& group : all)
      TESSERA_CHECK(group.dim > 0 && group.codebook_size > 0,
                    "codebook of ", group.codebook_size, " codes x ", group.dim,
                    " dimensions; both must be positive");
  }
};

/// Nearest code of every row in every group: N rows x G codebooks in one launch, exact.
///
///   D(n, g, k)   = fma chain over d ascending of t_d^2, t_d = double(z[n, d]) - double(e_g[k, d])
///   codes[n, g]  = min { k : D(n, g, k) = min_j D(n, g, j) }       the lowest index among equals
///   quantized[n, columns of g] = e_g[codes[n, g]]                  bit for bit
///   sq_dist[n, g] = real(D(n, g, codes[n, g]))
///
/// The definition is in binary64 whatever `real` is: the same codes from every backend, batch
/// split, tiling and thread count. A row with a non-finite value gets code 0 and adds 1 to
/// `nonfinite`; a code with one is never chosen (code 0 where all are). N may exceed 2^31.
/// Never writes an N x K matrix. Outputs do not overlap inputs.
/// Source: van den Oord et al. 2017, eq. (1)-(2).
struct VqAssign {
  Groups<VqGroup> groups;
  MatrixView<const real> latents;    // [N, latent columns]
  VectorView<const real> codebooks;  // flat
  MatrixView<int32_t> codes;         // [N, G]  out
  MatrixView<real> quantized;        // [N, latent columns]  out; data may be null: not wanted
  MatrixView<real> sq_dist;          // [N, G]  out; data may be null: not wanted
  VectorView<int32_t> nonfinite;     // [1]  in, out; data may be null: not counted
};
void vq_assign(CpuContext&, const VqAssign&);   // src/cpu/vq_assign.cpp
void vq_assign(CudaContext&, const VqAssign&);  // cuda/vq_assign.cu

}  // namespace kernels
}  // namespace tessera::inline TESSERA_PRECISION
