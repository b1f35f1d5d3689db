#include <functional>

#include "tessera/group_table.h"
#include "tessera/kernels/adam.h"
#include "tessera/kernels/batch.h"
#include "tessera/kernels/elementwise.h"
#include "tessera/kernels/losses.h"
#include "tessera/kernels/matmul.h"
#include "tessera/kernels/normalize.h"
#include "tessera/kernels/unary.h"
#include "tessera/kernels/vq_update.h"
#include "tessera/step.h"
#include "tessera/tensor.h"
#include "testing/backends.h"
#include "testing/guarded.h"

namespace tessera {
namespace {

using kernels::Transpose;
using kernels::VqGroup;
using testing::random_values;

constexpr int64_t kRows = 33, kIn = 12, kDim = 7, kCodes = 20;

VqGroup book() {
  std::vector<VqGroup> group = {{kDim, kCodes}};
  VqGroup::pack(group);
  return group[0];
}

/// A little quantizer trained by hand-written steps: nearly every contract once, in the order and
/// with the lifetimes of a real one.
class LittleModel {
 public:
  explicit LittleModel(Device device)
      : device_(device),
        table_({book()}, device),
        data(Tensor::from_host(100, kIn, random_values(100 * kIn, 1), device)),
        weight(Tensor::from_host(kDim, kIn, random_values(kDim * kIn, 2, 0.3f), device)),
        bias(Tensor::zeros(1, kDim, device, Lifetime::Persistent)),
        books(Tensor::from_host(1, table_size(), random_values(table_size(), 3), device)),
        grads(Tensor::zeros(kDim, kIn, device, Lifetime::Persistent)),
        first(Tensor::zeros(kDim, kIn, device, Lifetime::Persistent)),
        second(Tensor::zeros(kDim, kIn, device, Lifetime::Persistent)),
        counts(Tensor::zeros(1, kCodes, device, Lifetime::Persistent)),
        sums(Tensor::zeros(1, table_size(), device, Lifetime::Persistent)),
        ones(Tensor::from_host(1, kDim, std::vector<float>(kDim, 1), device)),
        loss_sum(Buffer<double>::from_host(std::vector{0.0}, device)),
        norm(1, device, Lifetime::Persistent),
        resets(Buffer<int64_t>::from_host(std::vector<int64_t>{0}, device)),
        state(
            Buffer<StepState>::from_host(std::vector<StepState>{{.seed = 5, .now = {}}}, device)) {
    std::vector<int32_t> rows(100);
    for (int32_t i = 0; i < 100; ++i) rows[i] = i;
    subset = Buffer<int32_t>::from_host(rows, device);
    std::vector<ScheduleRow> schedule(3);
    for (int i = 0; i < 3; ++i) {
      schedule[i].learning_rate[0] = 0.01f * static_cast<float>(i + 1);
      schedule[i].clip_norm[0] = 0.5f;
    }
    table = Buffer<ScheduleRow>::from_host(schedule, device);
  }

  static int64_t table_size() { return kDim * kCodes; }

  void step() {
    on_device(device_, [&](auto& context) { step(context); });
  }

  std::vector<float> result() const {
    std::vector<float> all;
    for (const Tensor* tensor : {&weight, &books, &first, &second, &counts, &sums}) {
      const std::vector<float> values = tensor->to_host();
      all.insert(all.end(), values.begin(), values.end());
    }
    all.push_back(static_cast<float>(loss_sum.to_host()[0]));
    return all;
  }

 private:
  template <class AnyContext>
  void step(AnyContext& context) {
    kernels::advance_step(context, {state.data(), table.view()});
    Tensor x = Tensor::empty(kRows, kIn, device_), z = Tensor::empty(kRows, kDim, device_);
    kernels::load_batch(context, {.source = {.values = data.view().data, .rows = 100, .cols = kIn},
                                  .subset = subset.view(),
                                  .batch = x.mutable_view(),
                                  .rows_per_step = kRows,
                                  .state = state.data()});
    kernels::matmul(context, {.a = x.view(),
                              .b = std::as_const(weight).view(),
                              .c = z.mutable_view(),
                              .tb = Transpose::Yes,
                              .bias = std::as_const(bias).flat()});
    Tensor kept = Tensor::empty(kRows, kDim, device_), act = Tensor::empty(kRows, kDim, device_);
    kernels::dropout(context, {.x = z.flat(),
                               .y = kept.mutable_flat(),
                               .state = state.data(),
                               .stream = kernels::kStreamDropout,
                               .rate = 0.2f});
    kernels::unary(context, {kernels::UnaryOp::Silu, kept.flat(), act.mutable_flat()});
    Tensor y = Tensor::empty(kRows, kDim, device_), mean = Tensor::empty(1, kRows, device_);
    Tensor rstd = Tensor::empty(1, kRows, device_);
    kernels::layer_norm(context, {.x = act.view(),
                                  .gain = ones.flat(),
                                  .shift = bias.flat(),
                                  .y = y.mutable_view(),
                                  .mean = mean.mutable_flat(),
                                  .rstd = rstd.mutable_flat(),
                                  .epsilon = 1e-5f});
    quantize(context, y, x);
  }

