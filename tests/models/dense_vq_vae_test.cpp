// The dense VQ-VAE of Edifice.Generative.VQVAE: what its own tests ask for, and what they miss.

#include "tessera/models/dense_vq_vae.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tessera/loss.h"
#include "testing/tape_probe.h"

namespace tessera {
namespace {

using LayerSizes = std::vector<int64_t>;

/// Numbers between -1 and 1, the same every time.
Tensor some_rows(int64_t rows, int64_t cols) {
  std::vector<real> values(static_cast<size_t>(rows * cols));
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = initial_uniform(3, "rows", static_cast<int64_t>(i), 1);
  return Tensor::from_host(rows, cols, values);
}

Tensor filled(int64_t rows, int64_t cols, real value) {
  return Tensor::from_host(rows, cols, std::vector<real>(static_cast<size_t>(rows * cols), value));
}

bool all_finite(const std::vector<real>& values) {
  return std::ranges::all_of(values, [](real value) { return std::isfinite(value); });
}

real value_of(const Var& loss) {
  EXPECT_EQ(loss.value().size(), 1);
  return loss.value().to_host()[0];
}

NearestCodes quantize(const Tensor& latents, int64_t codes, std::vector<real> codebook) {
  const VqTable table = one_codebook(codes, latents.cols(), Device{});
  codebook.resize((codebook.size() + 3) / 4 * 4);  // the padding of VqGroup::pack
  const int64_t size = static_cast<int64_t>(codebook.size());
  return nearest_codes(table, Var(latents), Var(Tensor::from_host(1, size, codebook)));
}

/// A pair of models and the group their parameters are in.
struct Built {
  ParameterGroup group{"model", kModelGroup};
  ModelPair pair;

