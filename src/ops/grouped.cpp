#include "core/context.h"
#include "tessera/grouped_ops.h"
#include "tessera/kernels/column_loss.h"
#include "tessera/kernels/elementwise.h"
#include "tessera/kernels/grouped_normalize.h"

namespace tessera::inline TESSERA_PRECISION {
namespace {

void check_linear(const LinearTable& table, const Var& x, const Var& weights, const Var& bias) {
  int64_t outputs = 0;
  for (const kernels::LinearGroup& group : table.groups()) {
    outputs += group.out;
    TESSERA_CHECK(group.in_begin + group.in <= x.cols(), "grouped_linear: x has ", x.cols(),
                  " columns, a group reads up to ", group.in_begin + group.in);
    TESSERA_CHECK(group.weight_begin + int64_t{group.in} * group.out <= weights.value().size(),
                  "grouped_linear: ", weights.value().size(), " weights, a group reads up to ",
                  group.weight_begin + int64_t{group.in} * group.out);
  }
  TESSERA_CHECK(bias.is_null() || bias.value().size() == outputs, "grouped_linear: bias has ",
                bias.is_null() ? 0 : bias.value().size(), " values for ", outputs, " outputs");
}

int64_t outputs_of(const LinearTable& table) {
  int64_t outputs = 0;
  for (const kernels::LinearGroup& group : table.groups()) outputs += group.out;
  return outputs;
}

/// The gradient for an input whose columns may not all be read: those that are not stay 0.
GradSlot input_slot(const LinearTable& table, const Var& x, Gradients& grad) {
  int64_t inputs = 0;
  for (const kernels::LinearGroup& group : table.groups()) inputs += group.in;
  return inputs == x.cols() ? grad.whole(x.ref()) : grad.part(x.ref());
}

/// Padding between the weights of two groups is written by no kernel and stays 0.
GradSlot weight_slot(const LinearTable& table, const Var& weights, Gradients& grad) {
  int64_t used = 0;
  for (const kernels::LinearGroup& group : table.groups()) used += int64_t{group.in} * group.out;
  return used == weights.value().size() ? grad.whole(weights.ref()) : grad.part(weights.ref());
}

}  // namespace

Var grouped_linear(const LinearTable& table, const Var& x, const Var& weights, const Var& bias) {
  check_linear(table, x, weights, bias);
  Tensor y = Tensor::empty(x.rows(), outputs_of(table), x.device());
  on_device(x.device(), [&](auto& context) {
    kernels::grouped_linear(
        context, {.groups = table.view(),
                  .x = x.value().view(),
                  .weights = weights.value().flat(),
                  .bias = bias.is_null() ? VectorView<const real>{} : bias.value().flat(),
                  .y = y.mutable_view()});
  });
  return record("grouped_linear", y, {x.ref(), weights.ref(), bias.ref()},
                [table, x, weights, bias_ref = bias.ref()](const Tensor& dy, Gradients grad) {
                  on_device(dy.device(), [&](auto& context) {
                    if (GradSlot dw = weight_slot(table, weights, grad))
                      kernels::grouped_linear_weight_grad(context, {.groups = table.view(),
                                                                    .x = x.value().view(),
                                                                    .dy = dy.view(),
                                                                    .dweights = dw->mutable_flat(),
                                                                    .beta = dw.beta});
                    if (GradSlot db = grad.whole(bias_ref))
                      kernels::column_sums(
                          context, {.x = dy.view(), .sums = db->mutable_flat(), .beta = db.beta});
                    if (GradSlot dx = input_slot(table, x, grad))
                      kernels::grouped_linear_input_grad(context,
                                                         {.groups = table.view(),
                                                          .dy = dy.view(),
                                                          .weights = weights.value().flat(),
                                                          .dx = dx->mutable_view(),
                                                          .beta = dx.beta});
                  });
                });
}

Var grouped_layer_norm(const ColumnTable& table, const Var& x, const Var& gain, const Var& shift,
                       real epsilon) {
  int64_t columns = 0;
  for (const kernels::ColumnGroup& group : table.groups()) columns += group.cols;
  TESSERA_CHECK(
      columns == x.cols() && gain.value().size() == columns && shift.value().size() == columns,
      "grouped_layer_norm: groups have ", columns, " columns, x ", x.cols(), ", gain ",
      gain.value().size(), ", shift ", shift.value().size());
  Tensor y = Tensor::empty(x.rows(), x.cols(), x.device());
  Tensor mean = Tensor::empty(x.rows(), table.size(), x.device());
  Tensor rstd = Tensor::empty(x.rows(), table.size(), x.device());
  on_device(x.device(), [&](auto& context) {
    kernels::grouped_layer_norm(context, {.groups = table.view(),
                                          .x = x.value().view(),
                                          .gain = gain.value().flat(),
                                          .shift = shift.value().flat(),
                                          .y = y.mutable_view(),
                                          .mean = mean.mutable_view(),
                                          .rstd = rstd.mutable_view(),
                                          .epsilon = epsilon});
  });
  return record(
      "grouped_layer_norm", y, {x.ref(), gain.ref(), shift.ref()},
      [table, x, gain, mean, rstd, shift_ref = shift.ref()](const Tensor& dy, Gradients grad) {
        kernels::GroupedLayerNormGrad args{};
        args.groups = table.view();
        args.x = x.value().view();
        args.dy = dy.view();
        args.gain = gain.value().flat();
        args.mean = mean.view();
        args.rstd = rstd.view();
        const GradSlot dx = grad.whole(x.ref());
        const GradSlot dgain = grad.part(gain.ref()), dshift = grad.part(shift_ref);
        if (dx) {
          args.dx = dx.tensor->mutable_view();
          args.beta_x = dx.beta;
        }
        if (dgain) args.dgain = dgain.tensor->mutable_flat();
        if (dshift) args.dshift = dshift.tensor->mutable_flat();
        args.beta_p = 1;
        on_device(dy.device(),
                  [&](auto& context) { kernels::grouped_layer_norm_grad(context, args); });
      });
}

namespace {

struct ColumnErrors {
  Tensor loss;
  Buffer<double> sums;
};
ColumnErrors column_errors(const Tensor& prediction, const Tensor& target, const Tensor& weight,
                           const Buffer<int32_t>& columns, double factor) {
  TESSERA_CHECK(prediction.rows() == target.rows() && weight.size() == prediction.cols() &&
                    (columns.empty() ? target.cols() == prediction.cols()
                                     : columns.size() == prediction.cols()),
                "squared errors by column: prediction [", prediction.rows(), ", ",
                prediction.cols(), "], target [", target.rows(), ", ", target.cols(), "], ",
                weight.size(), " weights, ", columns.size(), " columns");
  const Device device = prediction.device();
  ColumnErrors errors{Tensor::empty(1, 1, device), Buffer<double>(prediction.cols(), device)};
  on_device(device, [&](auto& context) {
    kernels::column_squared_error(
        context, {.p = prediction.view(),
                  .t = target.view(),
                  .target = columns.empty() ? VectorView<const int32_t>{} : columns.view(),
                  .weight = weight.flat(),
                  .sums = errors.sums.mutable_view(),
                  .loss = errors.loss.mutable_flat(),
                  .factor = factor});
  });
  return errors;
}

}  // namespace

Buffer<double> column_squared_errors(const Tensor& prediction, const Tensor& target,
                                     const Buffer<int32_t>& columns) {
  const Tensor unweighted = Tensor::zeros(1, prediction.cols(), prediction.device());
  return column_errors(prediction, target, unweighted, columns, 1).sums;
}

Var weighted_squared_error(const Var& prediction, const Var& target, const Tensor& weight,
                           const Buffer<int32_t>& columns) {
  TESSERA_CHECK(columns.empty() || !target.is_recorded(),
                "weighted_squared_error: a target with other columns is a constant");
  const double factor = 1 / static_cast<double>(std::max<int64_t>(1, prediction.rows()));
  const Tensor loss =
      column_errors(prediction.value(), target.value(), weight, columns, factor).loss;
  return record("weighted_squared_error", loss, {prediction.ref(), target.ref()},
                [prediction, target, weight, columns, factor](const Tensor& dloss, Gradients grad) {
                  const auto into = [&](const Var& p, const Var& t) {
                    const GradSlot dp = grad.whole(p.ref());
                    if (!dp) return;
                    on_device(dloss.device(), [&](auto& context) {
                      kernels::column_squared_error_grad(
                          context,
                          {.p = p.value().view(),
                           .t = t.value().view(),
                           .target = columns.empty() ? VectorView<const int32_t>{} : columns.view(),
                           .weight = weight.flat(),
                           .dloss = dloss.flat(),
                           .dp = dp.tensor->mutable_view(),
                           .factor = factor,
                           .beta = dp.beta});
                    });
                  };
                  into(prediction, target);
                  if (columns.empty()) into(target, prediction);
                });
}

namespace {
/// y[0, count) = x[0, count) + beta y
void copy_values(const Tensor& x, Tensor& y, int64_t count, real beta) {
  on_device(x.device(), [&](auto& context) {
    kernels::scale_add(context, {.x = {x.flat().data, count},
                                 .y = {y.mutable_flat().data, count},
                                 .alpha = 1,
                                 .beta = beta});
  });
}
}  // namespace

Var first_rows(const Var& x, int64_t rows) {
  if (rows >= x.rows()) return x;
  Tensor y = Tensor::empty(rows, x.cols(), x.device());
  copy_values(x.value(), y, y.size(), 0);
  return record("first_rows", y, {x.ref()}, [ref = x.ref()](const Tensor& dy, Gradients grad) {
    const GradSlot dx = grad.part(ref);
    copy_values(dy, *dx.tensor, dy.size(), 1);
  });
}

}  // namespace tessera::inline TESSERA_PRECISION
