#include "tessera/batch.h"

#include "core/context.h"

namespace tessera::inline TESSERA_PRECISION {

Tensor load_batch(const RowSource& source, const Buffer<int32_t>& subset, int64_t rows,
                  int64_t rows_per_step, const TrainingState& state) {
  Tensor batch = Tensor::empty(rows, source.cols, state.device());
  on_device(state.device(), [&](auto& context) {
    kernels::load_batch(context, {.source = source,
                                  .subset = subset.view(),
                                  .batch = batch.mutable_view(),
                                  .rows_per_step = rows_per_step,
                                  .state = state.get()});
  });
  return batch;
}

Tensor gather_rows(const RowSource& source, const Buffer<int32_t>& subset, int64_t first,
                   int64_t rows, Device device) {
  TESSERA_CHECK(first >= 0 && first + rows <= (subset.empty() ? source.rows : subset.size()),
                "gather_rows: rows ", first, " to ", first + rows, " of ",
                subset.empty() ? source.rows : subset.size());
  Tensor batch = Tensor::empty(rows, source.cols, device);
  on_device(device, [&](auto& context) {
    kernels::gather_rows(
        context, {.source = source,
                  .subset = subset.empty() ? VectorView<const int32_t>{} : subset.view(),
                  .first = first,
                  .batch = batch.mutable_view()});
  });
  return batch;
}

}  // namespace tessera::inline TESSERA_PRECISION
