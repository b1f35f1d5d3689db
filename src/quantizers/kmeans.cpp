#include "tessera/kmeans.h"

#include "core/context.h"
#include "tessera/group_table.h"
#include "tessera/kernels/kmeans.h"
#include "tessera/kernels/vq_update.h"

namespace tessera::inline TESSERA_PRECISION {

Tensor kmeans_plus_plus(MatrixView<const real> rows, Device device, const KmeansOptions& options) {
  require(rows.rows >= options.clusters, ErrorKind::Config, "k-means: ", rows.rows, " rows for ",
          options.clusters, " clusters; give more data or smaller codebooks (quantizer.codebook_size, model.levels), or "
          "start them at random (quantizer.codebook_init: normal)");
  Tensor centres = Tensor::empty(options.clusters, rows.cols, device, Lifetime::Persistent);
  Buffer<real> sq_dist(rows.rows, device, Lifetime::Persistent);
  Buffer<double> block_sums(
      (rows.rows + kernels::KmeansDraw::kBlock - 1) / kernels::KmeansDraw::kBlock, device,
      Lifetime::Persistent);
  for (int64_t draw = 0; draw < options.clusters; ++draw)
    on_device(device, [&](auto& context) {
      kernels::kmeans_draw(context, {.rows = rows,
                                     .sq_dist = sq_dist.mutable_view(),
                                     .centres = centres.mutable_view(),
                                     .block_sums = block_sums.mutable_view(),
                                     .draw = draw,
                                     .seed = options.seed,
                                     .stream_step = options.stream_step});
    });
  return centres;
}

std::vector<real> lloyd_iteration(MatrixView<const real> rows, Tensor& centres,
                                  double* mean_sq_dist, bool update) {
  const Device device = centres.device();
  std::vector<kernels::VqGroup> group = {{.dim = static_cast<int32_t>(centres.cols()),
                                          .codebook_size = static_cast<int32_t>(centres.rows())}};
  kernels::VqGroup::pack(group);
  const GroupTable<kernels::VqGroup> table(group, device);
  Buffer<int32_t> codes(rows.rows, device, Lifetime::Persistent);
  Buffer<real> distances;
  if (mean_sq_dist != nullptr) distances = Buffer<real>(rows.rows, device, Lifetime::Persistent);
  Buffer<real> counts(centres.rows(), device, Lifetime::Persistent);
  Tensor sums = Tensor::empty(centres.rows(), centres.cols(), device, Lifetime::Persistent);
  on_device(device, [&](auto& context) {
    const MatrixView<int32_t> code_view = {codes.data(), rows.rows, 1, 1};
    kernels::vq_assign(
        context, {.groups = table.view(),
                  .latents = rows,
                  .codebooks = centres.flat(),
                  .codes = code_view,
                  .quantized = {},
                  .sq_dist = {mean_sq_dist ? distances.data() : nullptr, rows.rows, 1, 1},
                  .nonfinite = {}});
    kernels::vq_code_sums(context,
                          {.groups = table.view(),
                           .codes = {codes.data(), rows.rows, 1, 1},
                           .rows = rows,
                           .counts = counts.mutable_view(),
                           .sums = update ? sums.mutable_flat() : VectorView<real>{},
                           .usage = {}});
    if (update)
      kernels::kmeans_centres(context, {.counts = counts.view(),
                                        .sums = sums.view(),
                                        .centres = centres.mutable_view()});
  });
  if (mean_sq_dist != nullptr) {
    double sum = 0;
    for (const real distance : distances.to_host()) sum += double(distance);
    *mean_sq_dist = rows.rows > 0 ? sum / static_cast<double>(rows.rows) : 0;
  }
  return counts.to_host();
}

KmeansResult kmeans(MatrixView<const real> rows, Device device, const KmeansOptions& options) {
  KmeansResult result{.centres = kmeans_plus_plus(rows, device, options), .counts = {}};
  for (int i = 0; i < options.iterations; ++i) {
    lloyd_iteration(rows, result.centres);
    if (options.progress) options.progress(i + 1, options.iterations);
  }
  result.counts = lloyd_iteration(rows, result.centres, &result.mean_sq_dist, false);
  return result;
}

}  // namespace tessera::inline TESSERA_PRECISION
