#include "tessera/grouped_ops.h"
#include "testing/gradcheck.h"
#include "testing/numbers.h"

namespace tessera::inline TESSERA_PRECISION {
namespace {

using gradcheck::expect_gradients;
using gradcheck::scalar_of;
using testing::uniform;

constexpr int64_t kRows = 9;

template <class Group>
std::vector<Group> packed(std::vector<Group> groups) {
  Group::pack(groups);
  return groups;
}

/// Three groups of unequal size; the first leaves padding behind its weights.
const std::vector<kernels::LinearGroup> kLinear =
    packed<kernels::LinearGroup>({{.in = 3, .out = 3}, {.in = 1, .out = 4}, {.in = 4, .out = 2}});
constexpr int64_t kInputs = 8, kOutputs = 9, kWeights = 12 + 4 + 8;

/// Codebooks of 5 codes x 3 and 4 codes x 2.
const std::vector<kernels::VqGroup> kCodebooks =
    packed<kernels::VqGroup>({{.dim = 3, .codebook_size = 5}, {.dim = 2, .codebook_size = 4}});
constexpr int64_t kLatents = 5, kFlat = 16 + 8;
const std::vector<kernels::ColumnGroup> kColumns =
    packed<kernels::ColumnGroup>({{.cols = 3}, {.cols = 2}});

Tensor constant(int64_t rows, int64_t cols, uint64_t seed) {
  return Tensor::from_host(rows, cols, uniform<real>(rows * cols, seed));
}

TEST(GroupedLinearGradientTest, MatchesDifferences) {
  const LinearTable table(kLinear, {});
  const auto group = gradcheck::make_group({{kRows, kInputs, uniform<real>(kRows * kInputs, 1)},
                                            {1, kWeights, uniform<real>(kWeights, 2)},
                                            {1, kOutputs, uniform<real>(kOutputs, 3)}});
  const Tensor target = constant(kRows, kOutputs, 4);
  expect_gradients(*group, [&](const Pass& pass) {
    return scalar_of(grouped_linear(table, pass.parameter((*group)[0]), pass.parameter((*group)[1]),
                                    pass.parameter((*group)[2])),
                     target);
  });
  for (const int64_t padding : {9, 10, 11}) EXPECT_EQ((*group)[1].grad.to_host()[padding], 0);
}

TEST(GroupedLinearGradientTest, AddsUpOverTwoUses) {
  const LinearTable table(kLinear, {});
  const auto group = gradcheck::make_group({{kRows, kInputs, uniform<real>(kRows * kInputs, 1)},
                                            {1, kWeights, uniform<real>(kWeights, 2)}});
  const Tensor target = constant(kRows, kOutputs, 4);
  expect_gradients(*group, [&](const Pass& pass) {
    const Var x = pass.parameter((*group)[0]), w = pass.parameter((*group)[1]);
    return scalar_of(add(grouped_linear(table, x, w, {}), grouped_linear(table, x, w, {})), target);
  });
}

TEST(GroupedLayerNormGradientTest, MatchesDifferences) {
  // Groups of two would all be +-1.
  const ColumnTable table(packed<kernels::ColumnGroup>({{.cols = 5}, {.cols = 4}}), {});
  const auto group = gradcheck::make_group({{kRows, 9, uniform<real>(kRows * 9, 1, -2, 3)},
                                            {1, 9, uniform<real>(9, 2, 0.5, 1.5)},
                                            {1, 9, uniform<real>(9, 3)}});
  const Tensor target = constant(kRows, 9, 4);
  expect_gradients(*group, [&](const Pass& pass) {
    return scalar_of(
        grouped_layer_norm(table, pass.parameter((*group)[0]), pass.parameter((*group)[1]),
                           pass.parameter((*group)[2]), real(1e-5)),
        target);
  });
}

TEST(WeightedSquaredErrorGradientTest, MatchesDifferencesInBoth) {
  const auto group = gradcheck::make_group({{kRows, kLatents, uniform<real>(kRows * kLatents, 1)},
                                            {kRows, kLatents, uniform<real>(kRows * kLatents, 2)}});
  const Tensor weight = constant(1, kLatents, 3);
  expect_gradients(*group, [&](const Pass& pass) {
    return weighted_squared_error(pass.parameter((*group)[0]), pass.parameter((*group)[1]), weight);
  });
}

TEST(WeightedSquaredErrorGradientTest, MatchesDifferencesAgainstOtherColumns) {
  const auto group = gradcheck::make_group({{kRows, 7, uniform<real>(kRows * 7, 1)}});
  const Tensor weight = constant(1, 7, 3);
  const Var target(constant(kRows, 3, 2));
  const auto columns =
      Buffer<int32_t>::from_host(std::vector<int32_t>{0, 1, 2, 0, 1, 2, 1}, Device{});
  expect_gradients(*group, [&](const Pass& pass) {
    return weighted_squared_error(pass.parameter((*group)[0]), target, weight, columns);
  });
}

TEST(FirstRowsGradientTest, RestOfTheRowsGetNothing) {
  const auto group = gradcheck::make_group({{kRows, 4, uniform<real>(kRows * 4, 1)}});
  const Tensor target = constant(3, 4, 2);
  expect_gradients(*group, [&](const Pass& pass) {
    return scalar_of(first_rows(pass.parameter((*group)[0]), 3), target);
  });
}

TEST(TopographicGradientTest, MatchesDifferences) {
  const ColumnTable table(kColumns, {}), features(packed<kernels::ColumnGroup>({{.cols = 6}}), {});
  const Var x(constant(kRows, 6, 5));
  const auto group = gradcheck::make_group({{kRows, kLatents, uniform<real>(kRows * kLatents, 1)},
                                            {kRows, kLatents, uniform<real>(kRows * kLatents, 2)}});
  for (const int64_t samples : {7, 100})
    expect_gradients(*group, [&](const Pass& pass) {
      return topographic(features, x, table, pass.parameter((*group)[0]),
                         pass.parameter((*group)[1]), samples)
          .loss;
    });
}

TEST(TopographicTest, DistancesThatAreKeptCostNothing) {
  const ColumnTable table(packed<kernels::ColumnGroup>({{.cols = 6}}), {});
  const Tensor x = constant(kRows, 6, 5);
  Tensor twice = Tensor::from_host(kRows, 6, [&] {
    std::vector<real> values = x.to_host();
    for (real& value : values) value *= 2;
    return values;
  }());
  const Topographic result = topographic(table, Var(x), table, Var(twice), Var(twice), kRows);
  EXPECT_NEAR(result.pre.to_host()[0], 1, 1e-9);
  EXPECT_NEAR(result.post.to_host()[0], 1, 1e-9);
  EXPECT_NEAR(result.loss.value().to_host()[0], 0, 1e-9);
}

TEST(CodeOrthogonalityGradientTest, MatchesDifferences) {
  const VqTable table(kCodebooks, {});
  const auto group = gradcheck::make_group({{1, kFlat, uniform<real>(kFlat, 1)}});
  expect_gradients(
      *group,
      [&](const Pass& pass) { return code_orthogonality(table, pass.parameter((*group)[0])); },
      {.tolerance = 1e-8});  // quotients of small norms: the fifth derivative is large
}

TEST(CodeEntropyGradientTest, MatchesDifferences) {
  const VqTable table(kCodebooks, {});
  const Tensor codebooks = constant(1, kFlat, 2);
  const auto group = gradcheck::make_group({{kRows, kLatents, uniform<real>(kRows * kLatents, 1)}});
  expect_gradients(*group, [&](const Pass& pass) {
    return code_entropy(table, pass.parameter((*group)[0]), codebooks, real(0.3));
  });
}

}  // namespace
}  // namespace tessera::inline TESSERA_PRECISION
