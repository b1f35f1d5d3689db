#include <numeric>

#include "encoder_fixture.h"
#include "tessera/step.h"
#include "testing/backends.h"

namespace tessera::inline TESSERA_PRECISION {
namespace {

using namespace encoder_testing;
using testing::error_of;

int64_t parameter_count(std::string_view name, const EncoderParams& params,
                        const FamilyShape& shape) {
  ParameterGroup group("model", kModelGroup);
  make_encoder(name, params, shape, {.group = group, .prefix = "family", .device = {}, .seed = 0});
  return group.parameter_count();
}

TEST(EncoderTest, MlpHasTheParametersOfItsDescription) {
  EXPECT_EQ(
      parameter_count("mlp", {.hidden_dims = {512, 256}, .output_dim = 128}, columns_shape(360)),
      350848);
}

TEST(EncoderTest, InitialCnnHasTheParametersOfItsDescription) {
  EXPECT_EQ(parameter_count("ic_cnn", {}, grids_shape(1, {128, 128})), 1215796);
  EXPECT_EQ(parameter_count("ic_cnn", {.embedding_dim = 128}, grids_shape(3, {64, 64})), 1244832);
}

TEST(EncoderTest, TemporalCnnHasTheParametersOfItsDescription) {
  EXPECT_EQ(parameter_count("td_cnn", {.embedding_dim = 128}, series_shape(63, 256)), 480096);
}

TEST(EncoderTest, PyramidHasTheParametersOfItsDescription) {
  EXPECT_EQ(parameter_count("PyramidTemporalEncoder", {}, series_shape(345, 256)), 592992);
}

TEST(EncoderTest, EmbeddingsHave28ColumnsOnGridsAnd64OnSeries) {
  EXPECT_EQ(MadeEncoder("ic_cnn", {}, grids_shape(1, {8, 8}))->output_dim(), 28);
  EXPECT_EQ(MadeEncoder("initial_hybrid", {}, grids_shape(1, {8, 8}, 14))->output_dim(), 42);
  EXPECT_EQ(MadeEncoder("td_cnn", {}, series_shape(3, 8))->output_dim(), 64);
}

std::vector<std::string> first_names(Encoder& encoder) {
  std::vector<std::string> names;
  for (const EncodedFamily& family : encoder.outputs())
    names.push_back(family.name + "::" + family.names.at(0) + " x " +
                    std::to_string(family.names.size()));
  return names;
}
using Names = std::vector<std::string>;

TEST(EncoderTest, OutputsAreNamedAfterWhatMadeThem) {
  EXPECT_EQ(first_names(*MadeEncoder("identity", {}, columns_shape(4))), Names{"family::c0 x 4"});
  EXPECT_EQ(first_names(*MadeEncoder("mlp", {}, columns_shape(4))), Names{"family::mlp_0 x 64"});
  EXPECT_EQ(first_names(*MadeEncoder("ic_cnn", {}, grids_shape(1, {8, 8}))),
            Names{"family::cnn_0 x 28"});
  FamilyShape series = series_shape(2, 8);
  EXPECT_EQ(first_names(*MadeEncoder("TemporalMeanEncoder", {}, series)), Names{"family::0 x 2"});
  series.series_names = {"heat", "flow"};
  EXPECT_EQ(first_names(*MadeEncoder("TemporalMeanEncoder", {}, series)),
            Names{"family::heat x 2"});
  EXPECT_EQ(
      first_names(*MadeEncoder("PyramidTemporalEncoder", {}, series)),
      (Names{"family_p0::0 x 32", "family_p1::0 x 64", "family_p2::0 x 96", "family_p3::0 x 128"}));
}

TEST(EncoderTest, HybridNamesItsColumnsThenThoseOfTheCnn) {
  MadeEncoder plain("initial_hybrid", {.embedding_dim = 2}, grids_shape(1, {8, 8}, 2));
  EXPECT_EQ(plain->outputs()[0].names, (Names{"c0", "c1", "cnn_0", "cnn_1"}));
  MadeEncoder encoded("initial_hybrid",
                      {.embedding_dim = 1, .encode_manual = true, .manual_output_dim = 2},
                      grids_shape(1, {8, 8}, 5));
  EXPECT_EQ(encoded->outputs()[0].names, (Names{"manual_0", "manual_1", "cnn_0"}));
}

TEST(EncoderTest, HybridHandsItsColumnsOnAsTheyAre) {
  MadeEncoder made("initial_hybrid", {.embedding_dim = 3}, grids_shape(1, {8, 8}, 2));
  const FamilyBatch batch = {.columns = random_columns(2, 2, 1),
                             .grids = random_grids(GridLayout::uniform(2, {8, 8}, {}), 1, 2)};
  const std::vector<real> y = made.evaluate(batch), x = batch.columns.value().to_host();
  EXPECT_EQ((std::vector<real>{y[0], y[1], y[5], y[6]}), x);
}

TEST(EncoderTest, IdentityHandsItsColumnsOnAsTheyAre) {
  MadeEncoder made("IdentityEncoder", {}, columns_shape(3));
  const FamilyBatch batch = {.columns = random_columns(2, 3, 1)};
  EXPECT_EQ(made.evaluate(batch), batch.columns.value().to_host());
}

// --- samples by themselves -----------------------------------------------------------------------

/// In evaluation the row of each sample of a batch is, bit for bit, what the sample gives alone.
void expect_series_alone(std::string_view name, const EncoderParams& params) {
  const std::vector<int32_t> lengths = {1, 64, 7, 2, 33, 64, 15, 3, 1, 50, 8};
  constexpr int64_t kFeatures = 5;
  MadeEncoder made(name, params, series_shape(kFeatures, 64));
  const GridVar all = random_series(lengths, kFeatures, 1);
  const std::vector<real> y = made.evaluate({.series = all}), x = all.values.value().to_host();
  const int64_t width = made->output_dim();
  int64_t first = 0;
  for (size_t s = 0; s < lengths.size(); ++s) {
    SCOPED_TRACE("sample " + std::to_string(s) + " of length " + std::to_string(lengths[s]));
    const std::span<const real> own(x.data() + first * kFeatures,
                                    static_cast<size_t>(lengths[s] * kFeatures));
    const GridVar alone = {Var(Tensor::from_host(lengths[s], kFeatures, own)),
                           GridLayout::uniform(1, {1, lengths[s]}, {})};
    const auto row = y.begin() + static_cast<int64_t>(s) * width;
    testing::expect_same_bits(made.evaluate({.series = alone}),
                              std::vector<real>(row, row + width));
    first += lengths[s];
  }
}

TEST(EncoderSampleTest, TemporalCnnSeesEachSeriesAlone) { expect_series_alone("td_cnn", {}); }
TEST(EncoderSampleTest, TemporalMeanSeesEachSeriesAlone) {
  expect_series_alone("TemporalMeanEncoder", {});
}
TEST(EncoderSampleTest, PyramidSeesEachSeriesAlone) {
  expect_series_alone("PyramidTemporalEncoder", {});
}
TEST(EncoderSampleTest, PyramidSeesEachSeriesAloneWhereLevelsKeepMoreSteps) {
  EncoderParams params;
  params.variable_length.min_pyramid_length = 3;
  expect_series_alone("PyramidTemporalEncoder", params);
}

/// `value` of what is called `name` in `from`.
std::vector<real> value_in(MadeEncoder& from, const std::string& name) {
  for (const NamedTensor& buffer : from.buffers())
    if (buffer.name == name) return buffer.tensor.to_host();
  return from.parameter(name).value.to_host();
}

TEST(EncoderTest, EachLevelOfAPyramidIsThePyramidOfThatLevelAlone) {
  const FamilyShape shape = series_shape(3, 30);
  MadeEncoder both("PyramidTemporalEncoder", {.level_dims = {3, 2}, .downsample_factors = {1, 4}},
                   shape),
      second("PyramidTemporalEncoder", {.level_dims = {2}, .downsample_factors = {4}}, shape);
  const auto in_both = [](std::string name) {
    const std::string head = "family/head0";
    return name.starts_with(head) ? "family/head1" + name.substr(head.size()) : name;
  };
  for (Parameter& parameter : second.group().parameters())
    parameter.value.write(value_in(both, in_both(parameter.name)));
  for (NamedTensor& buffer : second.buffers())
    buffer.tensor.write(value_in(both, in_both(buffer.name)));
  const FamilyBatch batch = {.series = random_series({30, 5}, 3, 1)};
  const std::vector<real> y = both.evaluate(batch);
  EXPECT_EQ(second.evaluate(batch), (std::vector<real>{y[3], y[4], y[8], y[9]}));
}

TEST(EncoderSampleTest, HybridSeesEachGridAlone) {
  constexpr int64_t kSamples = 7, kChannels = 2;
  constexpr GridSize kSize = {19, 16};
  constexpr int64_t kPositions = int64_t{kSize.height} * kSize.width;
  MadeEncoder made("initial_hybrid", {.encode_manual = true}, grids_shape(kChannels, kSize, 6));
  const GridVar grids = random_grids(GridLayout::uniform(kSamples, kSize, {}), kChannels, 1);
  const Var columns = random_columns(kSamples, 6, 2);
  const std::vector<real> y = made.evaluate({.columns = columns, .grids = grids});
  const int64_t width = made->output_dim();
  for (int64_t s = 0; s < kSamples; ++s) {
    SCOPED_TRACE("sample " + std::to_string(s));
    const FamilyBatch alone = {.columns = slice_rows(columns, s, 1),
                               .grids = {slice_rows(grids.values, s * kPositions, kPositions),
                                         GridLayout::uniform(1, kSize, {})}};
    testing::expect_same_bits(made.evaluate(alone), std::vector<real>(y.begin() + s * width,
                                                                      y.begin() + (s + 1) * width));
  }
}

// --- captured steps ------------------------------------------------------------------------------

/// A step of training on samples of one size can be captured once it has run.
void expect_captured(MadeEncoder& made, const FamilyBatch& batch) {
  const int64_t samples = made->encode({}, batch).rows();
  const Tensor target = Tensor::zeros(samples, made->output_dim(), {});
  const auto step = [&] {
    Tape tape;
    const Var y = made->encode({.tape = &tape, .training = true}, batch);
    tape.backward({{mean_squared_error(y, Var(target))}});
  };
  run_step({}, step);
  EXPECT_GT(plan_step({}, step).launches(), 0);
}

TEST(EncoderCaptureTest, HybridOnGridsOfOneSize) {
  MadeEncoder made("initial_hybrid", {}, grids_shape(1, {16, 16}, 3));
  expect_captured(made, {.columns = random_columns(4, 3, 1),
                         .grids = random_grids(GridLayout::uniform(4, {16, 16}, {}), 1, 2)});
}
TEST(EncoderCaptureTest, TemporalCnnOnSeriesOfOneLength) {
  MadeEncoder made("td_cnn", {}, series_shape(3, 32));
  expect_captured(made, {.series = random_series({32, 32, 32}, 3, 1)});
}
TEST(EncoderCaptureTest, PyramidOnSeriesOfOneLength) {
  MadeEncoder made("PyramidTemporalEncoder", {}, series_shape(3, 32));
  expect_captured(made, {.series = random_series({32, 32, 32}, 3, 1)});
}

// --- frozen encoders -----------------------------------------------------------------------------

TEST(EncoderTest, AFrozenEncoderIsAConstantAndItsStatisticsStay) {
  MadeEncoder made("td_cnn", {.trainable = false}, series_shape(3, 16));
  const FamilyBatch batch = {.series = random_series({16, 4, 9}, 3, 1)};
  const std::vector<real> before = made.evaluate(batch);
  Tape tape;
  const Var y = made->encode({.tape = &tape, .training = true}, batch);
  EXPECT_FALSE(y.is_recorded());
  EXPECT_EQ(y.value().to_host(), before);
  EXPECT_EQ(made.evaluate(batch), before);
}

TEST(EncoderTest, ATrainedEncoderMovesItsStatistics) {
  MadeEncoder made("td_cnn", {}, series_shape(3, 16));
  const FamilyBatch batch = {.series = random_series({16, 4, 9}, 3, 1)};
  const std::vector<real> before = made.evaluate(batch);
  made->encode({.training = true}, batch);
  EXPECT_NE(made.evaluate(batch), before);
}

// --- the registry and what it refuses ------------------------------------------------------------

std::string refusal(std::string_view name, const EncoderParams& params, const FamilyShape& shape,
                    ErrorKind kind) {
  try {
    MadeEncoder(name, params, shape);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind);
    return error.what();
  }
  return "";
}

TEST(EncoderRegistryTest, AnUnknownNameListsTheSortedNames) {
  EXPECT_EQ(refusal("resnet", {}, columns_shape(3), ErrorKind::Config),
            "families.family.encoder resnet is not known; use one of IdentityEncoder, "
            "InitialCNNEncoder, InitialHybridEncoder, MLPEncoder, PyramidTemporalEncoder, "
            "TemporalCNNEncoder, TemporalMeanEncoder, ic_cnn, identity, initial_hybrid, mlp, "
            "td_cnn");
}

TEST(EncoderRegistryTest, AliasesFindTheirEncoder) {
  for (const EncoderInfo& info : encoder_infos())
    for (const std::string_view alias : info.aliases)
      EXPECT_EQ(find_encoder(alias)->name, info.name);
  EXPECT_EQ(find_encoder("td_cnn")->name, "TemporalCNNEncoder");
  EXPECT_EQ(find_encoder("resnet"), nullptr);
}

TEST(EncoderRegistryTest, InfosAreSortedByName) {
  EXPECT_TRUE(std::ranges::is_sorted(encoder_infos(), {}, &EncoderInfo::name));
}

TEST(EncoderRegistryTest, AFamilyWithoutWhatIsReadIsRefusedWithWhatItHas) {
  EXPECT_EQ(refusal("ic_cnn", {}, series_shape(63, 256), ErrorKind::Data),
            "family family: InitialCNNEncoder reads grids; the family has series of 256 steps and "
            "63 features; choose another encoder");
  EXPECT_EQ(refusal("mlp", {}, grids_shape(1, {64, 32}), ErrorKind::Data),
            "family family: MLPEncoder reads columns; the family has grids of 1 x 64 x 32; choose "
            "another encoder");
  EXPECT_EQ(refusal("td_cnn", {}, columns_shape(4), ErrorKind::Data),
            "family family: TemporalCNNEncoder reads series; the family has 4 columns; choose "
            "another encoder");
}

TEST(EncoderRegistryTest, ParametersThatDoNotFitAreRefusedByTheirKey) {
  const FamilyShape columns = columns_shape(4), series = series_shape(3, 16);
  EXPECT_EQ(refusal("mlp", {.hidden_dims = {8, 0}}, columns, ErrorKind::Config),
            "families.family.encoder_params.hidden_dims is 0; use 1 or more");
  EXPECT_EQ(refusal("mlp", {.dropout = 1}, columns, ErrorKind::Config),
            "families.family.encoder_params.dropout is 1; use 0 or more and less than 1");
  EXPECT_EQ(refusal("mlp", {.activation = "silu"}, columns, ErrorKind::Config),
            "families.family.encoder_params.activation is silu; use relu, gelu or tanh");
  EXPECT_EQ(refusal("td_cnn", {.embedding_dim = -2}, series, ErrorKind::Config),
            "families.family.encoder_params.embedding_dim is -2; use 1 or more");
  EXPECT_EQ(refusal("PyramidTemporalEncoder", {.level_dims = {8, 8}}, series, ErrorKind::Config),
            "families.family.encoder_params: level_dims has 2 entries, downsample_factors 4; give "
            "each level one of both");
}

TEST(EncoderTest, APyramidThatDoesNotAdaptRefusesAShortSeries) {
  EncoderParams params;
  params.variable_length.adaptive_pyramid = false;
  MadeEncoder made("PyramidTemporalEncoder", params, series_shape(2, 16));
  EXPECT_EQ(error_of([&] { made.evaluate({.series = random_series({16, 8}, 2, 1)}); }), "");
  EXPECT_EQ(
      error_of([&] {
        made.evaluate({.series = random_series({16, 7}, 2, 1)});
      }),
      "family family: a series of 7 steps has 0 left at downsample factor 8, "
      "min_pyramid_length is 1; use longer series, or variable_length.adaptive_pyramid: true");
}

}  // namespace
}  // namespace tessera::inline TESSERA_PRECISION
