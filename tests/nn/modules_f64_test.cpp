#include <set>

#include "tessera/grouped_nn.h"
#include "tessera/nn.h"
#include "testing/gradcheck.h"
#include "testing/numbers.h"

namespace tessera::inline TESSERA_PRECISION {
namespace {

using gradcheck::scalar_of;
using testing::uniform;

constexpr int64_t kRows = 7, kWidth = 4;

/// A module with parameters of its own, moved off their initial 0 and 1, behind a trained input.
class ModuleGradientTest : public ::testing::Test {
 protected:
  ParameterGroup group_{"model", kModelGroup};
  TrainingState state_{3, 1, 1, {}};

  /// Declares the input; the module's parameters are declared by its constructor.
  ModuleGradientTest() {
    group_.declare({"x", kRows, kWidth, [](int64_t i) {
                      return testing::uniform_off_zero<real>(kRows * kWidth, 1)[size_t(i)];
                    }});
  }
  void expect_gradients(Module& module, int64_t outputs, bool training = true) {
    group_.allocate({});
    for (size_t i = 1; i < group_.parameters().size(); ++i) {
      Tensor& value = group_[i].value;
      std::vector<real> moved = value.to_host();
      const std::vector<real> by = uniform<real>(value.size(), 10 + i, -0.3, 0.3);
      for (size_t j = 0; j < moved.size(); ++j) moved[j] += by[j];
      value.write(moved);
    }
    const Tensor target = Tensor::from_host(kRows, outputs, uniform<real>(kRows * outputs, 2));
    gradcheck::expect_gradients(group_,
                                [&](const Pass& pass) {
                                  return scalar_of(module.forward(pass, pass.parameter(group_[0])),
                                                   target);
                                },
                                {.state = &state_, .training = training});
  }
};

TEST_F(ModuleGradientTest, Linear) {
  Linear module(group_, "linear", kWidth, 3, 0);
  expect_gradients(module, 3);
}

TEST_F(ModuleGradientTest, LayerNorm) {
  LayerNorm module(group_, "norm", kWidth);
  expect_gradients(module, kWidth);
}

TEST_F(ModuleGradientTest, BatchNormInTraining) {
  BatchNorm module(group_, "norm", kWidth, {});
  expect_gradients(module, kWidth);
}

TEST_F(ModuleGradientTest, BatchNormInEvaluation) {
  BatchNorm module(group_, "norm", kWidth, {});
  expect_gradients(module, kWidth, false);
}

TEST_F(ModuleGradientTest, DropoutInTraining) {
  Dropout module(real(0.3), 2);
  expect_gradients(module, kWidth);
}

TEST_F(ModuleGradientTest, SequentialOfAll) {
  Sequential module;
  module.append(std::make_unique<Linear>(group_, "in", kWidth, 6, 0));
  module.append(std::make_unique<LayerNorm>(group_, "layer", 6));
  module.append(std::make_unique<Activation>(UnaryOp::Gelu));
  module.append(std::make_unique<Dropout>(real(0.2), 0));
  module.append(std::make_unique<Linear>(group_, "middle", 6, 5, 0));
  module.append(std::make_unique<BatchNorm>(group_, "batch", 5, Device{}));
  module.append(std::make_unique<Activation>(UnaryOp::Silu));
  module.append(std::make_unique<Dropout>(real(0.2), 1));
  module.append(std::make_unique<Linear>(group_, "out", 5, 2, 0));
  expect_gradients(module, 2);
}

TEST_F(ModuleGradientTest, Mlp) {
  const auto module = make_mlp(group_, "mlp", kWidth, {6, 5}, 3, UnaryOp::Tanh, 0);
  expect_gradients(*module, 3);
}

/// Three inputs leave padding behind the weights of the first group, kept or not.
std::vector<kernels::LinearGroup> two_groups() {
  return {{.in = 3, .out = 5}, {.in = 1, .out = 3}};
}

TEST_F(ModuleGradientTest, GroupedLinearOfSomeOutputs) {
  GroupedLinear module(group_, "grouped", two_groups(), 0, {});
  group_.allocate({});
  module.keep_outputs({{0, 3, 4}, {1}});
  expect_gradients(module, 4);
}

TEST(GroupedLinearModuleTest, KeptOutputsAreThoseOfTheWholeLayer) {
  ParameterGroup group("model", kModelGroup);
  GroupedLinear module(group, "grouped", two_groups(), 0, {});
  group.allocate({});
  group[1].value.write(uniform<real>(8, 2));
  const Var x(Tensor::from_host(2, 4, uniform<real>(8, 1)));
  const std::vector<real> all = module.forward({}, x).value().to_host();
  module.keep_outputs({{1, 4}, {0, 2}});
  EXPECT_EQ(module.forward({}, x).value().to_host(),
            (std::vector<real>{all[1], all[4], all[5], all[7], all[9], all[12], all[13], all[15]}));
  module.keep_all();
  EXPECT_EQ(module.forward({}, x).value().to_host(), all);
}

TEST(GroupedLinearModuleTest, AnOutputThatIsNotThereIsRefused) {
  ParameterGroup group("model", kModelGroup);
  GroupedLinear module(group, "grouped", two_groups(), 0, {});
  group.allocate({});
  EXPECT_THROW(module.keep_outputs({{5}, {0}}), Error);
  EXPECT_THROW(module.keep_outputs({{0}, {}}), Error);
  EXPECT_THROW(module.keep_outputs({{0}}), Error);
}

TEST(DropoutModuleTest, IsTheIdentityInEvaluation) {
  Dropout module(real(0.9), 0);
  const Var x(Tensor::from_host(2, 3, uniform<real>(6, 1)));
  EXPECT_EQ(module.forward({}, x).value().to_host(), x.value().to_host());
}

TEST(DropoutModuleTest, RefusesToTrainWithoutTheStepsState) {
  Dropout module(real(0.5), 0);
  EXPECT_THROW(module.forward({.training = true}, Var(Tensor::zeros(1, 1, {}))), Error);
}

TEST(DropoutModuleTest, LayersOfOneModelDrawApart) {
  TrainingState state(3, 1, 1, {});
  Dropout first(real(0.5), 0), second(real(0.5), 1);
  const Var x(Tensor::from_host(1, 64, std::vector<real>(64, 1)));
  const Pass pass{.state = &state, .training = true};
  EXPECT_NE(first.forward(pass, x).value().to_host(), second.forward(pass, x).value().to_host());
}

TEST(BatchNormModuleTest, RunningStatisticsMoveInTrainingAlone) {
  ParameterGroup group("model", kModelGroup);
  BatchNorm module(group, "norm", 1, {});
  group.allocate({});
  std::vector<NamedTensor> buffers;
  module.add_buffers(buffers);
  const Var x(Tensor::from_host(4, 1, std::vector<real>{1, 2, 3, 6}));
  module.forward({.training = false}, x);
  EXPECT_EQ(buffers[0].tensor.to_host()[0], 0);
  EXPECT_EQ(buffers[1].tensor.to_host()[0], 1);
  module.forward({.training = true}, x);
  EXPECT_NEAR(buffers[0].tensor.to_host()[0], 0.1 * 3, 1e-15);
  EXPECT_NEAR(buffers[1].tensor.to_host()[0], 0.9 + 0.1 * 14 / 3, 1e-15);  // unbiased: 14 / (4 - 1)
}

TEST(BatchNormModuleTest, BuffersOfASequentialAreThoseOfItsModules) {
  ParameterGroup group("model", kModelGroup);
  Sequential module;
  module.append(std::make_unique<BatchNorm>(group, "a", 2, Device{}));
  module.append(std::make_unique<BatchNorm>(group, "b", 3, Device{}));
  std::vector<NamedTensor> buffers;
  module.add_buffers(buffers);
  std::set<std::string> names;
  for (const NamedTensor& buffer : buffers) names.insert(buffer.name);
  EXPECT_EQ(names, (std::set<std::string>{"a/running_mean", "a/running_variance", "b/running_mean",
                                          "b/running_variance"}));
}

TEST(LinearModuleTest, WeightIsGlorotUniformAndBiasZero) {
  ParameterGroup group("model", kModelGroup);
  Linear module(group, "linear", 40, 20, 9);
  group.allocate({});
  const std::vector<real> weight = group[0].value.to_host();
  const double bound = std::sqrt(6.0 / 60);
  double sum = 0, square = 0;
  for (const real value : weight) {
    EXPECT_LE(std::abs(value), bound);
    sum += value;
    square += value * value;
  }
  // 800 draws: the mean has deviation 0.0065, the variance bound^2 / 3 a relative one of 0.032.
  EXPECT_NEAR(sum / 800, 0, 0.03);
  EXPECT_NEAR(square / 800 / (bound * bound / 3), 1, 0.15);
  EXPECT_EQ(group[1].value.to_host(), std::vector<real>(20, 0));
}

TEST(LinearModuleTest, InitialValuesDependOnSeedAndNameNotOnOrder) {
  const auto weight_of = [](uint64_t seed, const std::string& name, bool after_another) {
    ParameterGroup group("model", kModelGroup);
    if (after_another) Linear(group, "other", 3, 3, seed);
    Linear module(group, name, 5, 4, seed);
    group.allocate({});
    return group[after_another ? 2 : 0].value.to_host();
  };
  EXPECT_EQ(weight_of(1, "linear", false), weight_of(1, "linear", true));
  EXPECT_NE(weight_of(1, "linear", false), weight_of(2, "linear", false));
  EXPECT_NE(weight_of(1, "linear", false), weight_of(1, "other_name", false));
}

TEST(InitialNormalTest, HasMeanZeroAndVarianceOne) {
  constexpr int64_t kDraws = 20000;
  double sum = 0, square = 0, fourth = 0;
  for (int64_t i = 0; i < kDraws; ++i) {
    const double x = initial_normal(1, "codebook", i);
    sum += x;
    square += x * x;
    fourth += x * x * x * x;
  }
  // Five deviations of each moment's estimate: sqrt(1 / n), sqrt(2 / n), sqrt(96 / n).
  EXPECT_NEAR(sum / kDraws, 0, 0.036);
  EXPECT_NEAR(square / kDraws, 1, 0.05);
  EXPECT_NEAR(fourth / kDraws, 3, 0.35);
}

TEST(ActivationNameTest, EveryNameIsKnownAndOthersAreRefusedWithTheList) {
  for (const UnaryOp op : kernels::kUnaryOps) EXPECT_EQ(activation_named(name_of(op)), op);
  try {
    activation_named("swish");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Config);
    EXPECT_NE(std::string(error.what()).find("silu"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace tessera::inline TESSERA_PRECISION
