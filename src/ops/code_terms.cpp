#include "tessera/kernels/code_terms.h"

#include "core/context.h"
#include "tessera/grouped_ops.h"
#include "tessera/kernels/distances.h"
#include "tessera/kernels/elementwise.h"

namespace tessera::inline TESSERA_PRECISION {
namespace {

Tensor distances_of(const ColumnTable& table, const Var& x) {
  Tensor distances = Tensor::empty(x.rows(), x.rows(), x.device());
  on_device(x.device(), [&](auto& context) {
    kernels::mean_distances(
        context,
        {.groups = table.view(), .x = x.value().view(), .distances = distances.mutable_view()});
  });
  return distances;
}

/// [rows, rows], the mean over the groups; the gradient that reaches it must be symmetric.
Var distances(const ColumnTable& table, const Var& x) {
  return record("distances", distances_of(table, x), {x.ref()},
                [table, x](const Tensor& dd, Gradients grad) {
                  const GradSlot dx = grad.whole(x.ref());
                  on_device(dd.device(), [&](auto& context) {
                    kernels::mean_distances_grad(context, {.groups = table.view(),
                                                           .x = x.value().view(),
                                                           .dd = dd.view(),
                                                           .dx = dx.tensor->mutable_view(),
                                                           .beta = dx.beta});
                  });
                });
}

/// Differentiable in both; the gradients are symmetric where a and b are.
Var correlation(const Var& a, const Var& b) {
  Tensor r = Tensor::empty(1, 1, a.device());
  Buffer<double> moments(5, a.device());
  on_device(a.device(), [&](auto& context) {
    kernels::vector_correlation(context, {.a = a.value().flat(),
                                          .b = b.value().flat(),
                                          .moments = moments.mutable_view(),
                                          .r = r.mutable_flat()});
  });
  return record("correlation", r, {a.ref(), b.ref()},
                [a, b, moments](const Tensor& dr, Gradients grad) {
                  const GradSlot da = grad.whole(a.ref()), db = grad.whole(b.ref());
                  on_device(dr.device(), [&](auto& context) {
                    kernels::vector_correlation_grad(
                        context, {.a = a.value().flat(),
                                  .b = b.value().flat(),
                                  .moments = moments.view(),
                                  .dr = dr.flat(),
                                  .da = da ? da.tensor->mutable_flat() : VectorView<real>{},
                                  .db = db ? db.tensor->mutable_flat() : VectorView<real>{},
                                  .beta_a = da.beta,
                                  .beta_b = db.beta});
                  });
                });
}

}  // namespace

Topographic topographic(const ColumnTable& features, const Var& x, const ColumnTable& table,
                        const Var& latents, const Var& quantized, int64_t samples) {
  TESSERA_CHECK(x.rows() == latents.rows() && x.rows() == quantized.rows(),
                "topographic: ", x.rows(), " rows, ", latents.rows(), " latents and ",
                quantized.rows(), " codes");
  const Var input = distances(features, first_rows(x, samples));
  const Var before = distances(table, first_rows(latents, samples));
  const Var after = distances(table, first_rows(quantized, samples));
  const Var pre = correlation(input, before), post = correlation(before, after);
  const Var kept = add(pre, post, real(-0.3), real(-0.7));
  Tensor one = Tensor::empty(1, 1, x.device());
  on_device(x.device(),
            [&](auto& context) { kernels::fill(context, {.y = one.mutable_flat(), .value = 1}); });
  return {add(kept, Var(one)), pre.value(), post.value()};
}

Var code_orthogonality(const VqTable& table, const Var& codebooks) {
  Tensor loss = Tensor::empty(1, 1, codebooks.device());
  Buffer<double> parts(table.size(), codebooks.device());
  on_device(codebooks.device(), [&](auto& context) {
    kernels::code_orthogonality(context, {.groups = table.view(),
                                          .codebooks = codebooks.value().flat(),
                                          .parts = parts.mutable_view(),
                                          .loss = loss.mutable_flat()});
  });
  return record("code_orthogonality", loss, {codebooks.ref()},
                [table, codebooks](const Tensor& dloss, Gradients grad) {
                  const GradSlot dcodes = grad.part(codebooks.ref());
                  on_device(dloss.device(), [&](auto& context) {
                    kernels::code_orthogonality_grad(context,
                                                     {.groups = table.view(),
                                                      .codebooks = codebooks.value().flat(),
                                                      .dloss = dloss.flat(),
                                                      .dcodebooks = dcodes.tensor->mutable_flat()});
                  });
                });
}

Var code_entropy(const VqTable& table, const Var& latents, const Tensor& codebooks,
                 real temperature) {
  int64_t codes = 0, columns = 0;
  for (const kernels::VqGroup& group : table.groups()) {
    codes += group.codebook_size;
    columns += group.dim;
  }
  TESSERA_CHECK(columns == latents.cols(), "code_entropy: codebooks read ", columns, " of ",
                latents.cols(), " columns");
  Tensor loss = Tensor::empty(1, 1, latents.device());
  Buffer<double> use(codes, latents.device());
  Buffer<double> parts(table.size(), latents.device());
  on_device(latents.device(), [&](auto& context) {
    kernels::code_entropy(context, {.groups = table.view(),
                                    .latents = latents.value().view(),
                                    .codebooks = codebooks.flat(),
                                    .use = use.mutable_view(),
                                    .parts = parts.mutable_view(),
                                    .loss = loss.mutable_flat(),
                                    .temperature = temperature});
  });
  return record("code_entropy", loss, {latents.ref()},
                [table, latents, codebooks, use, temperature](const Tensor& dloss, Gradients grad) {
                  const GradSlot dx = grad.whole(latents.ref());
                  on_device(dloss.device(), [&](auto& context) {
                    kernels::code_entropy_grad(context, {.groups = table.view(),
                                                         .latents = latents.value().view(),
                                                         .codebooks = codebooks.flat(),
                                                         .dloss = dloss.flat(),
                                                         .use = use.view(),
                                                         .dlatents = dx.tensor->mutable_view(),
                                                         .temperature = temperature,
                                                         .beta = dx.beta});
                  });
                });
}

}  // namespace tessera::inline TESSERA_PRECISION
