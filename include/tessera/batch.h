#pragma once

#include "tessera/kernels/batch.h"
#include "tessera/tensor.h"
#include "tessera/training_state.h"

namespace tessera::inline TESSERA_PRECISION {

using kernels::RowSource;

/// The rows of the step under way: [rows, source.cols], drawn from `subset` in the epoch's shuffled
/// order (kernels/batch.h). `rows_per_step` is the size of a full batch, `rows` that of this one.
Tensor load_batch(const RowSource& source, const Buffer<int32_t>& subset, int64_t rows,
                  int64_t rows_per_step, const TrainingState& state);

/// Rows subset[first, first + rows) of the source in that order; rows first... where `subset` is
/// empty.
Tensor gather_rows(const RowSource& source, const Buffer<int32_t>& subset, int64_t first,
                   int64_t rows, Device device);

}  // namespace tessera::inline TESSERA_PRECISION
