#include "core/context.h"
#include "tessera/kernels/elementwise.h"
#include "tessera/kernels/vq_update.h"
#include "tessera/ops.h"

namespace tessera::inline TESSERA_PRECISION {
namespace {

void check_sizes(const VqTable& table, int64_t columns, int64_t codebook_values) {
  int64_t written = 0;
  for (const kernels::VqGroup& group : table.groups()) {
    written += group.dim;
    const int64_t end = group.codebook_begin + int64_t{group.codebook_size} * group.dim;
    TESSERA_CHECK(end <= codebook_values, "nearest_codes: the codebooks have ", codebook_values,
                  " values, the table reads up to ", end);
    TESSERA_CHECK(group.latent_begin + group.dim <= columns, "nearest_codes: latents have ",
                  columns, " columns, a codebook reads up to ", group.latent_begin + group.dim);
  }
  TESSERA_CHECK(written == columns, "nearest_codes: the codebooks read ", written, " of ", columns,
                " columns; the rest would be undefined");
}

void check_same_shape(const char* op, const Var& latents, const Tensor& quantized) {
  TESSERA_CHECK(latents.rows() == quantized.rows() && latents.cols() == quantized.cols(), op,
                ": latents are [", latents.rows(), ", ", latents.cols(), "], quantized [",
                quantized.rows(), ", ", quantized.cols(), "]; shapes must be equal");
}

}  // namespace

NearestCodes nearest_codes(const VqTable& table, const Var& latents, const Var& codebooks,
                           Buffer<int32_t>* nonfinite) {
  check_sizes(table, latents.cols(), codebooks.value().size());
  const int64_t rows = latents.rows(), groups = table.size();
  Buffer<int32_t> codes(rows * groups, latents.device());
  Tensor quantized = Tensor::empty(rows, latents.cols(), latents.device());
  on_device(latents.device(), [&](auto& context) {
    kernels::vq_assign(
        context, {.groups = table.view(),
                  .latents = latents.value().view(),
                  .codebooks = codebooks.value().flat(),
                  .codes = {codes.data(), rows, groups, groups},
                  .quantized = quantized.mutable_view(),
                  .sq_dist = {},
                  .nonfinite = nonfinite ? nonfinite->mutable_view() : VectorView<int32_t>{}});
  });
  Var hard = record(
      "nearest_codes", quantized, {codebooks.ref()},
      [table, codes, rows, groups, ref = codebooks.ref()](const Tensor& dq, Gradients grad) {
        const GradSlot dcodebooks = grad.part(ref);  // padding between codebooks stays 0
        on_device(dq.device(), [&](auto& context) {
          kernels::vq_code_sums(context, {.groups = table.view(),
                                          .codes = {codes.data(), rows, groups, groups},
                                          .rows = dq.view(),
                                          .counts = {},
                                          .sums = dcodebooks.tensor->mutable_flat(),
                                          .usage = {},
                                          .beta = 1});
        });
      });
  return {codes, hard};
}

Var straight_through(const Var& latents, const Tensor& quantized) {
  check_same_shape("straight_through", latents, quantized);
  return record("straight_through", quantized, {latents.ref()},
                [ref = latents.ref()](const Tensor& dy, Gradients grad) {
                  const GradSlot dx = grad.over(ref, dy);
                  if (dx->flat().data == dy.flat().data) return;  // it took its place
                  on_device(dy.device(), [&](auto& context) {
                    kernels::scale_add(context, {.x = dy.flat(),
                                                 .y = dx.tensor->mutable_flat(),
                                                 .alpha = 1,
                                                 .beta = dx.beta});
                  });
                });
}

Var rotation_trick(const VqTable& table, const Var& latents, const Tensor& quantized) {
  check_same_shape("rotation_trick", latents, quantized);
  return record("rotation_trick", quantized, {latents.ref()},
                [table, latents, quantized](const Tensor& dy, Gradients grad) {
                  const GradSlot dx = grad.whole(latents.ref());
                  on_device(dy.device(), [&](auto& context) {
                    kernels::vq_rotation_grad(context, {.groups = table.view(),
                                                        .latents = latents.value().view(),
                                                        .quantized = quantized.view(),
                                                        .dy = dy.view(),
                                                        .dlatents = dx.tensor->mutable_view(),
                                                        .beta = dx.beta});
                  });
                });
}

}  // namespace tessera::inline TESSERA_PRECISION