  explicit Built(const Options& options, std::string_view name = "vq_vae") {
    pair = build(name, options, group);
    group.allocate(Device{});
  }
  Var encode(const Tensor& x) { return pair.encoder->forward({}, Var(x)); }
  Var decode(const Tensor& x) { return pair.decoder->forward({}, Var(x)); }
};

const Options kSmall = {{"input_size", int64_t{16}},
                        {"embedding_dim", int64_t{8}},
                        {"encoder_sizes", LayerSizes{16}},
                        {"decoder_sizes", LayerSizes{16}}};

void expect_config_error(const Options& options, std::string_view part,
                         std::string_view model = "vq_vae") {
  ParameterGroup group("model", kModelGroup);
  try {
    build(model, options, group);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Config) << error.what();
    EXPECT_NE(std::string_view(error.what()).find(part), std::string_view::npos) << error.what();
    return;
  }
  ADD_FAILURE() << "no error; '" << part << "' is expected";
}

// C1, C10
TEST(DenseModelTest, BuildByNameGivesAnEncoderAndADecoderOfTheirShapes) {
  for (const std::string_view name : model_names()) {
    Built built(kSmall, name);
    const Var latents = built.encode(some_rows(2, 16));
    EXPECT_EQ(latents.rows(), 2) << name;
    EXPECT_EQ(latents.cols(), 8) << name;
    const Var reconstruction = built.decode(latents.value());
    EXPECT_EQ(reconstruction.rows(), 2) << name;
    EXPECT_EQ(reconstruction.cols(), 16) << name;
  }
}

// C10
TEST(DenseModelTest, VqVaeIsARegisteredName) {
  const auto names = model_names();
  EXPECT_NE(std::ranges::find(names, "vq_vae"), names.end());
  expect_config_error(kSmall, "model vq_vea is not known; use one of vq_vae", "vq_vea");
}

// C2
TEST(DenseModelTest, EncoderIsFiniteForEveryBatchSize) {
  Built built({{"input_size", int64_t{32}}, {"embedding_dim", int64_t{8}}});
  for (const int64_t batch : {1, 4, 16}) {
    const Var latents = built.encode(some_rows(batch, 32));
    EXPECT_EQ(latents.rows(), batch);
    EXPECT_TRUE(all_finite(latents.value().to_host())) << batch;
  }
}

// C3
TEST(DenseModelTest, EveryEncoderParameterHasAFiniteGradientAndSomeAreNotZero) {
  Built built({{"input_size", int64_t{16}}, {"embedding_dim", int64_t{4}}});
  Tape tape;
  const Var latents = built.pair.encoder->forward({.tape = &tape}, Var(some_rows(2, 16)));
  tape.backward({{probe::loss_with_gradient(latents, std::vector<real>(8, real(1)))}});
  bool some = false;
  for (const Parameter& parameter : built.group.parameters()) {
    const std::vector<real> grad = parameter.grad.to_host();
    EXPECT_TRUE(all_finite(grad)) << parameter.name;
    some |= std::ranges::any_of(grad, [](real g) { return g != 0; });
  }
  EXPECT_TRUE(some);
}

// C4
TEST(DenseModelTest, QuantizeGivesARowAndACodePerLatent) {
  const NearestCodes nearest = quantize(some_rows(6, 4), 5, some_rows(5, 4).to_host());
  EXPECT_EQ(nearest.quantized.rows(), 6);
  EXPECT_EQ(nearest.quantized.cols(), 4);
  EXPECT_EQ(nearest.codes.size(), 6);
}

// C4
TEST(DenseModelTest, CodebookOfEqualRowsGivesCodeZero) {
  const NearestCodes nearest = quantize(some_rows(3, 4), 16, std::vector<real>(64, real(0.5)));
  EXPECT_EQ(nearest.codes.to_host(), (std::vector<int32_t>{0, 0, 0}));
}

// C5
TEST(DenseModelTest, OneHotCodebookIsReadAsWritten) {
  const Tensor latents = Tensor::from_host(
      2, 4, std::vector<real>{real(.9), real(.1), 0, 0, 0, 0, real(.1), real(.9)});
  const NearestCodes nearest =
      quantize(latents, 4, {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1});
  EXPECT_EQ(nearest.codes.to_host(), (std::vector<int32_t>{0, 3}));
  EXPECT_EQ(nearest.quantized.value().to_host(), (std::vector<real>{1, 0, 0, 0, 0, 0, 0, 1}));
}

// C6
TEST(DenseModelTest, LatentLossesAreNotNegativeAndVanishAtTheCode) {
  const Var z(some_rows(4, 8)), q(filled(4, 8, real(0.25)));
  for (const Loss loss : {codebook_loss, commitment_loss}) {
    EXPECT_GT(value_of(loss({.prediction = {}, .target = {}, .latents = z, .quantized = q})), 0);
    EXPECT_EQ(value_of(loss({.prediction = {}, .target = {}, .latents = z, .quantized = z})), 0);
  }
}

// C7. Four roundings of terms below 0.026: 2^-24 relative each.
TEST(DenseModelTest, WeightedSumOfTheLossesHasItsValue) {
  const LossInputs in{.prediction = Var(filled(2, 16, real(.5))),
                      .target = Var(filled(2, 16, real(.6))),
                      .latents = Var(filled(2, 8, real(.4))),
                      .quantized = Var(filled(2, 8, real(.3)))};
  for (const auto& [weight, expected] : {std::pair{.25, .0225}, std::pair{.5, .0250}}) {
    const Var total =
        add(add(reconstruction_loss(in), codebook_loss(in)), commitment_loss(in), 1, real(weight));
    EXPECT_NEAR(value_of(total), expected, 1e-8);
  }
}

// C8
TEST(DenseModelTest, PassThroughTheWholeModelKeepsShapesAndGivesLosses) {
  for (const std::string_view kind : quantizer_names()) {
    DenseVqVae model(DenseOptions::from(kSmall),
                     {.kind = std::string(kind), .codebook_init = "normal"}, Device{});
    const Var x(some_rows(4, 16));
    model.quantizer().initialize(model.encode({}, x).value());
    const DenseOutput output = model.forward({}, x);
    EXPECT_EQ(output.reconstruction.rows(), 4);
    EXPECT_EQ(output.reconstruction.cols(), 16);
    EXPECT_EQ(output.code.codes.size(), 4);
    const LossInputs in{output.reconstruction, x, output.latents, output.code.quantized};
    for (const char* name : {"reconstruction", "codebook", "commitment"}) {
      EXPECT_GE(value_of(loss_named(name)(in)), 0) << kind << ' ' << name;
      EXPECT_TRUE(std::isfinite(value_of(loss_named(name)(in)))) << kind << ' ' << name;
    }
  }
}

// C9
TEST(DenseModelTest, UnknownOptionIsRefusedByName) {
  for (const std::string name : {"latent_size", "hidden_size", "commitment_cost"})
    expect_config_error({{"input_size", int64_t{16}}, {name, int64_t{8}}},
                        "vq_vae: " + name + " is not an option; the options are input_size");
}

// C9
TEST(DenseModelTest, LeavingEmbeddingDimOutGivesSixtyFour) {
  Built built({{"input_size", int64_t{16}}});
  EXPECT_EQ(built.encode(some_rows(3, 16)).cols(), 64);
}

TEST(DenseModelTest, OptionsLeftOutHaveTheDocumentedDefaults) {
  const DenseOptions options = DenseOptions::from({{"input_size", int64_t{784}}});
  EXPECT_EQ(options.encoder_sizes, (LayerSizes{256, 128}));
  EXPECT_EQ(options.decoder_sizes, (LayerSizes{128, 256}));
  EXPECT_EQ(options.codebook_size, 512);
  EXPECT_EQ(options.activation, "relu");
}

TEST(DenseModelTest, DocumentedCallOfTheSourceIsUnderstood) {
  const DenseOptions options = DenseOptions::from({{"input_size", int64_t{784}},
                                                   {"embedding_dim", int64_t{32}},
                                                   {"num_embeddings", int64_t{128}}});
  EXPECT_EQ(options.embedding_dim, 32);
  EXPECT_EQ(options.codebook_size, 128);
}

TEST(DenseModelTest, MissingOrWrongOptionsAreRefused) {
  expect_config_error({}, "input_size is missing");
  expect_config_error({{"input_size", int64_t{0}}}, "input_size has the size 0");
  expect_config_error({{"input_size", LayerSizes{16}}}, "input_size must be a number");
  expect_config_error({{"input_size", int64_t{4}}, {"encoder_sizes", LayerSizes{8, -1}}},
                      "encoder_sizes has the size -1");
  expect_config_error({{"input_size", int64_t{4}}, {"activation", "rellu"}},
                      "activation rellu is not known");
}

TEST(DenseModelTest, BothModelsEndWithoutAnActivation) {
  Built built(kSmall);
  const auto has_negative = [](const Var& y) {
    return std::ranges::any_of(y.value().to_host(), [](real value) { return value < 0; });
  };
  EXPECT_TRUE(has_negative(built.encode(some_rows(16, 16))));
  EXPECT_TRUE(has_negative(built.decode(some_rows(16, 8))));
}

TEST(DenseModelTest, DecoderGetsTheRowsThemselves) {
  for (const std::string_view estimator : estimator_names()) {
    DenseVqVae model(DenseOptions::from(kSmall),
                     {.estimator = std::string(estimator), .codebook_init = "normal"}, Device{});
    const Var x(some_rows(4, 16));
    model.quantizer().initialize(model.encode({}, x).value());
    Tape tape;
    const DenseOutput output = model.forward({.tape = &tape}, x);
    const auto rows = model.quantizer().lookup(output.code.codes, 4).to_host();
    EXPECT_EQ(output.code.quantized.value().to_host(), rows) << estimator;
    EXPECT_EQ(output.code.passed.value().to_host(), rows) << estimator;
  }
}

/// Gradients of one loss in the encoder's first weight and in the codebook, a trained one.
struct Reach {
  bool encoder, codebook;
};
Reach reach_of(std::string_view loss) {
  DenseVqVae model(DenseOptions::from(kSmall), {.kind = "gradient", .codebook_init = "normal"},
                   Device{});
  const Var x(some_rows(4, 16));
  model.quantizer().initialize(model.encode({}, x).value());
  Tape tape;
  const DenseOutput output = model.forward({.tape = &tape}, x);
  tape.backward(
      {{loss_named(loss)({output.reconstruction, x, output.latents, output.code.quantized})}});
  const auto some = [](const Parameter& parameter) {
    return std::ranges::any_of(parameter.grad.to_host(), [](real g) { return g != 0; });
  };
  return {some(model.model_group()[0]), some(model.codebook_group()[0])};
}

TEST(DenseModelTest, ReconstructionReachesTheEncoderAndNeverTheCodebook) {
  EXPECT_TRUE(reach_of("reconstruction").encoder);
  EXPECT_FALSE(reach_of("reconstruction").codebook);
}

TEST(DenseModelTest, CodebookLossReachesTheCodebookAlone) {
  EXPECT_FALSE(reach_of("codebook").encoder);
  EXPECT_TRUE(reach_of("codebook").codebook);
}

TEST(DenseModelTest, CommitmentLossReachesTheEncoderAlone) {
  EXPECT_TRUE(reach_of("commitment").encoder);
  EXPECT_FALSE(reach_of("commitment").codebook);
}

TEST(DenseModelTest, RowsOfTheWrongWidthAreAnError) {
  Built built(kSmall);
  EXPECT_THROW(built.encode(some_rows(2, 15)), Error);
  EXPECT_THROW(built.decode(some_rows(2, 16)), Error);
}

TEST(DenseModelTest, ShapesThatDoNotAgreeAreErrorsOfQuantize) {
  const VqTable table = one_codebook(5, 4, Device{});
  const Var book(some_rows(1, 20));
  EXPECT_NO_THROW(nearest_codes(table, Var(some_rows(3, 4)), book));
  EXPECT_THROW(nearest_codes(table, Var(some_rows(3, 3)), book), Error);
  EXPECT_THROW(nearest_codes(table, Var(some_rows(3, 5)), book), Error);
  EXPECT_THROW(nearest_codes(table, Var(some_rows(3, 4)), Var(some_rows(1, 19))), Error);
  EXPECT_THROW(straight_through(Var(some_rows(3, 4)), some_rows(4, 3)), Error);
  EXPECT_THROW(rotation_trick(table, Var(some_rows(3, 4)), some_rows(2, 4)), Error);
}

TEST(DenseModelTest, SameSeedGivesTheSameModel) {
  Built one(kSmall), two(kSmall);
  const Tensor x = some_rows(3, 16);
  EXPECT_EQ(one.encode(x).value().to_host(), two.encode(x).value().to_host());
}

}  // namespace
}  // namespace tessera
