#pragma once

#include <cmath>
#include <limits>
#include <vector>

#include "core/context.h"
#include "tessera/group_table.h"
#include "tessera/kernels/vq_assign.h"
#include "testing/determinism.h"
#include "testing/guarded_matrix.h"

namespace tessera::testing {

/// What a search returns, packed.
struct Assigned {
  std::vector<int32_t> codes;
  std::vector<real> quantized, sq_dist;
  int32_t nonfinite = 0;
};

/// Rows of latents and the codebooks of all groups, packed one after another.
struct VqCase {
  std::vector<kernels::VqGroup> groups;
  kernels::VqGroup::Sizes sizes;
  int64_t rows;
  std::vector<real> latents, codebooks;

  VqCase(std::vector<kernels::VqGroup> wanted, int64_t row_count, uint64_t seed = 1)
      : groups(std::move(wanted)), sizes(kernels::VqGroup::pack(groups)), rows(row_count) {
    latents = normal<real>(rows * sizes.latents, 2 * seed);
    codebooks = normal<real>(sizes.codebooks, 2 * seed + 1);
  }
  /// One codebook of `count` codes with `dim` dimensions.
  VqCase(int64_t row_count, int32_t count, int32_t dim, uint64_t seed = 1)
      : VqCase({{dim, count}}, row_count, seed) {}

  real* latent(int64_t n, size_t g = 0) {
    return &latents[static_cast<size_t>(n * sizes.latents + groups[g].latent_begin)];
  }
  real* code(int64_t k, size_t g = 0) {
    return &codebooks[static_cast<size_t>(groups[g].codebook_begin + k * groups[g].dim)];
  }

  Assigned run(Device device = {}) const {
    const auto group_count = static_cast<int64_t>(groups.size());
    const GroupTable<kernels::VqGroup> table(groups, device);
    const auto x = Buffer<real>::from_host(latents, device);
    const auto books = Buffer<real>::from_host(codebooks, device);
    GuardedMatrix<int32_t> codes(rows, group_count, -7, device);
    GuardedMatrix<real> quantized(rows, sizes.latents, real(-7), device);
    GuardedMatrix<real> sq_dist(rows, group_count, real(-7), device);
    auto nonfinite = Buffer<int32_t>::from_host(std::vector<int32_t>{1000}, device);
    on_device(device, [&](auto& context) {
      const int64_t before = context.launches();
      kernels::vq_assign(context, {.groups = table.view(),
                                   .latents = {x.data(), rows, sizes.latents, sizes.latents},
                                   .codebooks = books.view(),
                                   .codes = codes.view(),
                                   .quantized = quantized.view(),
                                   .sq_dist = sq_dist.view(),
                                   .nonfinite = nonfinite.mutable_view()});
      EXPECT_EQ(context.launches() - before, 1);
    });
    return {codes.read(), quantized.read(), sq_dist.read(), nonfinite.to_host()[0] - 1000};
  }

  static double distance(const real* x, const real* c, int32_t dim) {
    double sum = 0;
    for (int32_t d = 0; d < dim; ++d)
      sum = std::fma(double(x[d]) - double(c[d]), double(x[d]) - double(c[d]), sum);
    return sum;
  }

  /// The definition.
  Assigned expected() {
    Assigned result;
    for (int64_t n = 0; n < rows; ++n)
      for (size_t g = 0; g < groups.size(); ++g) {
        const real* x = latent(n, g);
        const int32_t dim = groups[g].dim;
        double best = std::numeric_limits<double>::infinity();
        int32_t nearest = 0;
        for (int32_t k = 0; k < groups[g].codebook_size; ++k)
          if (const double dist = distance(x, code(k, g), dim); dist < best) {
            best = dist;
            nearest = k;
          }
        bool finite = true;
        for (int32_t d = 0; d < dim; ++d) finite = finite && std::isfinite(x[d]);
        if (!finite) ++result.nonfinite;
        result.codes.push_back(finite ? nearest : 0);
        const real* chosen = code(result.codes.back(), g);
        result.quantized.insert(result.quantized.end(), chosen, chosen + dim);
        result.sq_dist.push_back(real(distance(x, chosen, dim)));
      }
    return result;
  }

  void check(Device device = {}) {
    SCOPED_TRACE(::testing::Message() << rows << " rows, " << groups.size() << " groups, the first "
                                      << groups[0].codebook_size << " codes x " << groups[0].dim);
    const Assigned found = run(device), wanted = expected();
    expect_same_bits(found.codes, wanted.codes);
    expect_same_bits(found.quantized, wanted.quantized);
    EXPECT_EQ(found.nonfinite, wanted.nonfinite);
    ASSERT_EQ(found.sq_dist.size(), wanted.sq_dist.size());
    for (size_t i = 0; i < found.sq_dist.size(); ++i)
      if (!std::isnan(wanted.sq_dist[i]) || !std::isnan(found.sq_dist[i])) {
        ASSERT_EQ(found.sq_dist[i], wanted.sq_dist[i]) << "distance " << i;
      }
  }
};

}  // namespace tessera::testing
