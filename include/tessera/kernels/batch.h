#pragma once

#include "tessera/kernels/host_device.h"
#include "tessera/kernels/permutation.h"
#include "tessera/kernels/step_state.h"
#include "tessera/kernels/views.h"
#include "tessera/precision.h"

namespace tessera::inline TESSERA_PRECISION {
namespace kernels {

/// Rows of a data set as it lies on the device: bytes or values, whichever is not null.
///   value(n, f) = scale * bytes[n, f]   or   scale * values[n, f]
struct RowSource {
  const uint8_t* bytes = nullptr;  // [rows, cols]
  const real* values = nullptr;    // [rows, cols]
  int64_t rows = 0, cols = 0;
  real scale = 1;
};

TESSERA_HD real value_at(const RowSource& source, int64_t i) {
  return source.scale * (source.bytes ? real(source.bytes[i]) : source.values[i]);
}

/// batch[b, :] = source row subset[permuted_index(seed, kStreamShuffle, epoch, i, M)],
///   i = (first + b) mod M,  first = (step_in_epoch - 1) * rows_per_step
/// M is the size of `subset`, the rows that training may see. Every row once an epoch.
struct LoadBatch {
  RowSource source;
  VectorView<const int32_t> subset;  // [M] row numbers
  MatrixView<real> batch;            // [B, cols]  out
  int64_t rows_per_step;             // of a full batch; the last of an epoch may have fewer rows
  const StepState* state;
};
void load_batch(CpuContext&, const LoadBatch&);
void load_batch(CudaContext&, const LoadBatch&);

/// batch[b, :] = source row subset[first + b], or first + b where subset is null.
struct GatherRows {
  RowSource source;
  VectorView<const int32_t> subset;
  int64_t first;
  MatrixView<real> batch;  // [B, cols]  out
};
void gather_rows(CpuContext&, const GatherRows&);
void gather_rows(CudaContext&, const GatherRows&);

TESSERA_HD int64_t shuffled_row(const LoadBatch& a, int64_t b) {
  const uint64_t size = static_cast<uint64_t>(a.subset.size);
  const uint64_t first = (a.state->step_in_epoch - 1) * static_cast<uint64_t>(a.rows_per_step);
  return a.subset.data[permuted_index(a.state->seed, kStreamShuffle, a.state->epoch,
                                      (first + static_cast<uint64_t>(b)) % size, size)];
}

}  // namespace kernels
}  // namespace tessera::inline TESSERA_PRECISION
