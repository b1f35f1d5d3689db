#include "tessera/tape.h"

#include <limits>

#include "tessera/kernels/elementwise.h"
#include "tessera/ops.h"
#include "tessera/optimizer.h"
#include "tessera/step.h"
#include "testing/backends.h"
#include "testing/numbers.h"

namespace tessera {
namespace {

/// A group of row vectors of three values, with gradients full of NaN.
class TapeTest : public testing::BackendTest {
 protected:
  void SetUp() override {
    BackendTest::SetUp();
    if (IsSkipped()) return;
    for (const char* name : {"a", "b"})
      group_.declare({name, 1, 3, [](int64_t i) { return float(i + 1); }});
    group_.declare({"scalar", 1, 1, [](int64_t) { return 5.0f; }});
    group_.allocate(device());
    for (Parameter& parameter : group_.parameters()) {
      const std::vector<float> nan(static_cast<size_t>(parameter.grad.size()),
                                   std::numeric_limits<float>::quiet_NaN());
      parameter.grad.write(nan);
    }
  }
  Parameter& a() { return group_[0]; }
  Parameter& b() { return group_[1]; }
  /// The mean square of x, whose gradient is 2 x / 3.
  Var mean_square(const Var& x) {
    return mean_squared_error(x, Var(Tensor::zeros(1, 3, device())));
  }
  ParameterGroup group_{"model", kModelGroup};
};
TESSERA_FOR_EACH_BACKEND(TapeTest);

TEST_P(TapeTest, ParametersThatNoLossReachesGetZero) {
  run_step(device(), [&] {
    Tape tape;
    const Var unused = add(tape.parameter(b()), tape.parameter(b()));
    tape.backward({{mean_square(tape.parameter(a()))}});
  });
  EXPECT_EQ(b().grad.to_host(), std::vector<float>(3, 0.0f));
  testing::expect_close(a().grad.to_host(), {2 / 3.0, 4 / 3.0, 2.0}, 1e-6);
}

TEST_P(TapeTest, AskingTwiceForAParameterGivesOneNode) {
  run_step(device(), [&] {
    Tape tape;
    const Var first = tape.parameter(a()), second = tape.parameter(a());
    EXPECT_EQ(first.ref().id, second.ref().id);
    tape.backward({{mean_square(add(first, second))}});
  });
  testing::expect_close(a().grad.to_host(), {8 / 3.0, 16 / 3.0, 8.0}, 1e-6);
}

TEST_P(TapeTest, GradientIsThatOfThisStepAlone) {
  for (int step = 0; step < 3; ++step)
    run_step(device(), [&] {
      Tape tape;
      tape.backward({{mean_square(tape.parameter(a()))}});
    });
  testing::expect_close(a().grad.to_host(), {2 / 3.0, 4 / 3.0, 2.0}, 1e-6);
}

TEST_P(TapeTest, SeveralLossesAddWithTheirWeights) {
  run_step(device(), [&] {
    Tape tape;
    const Var x = tape.parameter(a());
    tape.backward({{mean_square(x), 2.0f}, {mean_square(x), -0.5f}, {mean_square(x), 0.0f}});
  });
  testing::expect_close(a().grad.to_host(), {1.0, 2.0, 3.0}, 1e-6);
}

TEST_P(TapeTest, ALossMayBeThePartOfAnother) {
  run_step(device(), [&] {
    Tape tape;
    const Var inner = mean_square(tape.parameter(a()));
    const Var outer = add(inner, inner, 1.0f, 2.0f);
    tape.backward({{outer, 1.0f}, {inner, 10.0f}});
  });
  testing::expect_close(a().grad.to_host(), {26 / 3.0, 52 / 3.0, 26.0}, 1e-6);
}

TEST_P(TapeTest, AParameterMayItselfBeTheLoss) {
  run_step(device(), [&] {
    Tape tape;
    tape.backward({{tape.parameter(group_[2]), 3.0f}});
  });
  EXPECT_EQ(group_[2].grad.to_host()[0], 3.0f);
}

TEST_P(TapeTest, FirstUseIsToldToOverwriteAndLaterUsesToAdd) {
  std::vector<float> betas;
  run_step(device(), [&] {
    Tape tape;
    const Var x = tape.parameter(a());
    const auto spy = [&](const Var& of) {
      return record("spy", Tensor::zeros(1, 1, device()), {of.ref()},
                    [&betas, ref = of.ref()](const Tensor&, Gradients grad) {
                      const GradSlot slot = grad.whole(ref);
                      betas.push_back(slot.beta);
                      slot.tensor->mutable_flat();
                    });
    };
    const Var first = spy(x), second = spy(x);
    tape.backward({{first}, {second}});
  });
  EXPECT_EQ(betas, (std::vector<float>{0, 1}));
}

TEST_P(TapeTest, AnOpThatAddsToPartsFindsZeros) {
  run_step(device(), [&] {
    Tape tape;
    const Var x = tape.parameter(a());
    const Var nothing = record("nothing", Tensor::zeros(1, 1, device()), {x.ref()},
                               [ref = x.ref()](const Tensor&, Gradients grad) {
                                 EXPECT_EQ(grad.part(ref).beta, 1);
                                 EXPECT_EQ(grad.part(ref).beta, 1);
                               });
    tape.backward({{nothing}});
  });
  EXPECT_EQ(a().grad.to_host(), std::vector<float>(3, 0.0f));
}

TEST_P(TapeTest, StopGradientCutsThePath) {
  run_step(device(), [&] {
    Tape tape;
    const Var x = tape.parameter(a());
    const Var cut = stop_gradient(add(x, x));
    EXPECT_FALSE(cut.is_recorded());
    tape.backward({{mean_square(add(x, cut))}});
  });
  testing::expect_close(a().grad.to_host(), {2.0, 4.0, 6.0}, 1e-6);
}

TEST_P(TapeTest, OpsOnConstantsAreNotRecorded) {
  const Var constant(Tensor::zeros(1, 3, device()));
  EXPECT_FALSE(mean_square(add(constant, constant)).is_recorded());
}

TEST_P(TapeTest, BackwardReleasesClosuresAndGradientsAsItGoes) {
  // The chain needs one gradient at a time, and each value until its op is done.
  const auto bytes_of = [&](int length) {
    return run_step(device(),
                    [&] {
                      Tape tape;
                      Var x = tape.parameter(a());
                      for (int i = 0; i < length; ++i) x = add(x, x);
                      tape.backward({{mean_square(x)}});
                    })
        .step_bytes;
  };
  // add() keeps no values, so a chain of any length takes what its first links take.
  EXPECT_EQ(bytes_of(50), bytes_of(5));
}

TEST_P(TapeTest, RefusesALossGivenTwice) {
  run_step(device(), [&] {
    Tape tape;
    const Var loss = mean_square(tape.parameter(a()));
    const std::string error = testing::error_of([&] { tape.backward({{loss}, {loss}}); });
    EXPECT_NE(error.find("given twice"), std::string::npos) << error;
  });
}

TEST_P(TapeTest, RefusesASecondBackward) {
  run_step(device(), [&] {
    Tape tape;
    const Var loss = mean_square(tape.parameter(a()));
    tape.backward({{loss}});
    EXPECT_NE(testing::error_of([&] { tape.backward({{loss}}); }), "");
  });
}

TEST_P(TapeTest, RefusesALossThatIsNoScalar) {
  run_step(device(), [&] {
    Tape tape;
    const std::string error = testing::error_of([&] { tape.backward({{tape.parameter(a())}}); });
    EXPECT_NE(error.find("[1, 3]"), std::string::npos) << error;
  });
}

TEST_P(TapeTest, RefusesLossesThatReachNoParameter) {
  run_step(device(), [&] {
    Tape tape;
    tape.parameter(a());
    const Var constant = mean_square(Var(Tensor::zeros(1, 3, device())));
    const std::string error = testing::error_of([&] { tape.backward({{constant}}); });
    EXPECT_NE(error.find("no Parameter reaches"), std::string::npos) << error;
  });
}

TEST_P(TapeTest, RefusesTwoTapesInOneOp) {
  run_step(device(), [&] {
    Tape first, second;
    const Var x = first.parameter(a()), y = second.parameter(b());
    const std::string error = testing::error_of([&] { add(x, y); });
    EXPECT_NE(error.find("two tapes"), std::string::npos) << error;
  });
}

TEST_P(TapeTest, RefusesALossOfAnotherTape) {
  run_step(device(), [&] {
    Tape first, second;
    const Var loss = mean_square(first.parameter(a()));
    const std::string error = testing::error_of([&] { second.backward({{loss}}); });
    EXPECT_NE(error.find("another tape"), std::string::npos) << error;
  });
}

}  // namespace
}  // namespace tessera
