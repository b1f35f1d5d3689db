#include "encoder_fixture.h"
#include "testing/directional.h"

namespace tessera::inline TESSERA_PRECISION {
namespace {

using namespace encoder_testing;
using gradcheck::scalar_of;

const TrainingState& state() {
  static const TrainingState made{3, 1, 1, {}};
  return made;
}

/// The distance of what an encoder makes of `batch` to fixed numbers.
gradcheck::LossFunction loss_of(MadeEncoder& made, const FamilyBatch& batch) {
  const int64_t samples = made->encode({}, batch).rows(), width = made->output_dim();
  const Tensor target =
      Tensor::from_host(samples, width, testing::uniform<real>(samples * width, 2));
  return [&made, batch, target](const Pass& pass) {
    return scalar_of(made->encode(pass, batch), target);
  };
}

void expect_directional(MadeEncoder& made, const FamilyBatch& batch, bool training = true) {
  gradcheck::expect_directional_gradients(made.group(), loss_of(made, batch),
                                          {.state = &state(), .training = training});
}

class MlpEncoderGradientTest : public ::testing::TestWithParam<const char*> {};
TEST_P(MlpEncoderGradientTest, MatchesDifferencesWithDropout) {
  MadeEncoder made(
      "mlp", {.hidden_dims = {6, 5}, .output_dim = 3, .dropout = 0.2, .activation = GetParam()},
      columns_shape(4));
  gradcheck::expect_gradients(made.group(), loss_of(made, {.columns = random_columns(9, 4, 1)}),
                              {.state = &state(), .tolerance = 1e-8, .step = 1e-4});
}
INSTANTIATE_TEST_SUITE_P(, MlpEncoderGradientTest, ::testing::Values("relu", "gelu", "tanh"));

TEST(EncoderGradientTest, MlpMatchesDifferencesWithoutBatchNorm) {
  MadeEncoder made("MLPEncoder", {.hidden_dims = {6}, .output_dim = 3, .batch_norm = false},
                   columns_shape(4));
  gradcheck::expect_gradients(made.group(), loss_of(made, {.columns = random_columns(9, 4, 1)}),
                              {.state = &state(), .tolerance = 1e-8, .step = 1e-4});
}

TEST(EncoderGradientTest, InitialCnnMatchesDifferences) {
  const GridLayout layout = GridLayout::uniform(5, {20, 17}, {});
  MadeEncoder made("ic_cnn", {.embedding_dim = 4}, grids_shape(2, {20, 17}));
  expect_directional(made, {.grids = random_grids(layout, 2, 1)});
}

TEST(EncoderGradientTest, InitialCnnMatchesDifferencesInEvaluation) {
  const GridLayout layout = GridLayout::uniform(3, {16, 16}, {});
  MadeEncoder made("ic_cnn", {.embedding_dim = 4, .use_final_batchnorm = false},
                   grids_shape(1, {16, 16}));
  expect_directional(made, {.grids = random_grids(layout, 1, 1)}, false);
}

TEST(EncoderGradientTest, InitialHybridMatchesDifferencesWithEncodedColumns) {
  const GridLayout layout = GridLayout::uniform(5, {16, 16}, {});
  MadeEncoder made("initial_hybrid",
                   {.embedding_dim = 4,
                    .encode_manual = true,
                    .manual_hidden_dims = {6},
                    .manual_output_dim = 3},
                   grids_shape(1, {16, 16}, 5));
  expect_directional(made,
                     {.columns = random_columns(5, 5, 3), .grids = random_grids(layout, 1, 1)});
}

TEST(EncoderGradientTest, TemporalCnnMatchesDifferencesOnSeriesOfManyLengths) {
  MadeEncoder made("td_cnn", {.embedding_dim = 4}, series_shape(3, 40));
  expect_directional(made, {.series = random_series({40, 1, 17, 33, 8}, 3, 1)});
}

TEST(EncoderGradientTest, PyramidMatchesDifferencesOnSeriesOfManyLengths) {
  MadeEncoder made("PyramidTemporalEncoder",
                   {.level_dims = {3, 2, 4}, .downsample_factors = {1, 2, 8}}, series_shape(3, 40));
  expect_directional(made, {.series = random_series({40, 1, 17, 33, 8}, 3, 1)});
}

TEST(EncoderGradientTest, TemporalMeanMatchesDifferencesInItsInput) {
  MadeEncoder made("TemporalMeanEncoder", {}, series_shape(3, 5));
  const GridLayout layout = GridLayout::series(std::vector<int32_t>{5, 1, 2}, {});
  const auto group = gradcheck::make_group({{8, 3, testing::uniform<real>(24, 1)}});
  const Tensor target = Tensor::from_host(3, 3, testing::uniform<real>(9, 2));
  gradcheck::expect_gradients(*group, [&](const Pass& pass) {
    const FamilyBatch batch = {.series = {pass.parameter((*group)[0]), layout}};
    return scalar_of(made->encode(pass, batch), target);
  });
}

TEST(EncoderGradientTest, CnnAndColumnsMatchDifferencesInTheirInputs) {
  MadeEncoder made("initial_hybrid", {.embedding_dim = 4}, grids_shape(1, {9, 8}, 2));
  const GridLayout layout = GridLayout::uniform(4, {9, 8}, {});
  const auto group =
      gradcheck::make_group({{layout.rows(), 1, testing::uniform<real>(layout.rows(), 1)},
                             {4, 2, testing::uniform<real>(8, 2)}});
  const Tensor target = Tensor::from_host(4, 6, testing::uniform<real>(24, 3));
  gradcheck::expect_directional_gradients(*group, [&](const Pass& pass) {
    // The encoder's own parameters are constants here.
    const FamilyBatch batch = {.columns = pass.parameter((*group)[1]),
                               .grids = {pass.parameter((*group)[0]), layout}};
    return scalar_of(made->encode({.training = pass.training}, batch), target);
  });
}

TEST(EncoderGradientTest, TheFirstConvolutionOfACnnIsReached) {
  MadeEncoder made("ic_cnn", {}, grids_shape(1, {16, 16}));
  const FamilyBatch batch = {.grids = random_grids(GridLayout::uniform(4, {16, 16}, {}), 1, 1)};
  gradcheck::run_backward(made.group(), loss_of(made, batch), {});
  const std::vector<real> gradient =
      made.parameter("family/cnn/backbone/stem/conv/weight").grad.to_host();
  EXPECT_GT(gradcheck::norm({gradient.begin(), gradient.end()}), 1e-4);
}

}  // namespace
}  // namespace tessera::inline TESSERA_PRECISION