  template <class AnyContext>
  void quantize(AnyContext& context, const Tensor& y, const Tensor& x) {
    Buffer<int32_t> codes(kRows, device_);
    Tensor q = Tensor::empty(kRows, kDim, device_);
    const MatrixView<const int32_t> codes_in = {codes.data(), kRows, 1, 1};
    kernels::vq_assign(context, {.groups = table_.view(),
                                 .latents = y.view(),
                                 .codebooks = books.flat(),
                                 .codes = {codes.data(), kRows, 1, 1},
                                 .quantized = q.mutable_view(),
                                 .sq_dist = {},
                                 .nonfinite = {}});
    Tensor loss = Tensor::empty(1, 1, device_), dz = Tensor::empty(kRows, kDim, device_);
    Tensor one = Tensor::empty(1, 1, device_);
    kernels::fill(context, {one.mutable_flat(), 1});
    kernels::mean_squared_error(context, {y.flat(), q.flat(), loss.mutable_flat()});
    kernels::mean_squared_error_grad(
        context, {.p = y.flat(), .t = q.flat(), .dloss = one.flat(), .dp = dz.mutable_flat()});
    kernels::matmul(context, {.a = dz.view(),
                              .b = x.view(),
                              .c = grads.mutable_view(),
                              .ta = Transpose::Yes,
                              .bias = {}});
    kernels::square_sum(context, {grads.flat(), norm.mutable_view()});
    kernels::adam_step(context, {.values = weight.mutable_flat(),
                                 .grads = grads.flat(),
                                 .first_moment = first.mutable_flat(),
                                 .second_moment = second.mutable_flat(),
                                 .grad_square_sum = std::as_const(norm).view(),
                                 .state = state.data(),
                                 .group = 0,
                                 .epsilon = 1e-8f});
    Tensor batch_counts = Tensor::empty(1, kCodes, device_);
    Tensor batch_sums = Tensor::empty(1, table_size(), device_);
    kernels::vq_code_sums(context, {.groups = table_.view(),
                                    .codes = codes_in,
                                    .rows = y.view(),
                                    .counts = batch_counts.mutable_flat(),
                                    .sums = batch_sums.mutable_flat(),
                                    .usage = {}});
    kernels::vq_ema_update(context, {.groups = table_.view(),
                                     .batch_counts = batch_counts.flat(),
                                     .batch_sums = batch_sums.flat(),
                                     .counts = counts.mutable_flat(),
                                     .sums = sums.mutable_flat(),
                                     .codebooks = books.mutable_flat(),
                                     .decay = 0.9f,
                                     .epsilon = 1e-5f});
    kernels::vq_reset_dead_codes(context, {.groups = table_.view(),
                                           .latents = y.view(),
                                           .counts = counts.mutable_flat(),
                                           .sums = sums.mutable_flat(),
                                           .first_moment = {},
                                           .second_moment = {},
                                           .codebooks = books.mutable_flat(),
                                           .resets = resets.mutable_view(),
                                           .state = state.data(),
                                           .interval = 2,
                                           .threshold = 0.5f,
                                           .max_fraction = 0.25f});
    kernels::RecordTerms terms{};
    terms.terms[0] = loss.flat().data;
    terms.count = 1;
    terms.weight = 1;
    terms.sums = loss_sum.mutable_view();
    terms.state = state.data();
    kernels::record_terms(context, terms);
  }

  Device device_;
  GroupTable<VqGroup> table_;
  Tensor data, weight, bias, books, grads, first, second, counts, sums, ones;
  Buffer<double> loss_sum, norm;
  Buffer<int64_t> resets;
  Buffer<StepState> state;
  Buffer<int32_t> subset;
  Buffer<ScheduleRow> table;
};

class CapturedKernelsTest : public testing::BackendTest {};
TESSERA_FOR_EACH_BACKEND(CapturedKernelsTest);

TEST_P(CapturedKernelsTest, ReplaysEqualEagerStepsBitForBit) {
  LittleModel eager(device()), captured(device());
  for (int i = 0; i < 4; ++i) run_step(device(), [&] { eager.step(); });
  CapturedStep step = capture(device(), [&] { captured.step(); });
  for (int i = 0; i < 4; ++i) step.replay();
  const std::vector<float> expected = eager.result();
  EXPECT_EQ(captured.result(), expected);
  for (const float value : expected) ASSERT_EQ(value, value);
}

TEST_P(CapturedKernelsTest, StepsAllocateNothingPersistent) {
  LittleModel model(device());
  const StepCounts counts = plan_step(device(), [&] { model.step(); });
  EXPECT_EQ(counts.persistent_allocations, 0);
  EXPECT_EQ(counts.synchronizations, 0);
}

TEST_P(CapturedKernelsTest, TwoRunsGiveTheSameBits) {
  LittleModel one(device()), two(device());
  for (int i = 0; i < 3; ++i) run_step(device(), [&] { one.step(); });
  for (int i = 0; i < 3; ++i) run_step(device(), [&] { two.step(); });
  EXPECT_EQ(one.result(), two.result());
}

// Both backends follow the same formulas, so a few steps stay together; codes are equal exactly.
TEST_P(CapturedKernelsTest, StaysWithTheCpu) {
  LittleModel here(device()), cpu({DeviceType::Cpu, 0});
  for (int i = 0; i < 3; ++i) {
    run_step(device(), [&] { here.step(); });
    run_step({DeviceType::Cpu, 0}, [&] { cpu.step(); });
  }
  const std::vector<float> a = here.result(), b = cpu.result();
  for (size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], 1e-4) << i;
}

}  // namespace
}  // namespace tessera
