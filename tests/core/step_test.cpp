#include "tessera/step.h"

#include "tessera/kernels/elementwise.h"
#include "tessera/ops.h"
#include "tessera/training_state.h"
#include "testing/backends.h"

namespace tessera {
namespace {

using testing::error_of;

class StepTest : public testing::BackendTest {
 protected:
  void fill(Tensor& y, float value) {
    on_device(device(), [&](auto& context) {
      kernels::fill(context, {.y = y.mutable_flat(), .value = value});
    });
  }
  /// y += x
  void accumulate(const Tensor& x, Tensor& y) {
    on_device(device(), [&](auto& context) {
      kernels::scale_add(context, {.x = x.flat(), .y = y.mutable_flat(), .alpha = 1, .beta = 1});
    });
  }
  Tensor persistent(int64_t cols) { return Tensor::zeros(1, cols, device(), Lifetime::Persistent); }
};
TESSERA_FOR_EACH_BACKEND(StepTest);

TEST_P(StepTest, SameRequestsGetSameAddresses) {
  std::vector<const float*> runs[3];
  for (auto& addresses : runs)
    run_step(device(), [&] {
      Tensor kept = Tensor::empty(3, 5, device());
      for (int i = 1; i < 40; ++i) {  // more than the first block; some die, some live
        Tensor dies = Tensor::empty(i, 1000, device());
        Tensor lives = Tensor::empty(i, 100, device());
        addresses.push_back(dies.flat().data);
        addresses.push_back(lives.flat().data);
        if (i % 3 == 0) kept = lives;
      }
    });
  EXPECT_EQ(runs[1], runs[2]);  // the first run may still grow the arena
}

TEST_P(StepTest, ReleasedMemoryIsTakenAgainInTheSameStep) {
  const StepCounts counts = run_step(device(), [&] {
    for (int i = 0; i < 10; ++i) Tensor::empty(1, 1000, device());
  });
  EXPECT_EQ(counts.step_allocations, 10);
  EXPECT_EQ(counts.step_bytes, 4096);
}

TEST_P(StepTest, ThirdStepAllocatesNothing) {
  const auto body = [&] {
    std::vector<Tensor> all;
    for (int i = 0; i < 30; ++i) all.push_back(Tensor::empty(100, 100, device()));
  };
  run_step(device(), body);
  run_step(device(), body);  // joins the blocks of the first
  EXPECT_EQ(run_step(device(), body).persistent_allocations, 0);
}

TEST_P(StepTest, TensorUsedAfterItsStepThrows) {
  Tensor leaked;
  run_step(device(), [&] {
    leaked = Tensor::zeros(2, 2, device());
    EXPECT_EQ(leaked.to_host()[0], 0.0f);  // an eager step may read back
  });
  EXPECT_NE(error_of([&] { leaked.to_host(); }).find("its step is over"), std::string::npos);
  run_step(device(), [&] {
    EXPECT_NE(error_of([&] { leaked.view(); }).find("its step is over"), std::string::npos);
  });
}

TEST_P(StepTest, OutsideAStepTensorsPersist) {
  Tensor tensor = Tensor::zeros(1, 1, device());
  run_step(device(), [&] { fill(tensor, 3.0f); });
  EXPECT_EQ(tensor.to_host()[0], 3.0f);
}

TEST_P(StepTest, StepsDoNotNest) {
  const auto nested = [&] { run_step(device(), [&] { run_step(device(), [] {}); }); };
  EXPECT_NE(error_of(nested).find("do not nest"), std::string::npos);
}

TEST_P(StepTest, AStepThatThrowsEndsAndTheNextOneRuns) {
  EXPECT_EQ(error_of([&] { run_step(device(), [] { fail(ErrorKind::Numeric, "stop"); }); }),
            "stop");
  Tensor out = persistent(4);
  run_step(device(), [&] { fill(out, 2.0f); });
  EXPECT_EQ(out.to_host()[0], 2.0f);
}

TEST_P(StepTest, CountsLaunchesByNameAndReadbacks) {
  Tensor out = persistent(4);
  const StepCounts counts = run_step(device(), [&] {
    fill(out, 1.0f);
    accumulate(out, out);
    out.to_host();
  });
  ASSERT_EQ(counts.launches(), 2);
  EXPECT_STREQ(counts.launched[0], "fill");
  EXPECT_STREQ(counts.launched[1], "scale_add");
  EXPECT_EQ(counts.synchronizations, 1);
}

TEST_P(StepTest, PlanExecutesNothing) {
  Tensor out = persistent(4);
  const StepCounts plan = plan_step(device(), [&] { fill(out, 7.0f); });
  EXPECT_EQ(plan.launches(), 1);
  EXPECT_EQ(out.to_host()[0], 0.0f);
}

class CaptureTest : public StepTest {};
TESSERA_FOR_EACH_BACKEND(CaptureTest);

TEST_P(CaptureTest, ExecutesNothingUntilReplayed) {
  Tensor out = persistent(4);
  CapturedStep step = capture(device(), [&] { fill(out, 7.0f); });
  EXPECT_EQ(out.to_host()[3], 0.0f);
  step.replay();
  EXPECT_EQ(out.to_host()[3], 7.0f);
}

TEST_P(CaptureTest, BodyThatMisbehavesSaysSo) {
  Tensor out = persistent(4);
  const std::pair<const char*, std::function<void()>> cases[] = {
      {"allocates persistent memory", [&] { Tensor::empty(1, 1, device(), Lifetime::Persistent); }},
      {"reads back", [&] { out.to_host(); }},
      {"copies from host memory",
       [&] {
         const float one = 1.0f;
         Buffer<float>::from_host({&one, 1}, device(), Lifetime::Current);
       }},
      {"waits for the device", [&] { context_of(device()).synchronize(); }},
  };
  for (const auto& [expected, body] : cases) {
    const std::string error = error_of([&, &body = body] { capture(device(), body); });
    EXPECT_NE(error.find(expected), std::string::npos) << expected << ": " << error;
  }
  CapturedStep after = capture(device(), [&] { fill(out, 1.0f); });  // the context still works
  after.replay();
  EXPECT_EQ(out.to_host()[0], 1.0f);
}

TEST_P(CaptureTest, BodyThatDoesNotRepeatItselfIsRefused) {
  Tensor out = persistent(4);
  int calls = 0;
  const auto changing = [&] {
    if (calls++ == 0) fill(out, 1.0f);
  };
  const std::string error = error_of([&] { capture(device(), changing).replay(); });
  EXPECT_NE(error.find("depends on host state"), std::string::npos) << error;
}

TEST_P(CaptureTest, SurvivesGrowthOfTheArena) {
  Tensor out = persistent(4);
  CapturedStep step = capture(device(), [&] {
    Tensor a = Tensor::zeros(1, 4, device());
    fill(a, 2.0f);
    accumulate(a, out);
  });
  for (int i = 0; i < 3; ++i)
    run_step(device(), [&] {
      std::vector<Tensor> big;
      for (int j = 0; j < 8; ++j) big.push_back(Tensor::zeros(1000, 1000, device()));
    });
  step.replay();
  step.replay();
  EXPECT_EQ(out.to_host()[0], 4.0f);
}

TEST_P(CaptureTest, SurvivesALaterCaptureOfASmallerStep) {
  Tensor out = persistent(4);
  const auto body = [&](int64_t cols) {
    Tensor a = Tensor::empty(1, cols, device());
    fill(a, 1.0f);
    fill(out, 5.0f);
  };
  CapturedStep large = capture(device(), [&] { body(1 << 20); });
  const int64_t block = static_cast<int64_t>(context_of(device()).arena().block()->bytes());
  run_step(device(), [&] {  // the arena grows by a second block
    Tensor one = Tensor::empty(1, block / 4, device()), two = Tensor::empty(1, block / 4, device());
  });
  CapturedStep small = capture(device(), [&] { body(4); });
  small.replay();
  fill(out, 0.0f);
  large.replay();
  EXPECT_EQ(out.to_host()[0], 5.0f);
}

TEST_P(CaptureTest, KeepsTheMemoryItUses) {
  Tensor out = persistent(4);
  auto source = std::make_shared<Tensor>(persistent(4));
  fill(*source, 3.0f);
  CapturedStep step = capture(device(), [&out, source, this] { accumulate(*source, out); });
  if (device().type == DeviceType::Cuda) *source = {};  // the CPU asks again; a graph has addresses
  std::vector<Tensor> others;
  for (int i = 0; i < 4; ++i)
    others.push_back(persistent(4));  // would take the memory if it were free
  step.replay();
  EXPECT_EQ(out.to_host()[0], 3.0f);
}

TEST_P(CaptureTest, PersistentTensorMayDieInsideTheBody) {
  Tensor out = persistent(4);
  std::vector<Tensor> dying;  // one per call of the body: planned, recorded, replayed
  for (int i = 0; i < 3; ++i) dying.push_back(persistent(4));
  CapturedStep step = capture(device(), [&] {
    dying.pop_back();
    fill(out, 1.0f);
  });
  step.replay();
  EXPECT_EQ(out.to_host()[0], 1.0f);
}

TEST_P(CaptureTest, ReplayReadsTheStateOfItsStep) {
  const Tensor ones = Tensor::from_host(1, 8, std::vector<float>(8, 1.0f), device());
  Tensor eager_sum = persistent(8), replayed_sum = persistent(8);
  const auto drop_into = [&](TrainingState& state, Tensor& sum) {
    state.advance();
    accumulate(dropout(Var(ones), state, 5, 0.5f).value(), sum);
  };
  TrainingState eager(42, 4, 1, device()), replayed(42, 4, 1, device());
  CapturedStep step = capture(device(), [&] { drop_into(replayed, replayed_sum); });
  for (int i = 0; i < 3; ++i) {
    run_step(device(), [&] { drop_into(eager, eager_sum); });
    const auto before = replayed_sum.to_host();
    step.replay();
    EXPECT_NE(replayed_sum.to_host(), before);
    EXPECT_EQ(replayed_sum.to_host(), eager_sum.to_host());
  }
  EXPECT_EQ(replayed.read().step, 3u);
}

}  // namespace
}  // namespace tessera
