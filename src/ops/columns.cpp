#include <algorithm>

#include "core/context.h"
#include "tessera/assignment_ops.h"
#include "tessera/grid_ops.h"
#include "tessera/kernels/copy_block.h"

namespace tessera::inline TESSERA_PRECISION {
namespace {

/// to = from + beta to.
void copy(MatrixView<const real> from, MatrixView<real> to, real beta, Device device) {
  on_device(device, [&](auto& context) {
    kernels::copy_block(context, {.x = from, .y = to, .beta = beta});
  });
}

/// Columns [first, first + count) of a matrix.
template <class T>
MatrixView<T> columns_of(MatrixView<T> matrix, int64_t first, int64_t count) {
  return {matrix.data + first, matrix.rows, count, matrix.ld};
}
template <class T>
MatrixView<T> rows_of(MatrixView<T> matrix, int64_t first, int64_t count) {
  return {matrix.data + first * matrix.ld, count, matrix.cols, matrix.ld};
}

}  // namespace

Var concatenate_columns(const std::vector<Var>& parts) {
  TESSERA_CHECK(!parts.empty(), "concatenate_columns: no parts");
  if (parts.size() == 1) return parts.front();
  struct Part {
    VarRef ref;
    int64_t first, columns;
  };
  std::vector<Part> places;
  VarRef recorded;  // record() wants to know the tape alone
  int64_t columns = 0;
  for (const Var& part : parts) {
    TESSERA_CHECK(part.rows() == parts.front().rows(), "concatenate_columns: part ", places.size(),
                  " has ", part.rows(), " rows, the first ", parts.front().rows());
    places.push_back({part.ref(), columns, part.cols()});
    columns += part.cols();
    if (!part.is_recorded()) continue;
    TESSERA_CHECK(recorded.tape == nullptr || recorded.tape == part.ref().tape,
                  "concatenate_columns: parts come from two tapes");
    recorded = part.ref();
  }
  Tensor y = Tensor::empty(parts.front().rows(), columns, parts.front().device());
  for (size_t i = 0; i < parts.size(); ++i)
    copy(parts[i].value().view(), columns_of(y.mutable_view(), places[i].first, places[i].columns),
         0, y.device());
  return record("concatenate_columns", y, {recorded}, [places](const Tensor& dy, Gradients grad) {
    for (const Part& part : places)
      if (GradSlot dx = grad.whole(part.ref))
        copy(columns_of(dy.view(), part.first, part.columns), dx->mutable_view(), dx.beta,
             dy.device());
  });
}

ColumnSelection::ColumnSelection(std::vector<int32_t> columns, int64_t width, Device device)
    : host_(std::move(columns)),
      width_(width),
      list_(std::make_shared<const ColumnList>(host_, width, device)) {
  std::vector<int32_t> sorted = host_;
  std::ranges::sort(sorted);
  const auto twice = std::ranges::adjacent_find(sorted);
  TESSERA_CHECK(twice == sorted.end(), "ColumnSelection: column ", *twice, " is taken twice");
}

Var take_columns(const Var& x, const ColumnSelection& selection) {
  TESSERA_CHECK(selection.list_ != nullptr && x.cols() == selection.width(), "take_columns: x has ",
                x.cols(), " columns, the selection is of ", selection.width());
  return gather_columns(*selection.list_, x);
}

Var slice_rows(const Var& x, int64_t first, int64_t count) {
  TESSERA_CHECK(first >= 0 && count > 0 && first + count <= x.rows(), "slice_rows: rows ", first,
                " to ", first + count, " of ", x.rows());
  Tensor y = Tensor::empty(count, x.cols(), x.device());
  copy(rows_of(x.value().view(), first, count), y.mutable_view(), 0, y.device());
  return record("slice_rows", y, {x.ref()},
                [first, count, ref = x.ref()](const Tensor& dy, Gradients grad) {
                  const GradSlot dx = grad.part(ref);
                  copy(dy.view(), rows_of(dx.tensor->mutable_view(), first, count), 1, dy.device());
                });
}

}  // namespace tessera::inline TESSERA_PRECISION
