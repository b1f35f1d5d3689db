#include "tessera/loss.h"
#include "tessera/models/dense_vq_vae.h"
#include "testing/gradcheck.h"
#include "testing/numbers.h"

namespace tessera::inline TESSERA_PRECISION {
namespace {

using testing::uniform;

constexpr int64_t kRows = 9, kInputs = 6, kDim = 3, kCodes = 5;
constexpr real kCodebookWeight = real(1.0), kCommitmentWeight = real(0.25);

/// A small model with a trained codebook. Estimators are defined by another function than the
/// forward pass, with codes, and what stop_gradient cuts off, held at their values.
class DenseGradientTest : public ::testing::TestWithParam<std::string_view> {
 protected:
  DenseGradientTest() {
    const Tensor z = model_.encode({}, Var(x_)).value();
    model_.quantizer().initialize(z);
    const DenseOutput out = model_.forward({}, Var(x_));
    codes_ = out.code.codes;
    z_ = Tensor::from_host(kRows, kDim, z.to_host());
    q_ = Tensor::from_host(kRows, kDim, out.code.quantized.value().to_host());
  }
  Tensor x_ = Tensor::from_host(kRows, kInputs, uniform<real>(kRows* kInputs, 1));
  DenseVqVae model_{{.input_size = kInputs,
                     .encoder_sizes = {7},
                     .decoder_sizes = {8},
                     .embedding_dim = kDim,
                     .codebook_size = kCodes,
                     .activation = "tanh"},
                    {.kind = "gradient",
                     .estimator = std::string(GetParam()),
                     .codebook_init = "kmeans",
                     .dead_code = {.enabled = false},
                     .seed = 5},
                    {}};
  Buffer<int32_t> codes_;
  Tensor z_, q_;  // latents and their codes, at the parameters as they are

  static Var total(const Var& reconstruction, const Var& codebook, const Var& commitment) {
    return add(reconstruction, add(codebook, commitment, kCodebookWeight, kCommitmentWeight));
  }
  Var loss(const Pass& pass) {
    const DenseOutput out = model_.forward(pass, Var(x_));
    const LossInputs in = {out.reconstruction, Var(x_), out.latents, out.code.quantized};
    return total(reconstruction_loss(in), codebook_loss(in), commitment_loss(in));
  }
  /// What the decoder receives as a function of the encoder alone: z + (q - z0) for
  /// straight_through, lambda R z for the rotation, in which q = lambda R z0.
  Var passed(const Var& latents) {
    const std::vector<real> z = latents.value().to_host(), z0 = z_.to_host(), q = q_.to_host();
    std::vector<real> y(z.size());
    for (size_t n = 0; n < kRows; ++n) {
      const auto row = [&](const std::vector<real>& of) { return of.data() + n * kDim; };
      if (GetParam() == "rotation")
        rotate(row(z), row(z0), row(q), y.data() + n * kDim);
      else
        for (size_t d = 0; d < kDim; ++d) y[n * kDim + d] = row(z)[d] + (row(q)[d] - row(z0)[d]);
    }
    return Var(Tensor::from_host(kRows, kDim, y));
  }
  /// y = lambda (v - 2 r (r.v) + 2 qh (eh.v)) with lambda, r, qh, eh of e and q.
  static void rotate(const real* v, const real* e, const real* q, real* y) {
    const auto dot = [](const real* a, const real* b) {
      return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
    };
    const real e_norm = std::sqrt(dot(e, e)), q_norm = std::sqrt(dot(q, q));
    real r[kDim];
    for (int d = 0; d < kDim; ++d) r[d] = e[d] / e_norm + q[d] / q_norm;
    const real rv = dot(r, v) / dot(r, r), ev = dot(e, v) / e_norm;
    for (int d = 0; d < kDim; ++d)
      y[d] = q_norm / e_norm * (v[d] - 2 * r[d] * rv + 2 * q[d] / q_norm * ev);
  }
  Var differentiated(const Pass& pass) {
    const Var latents = model_.encode(pass, Var(x_));
    const Var reconstruction = model_.decode(pass, passed(latents));
    const Var rows(model_.quantizer().lookup(codes_, kRows));
    return total(mean_squared_error(reconstruction, Var(x_)), mean_squared_error(rows, Var(z_)),
                 mean_squared_error(latents, Var(q_)));
  }
  void expect_gradients(ParameterGroup& group) {
    gradcheck::expect_gradients(
        group, [&](const Pass& pass) { return loss(pass); },
        {.differentiated = [&](const Pass& pass) { return differentiated(pass); }});
  }
};
INSTANTIATE_TEST_SUITE_P(, DenseGradientTest, ::testing::ValuesIn(estimator_names()),
                         [](const auto& info) { return std::string(info.param); });

TEST_P(DenseGradientTest, EncoderAndDecoderMatchDifferencesWithCodesHeldFixed) {
  expect_gradients(model_.model_group());
}

TEST_P(DenseGradientTest, CodebookMatchesDifferencesWithCodesHeldFixed) {
  expect_gradients(model_.codebook_group());
}

TEST(DenseVqVaeTest, AnEmaCodebookGetsNoGradient) {
  DenseVqVae model({.input_size = kInputs, .codebook_size = kCodes}, {.kind = "ema"}, {});
  EXPECT_TRUE(model.codebook_group().empty());
  EXPECT_GT(model.model_group().parameter_count(), 0);
}

TEST(DenseVqVaeTest, DecodesTheHardRows) {
  DenseVqVae model({.input_size = kInputs, .codebook_size = kCodes}, {.codebook_init = "normal"},
                   {});
  const Var x(Tensor::from_host(kRows, kInputs, uniform<real>(kRows * kInputs, 1)));
  model.quantizer().initialize(model.encode({}, x).value());
  const DenseOutput out = model.forward({}, x);
  const Var rows(model.quantizer().lookup(out.code.codes, kRows));
  EXPECT_EQ(rows.value().to_host(), out.code.passed.value().to_host());
  EXPECT_EQ(model.decode({}, rows).value().to_host(), out.reconstruction.value().to_host());
}

}  // namespace
}  // namespace tessera::inline TESSERA_PRECISION
