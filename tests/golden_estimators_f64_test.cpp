// Golden vectors of the gradient estimators, in double: the linear model, single vectors, and the
// latent losses. Tolerances are the file's own.

#include <algorithm>
#include <cmath>
#include <memory>

#include "tessera/loss.h"
#include "testing/golden_ops.h"
#include "testing/tape_probe.h"

namespace tessera {
namespace {

using golden::expect_close;
using golden::Golden;
using golden::Json;
using golden::Matrix;
using namespace golden_ops;

Matrix transposed(const Matrix& m) {
  Matrix result{m.cols, m.rows, {}};
  for (int64_t c = 0; c < m.cols; ++c)
    for (int64_t r = 0; r < m.rows; ++r) result.values.push_back(m(r, c));
  return result;
}

/// The linear model of the golden file: z = x W^T, xhat = q W, W tied. Its losses are sums over
/// features and means over rows: D (or m, for latents) times the product's means.
struct LinearModel {
  Matrix x, w, e;
  double alpha, beta;
  std::unique_ptr<ParameterGroup> group;  // encoder W, decoder W^T, codebook
  Tape tape;
  Var latents, reconstruction;
  NearestCodes nearest;
  LossInputs in;
  std::vector<double> dzq, dz;  // gradients at the decoder's input and at the latents

  LinearModel(const Golden& test, const std::string& weight, bool rotation)
      : x(test.input_matrix("X")), w(test.input_matrix(weight)), e(test.input_matrix("E")) {
    beta = test.input("beta");
    alpha = 1;
    const std::vector<double> codes = flat(e);
    group = probe::parameters({{w.values, w.rows, w.cols},
                               {transposed(w).values, w.cols, w.rows},
                               {codes, 1, static_cast<int64_t>(codes.size())}});
    const Var rows(tensor(x));
    const VqTable table = one_codebook(e.rows, e.cols, Device{});
    latents = probe::watch(linear(rows, tape.parameter((*group)[0]), {}), dz);
    nearest = nearest_codes(table, latents, tape.parameter((*group)[2]));
    const Tensor& hard = nearest.quantized.value();
    const Var passed =
        rotation ? rotation_trick(table, latents, hard) : straight_through(latents, hard);
    reconstruction = linear(probe::watch(passed, dzq), tape.parameter((*group)[1]), {});
    in = {reconstruction, rows, latents, nearest.quantized};
  }

  void backward() {
    const double features = double(w.cols), dim = double(w.rows);
    tape.backward({{reconstruction_loss(in), features},
                   {codebook_loss(in), alpha * dim},
                   {commitment_loss(in), beta * dim}});
  }
  std::vector<double> dw() const {
    std::vector<double> sum = (*group)[0].grad.to_host();
    const Matrix decoder = transposed({w.cols, w.rows, (*group)[1].grad.to_host()});
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += decoder.values[i];
    return sum;
  }
  std::vector<double> de() const {
    std::vector<double> grad = (*group)[2].grad.to_host();
    grad.resize(e.values.size());
    return grad;
  }
};

TEST(EstimatorGoldenTest, LossesAsSumsOverFeatures) {
  const Golden test("losses_sum_over_dim_mean_over_batch");
  for (const auto& [weight, key] :
       {std::pair<std::string, std::string>{"W_orthonormal", "orthonormal_W"},
        {"W_generic", "generic_W"}}) {
    SCOPED_TRACE(key);
    LinearModel model(test, weight, false);
    const Json& expected = test.expected(key);
    const double tolerance = test.tolerance(), dim = double(model.w.rows);
    const auto value = [](const Var& loss, double factor) { return factor * value_of(loss); };
    const double rec = value(reconstruction_loss(model.in), double(model.w.cols)),
                 codebook = value(codebook_loss(model.in), model.alpha * dim),
                 commit = value(commitment_loss(model.in), model.beta * dim);
    expect_close(rec, expected.at("rec"), tolerance);
    expect_close(codebook, expected.at("codebook"), tolerance);
    expect_close(commit, expected.at("commit"), tolerance);
    expect_close(rec + codebook + commit, expected.at("total"), tolerance);
    expect_close(codebook / model.alpha, expected.at("in_sub_dist"), tolerance);
    expect_codes(model.nearest, expected.at("indices"));
    const auto expect = [&](const Var& found, const char* name) {
      expect_close(found.value().to_host(), golden::matrix(expected.at(name)).values, tolerance);
    };
    expect(model.latents, "z");
    expect(model.nearest.quantized, "z_q");
    expect(model.reconstruction, "x_hat");
  }
}

void expect_gradients(const char* id, bool rotation) {
  const Golden test(id);
  for (const auto& [weight, key] :
       {std::pair<std::string, std::string>{"W_orthonormal", "orthonormal_W"},
        {"W_generic", "generic_W"}}) {
    SCOPED_TRACE(key);
    LinearModel model(test, weight, rotation);
    model.backward();
    const auto expect = [&](const std::vector<double>& found, const char* name) {
      SCOPED_TRACE(name);
      expect_close(found, golden::matrix(test.expected(key).at(name)).values, test.tolerance());
    };
    expect(model.dzq, "dL_dzq");
    expect(model.dz, "dL_dz_total");
    expect(model.dw(), "dL_dW");
    expect(model.de(), "dL_dE");
  }
}

TEST(EstimatorGoldenTest, StraightThroughGradientsOfTheLinearModel) {
  expect_gradients("ste_gradients", false);
}

TEST(EstimatorGoldenTest, RotationTrickGradientsOfTheLinearModel) {
  expect_gradients("rotation_trick_full_model_gradients", true);
}

// With a tied orthonormal W the estimator and the commitment are opposite vectors.
TEST(EstimatorGoldenTest, BetaOneLeavesTheEncoderPathWithoutAGradient) {
  const Golden test("beta_one_cancellation");
  LinearModel model(test, "W", false);
  model.backward();
  expect_close(model.dz, test.expected_matrix("dL_dz_total").values, test.tolerance());
}

/// dL/de of the rotation trick for one latent e, one code q and the gradient g at the code.
std::vector<double> rotation_gradient(const Matrix& e, const Matrix& q,
                                      const std::vector<double>& g, std::vector<double>& forward) {
  const auto group = probe::parameters({{e.values, 1, e.cols}});
  Tape tape;
  const Var turned =
      rotation_trick(one_codebook(1, e.cols, Device{}), tape.parameter((*group)[0]), tensor(q));
  forward = turned.value().to_host();
  tape.backward({{probe::loss_with_gradient(turned, g)}});
  return (*group)[0].grad.to_host();
}

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}
double norm(const std::vector<double>& a) { return std::sqrt(dot(a, a)); }

TEST(EstimatorGoldenTest, RotationTrickOfSingleVectors) {
  const Golden test("rotation_trick_vectors");
  const double tolerance = test.tolerance();
  for (const auto& [name, input] : test.input("cases").items()) {
    SCOPED_TRACE(name);
    const Json& expected = test.expected(name);
    const Matrix e = golden::matrix(input.at("e")), q = golden::matrix(input.at("q")),
                 g = golden::matrix(input.at("g"));
    const double scale = expected.at("scale");
    std::vector<double> forward, unit_scale;
    const std::vector<double> grad = rotation_gradient(e, q, g.values, forward);
    EXPECT_EQ(forward, q.values);  // the row itself, not the product lambda R e
    expect_close(grad, expected.at("grad_e"), tolerance);
    for (const double value : grad) unit_scale.push_back(value / scale);
    expect_close(unit_scale, expected.at("grad_e_unit_scale"), tolerance);
    expect_close(norm(grad) / norm(g.values), expected.at("norm_ratio"), tolerance);
    expect_close(dot(e.values, grad) / norm(e.values) / norm(grad), expected.at("cos_q_g"),
                 tolerance);
    const Matrix r = golden::matrix(expected.at("R"));
    for (int64_t i = 0; i < e.cols; ++i) {  // the gradient 1 in component i gives lambda row i of R
      std::vector<double> one(static_cast<size_t>(e.cols)), scaled_row = r.row(i);
      one[i] = 1;
      for (double& value : scaled_row) value *= scale;
      expect_close(rotation_gradient(e, q, one, forward), scaled_row, tolerance);
    }
  }
}

TEST(EstimatorGoldenTest, RotationTrickWithoutARotationPassesTheGradientOn) {
  const Golden test("rotation_trick_degenerate");
  EXPECT_EQ(test.tolerance("required"), 0);
  for (const auto& [name, input] : test.input("cases").items()) {
    SCOPED_TRACE(name);
    const Json& required = test.expected(name).at("required");
    std::vector<double> forward;
    const std::vector<double> grad = rotation_gradient(
        golden::matrix(input.at("e")), golden::matrix(input.at("q")), input.at("g"), forward);
    EXPECT_EQ(forward, required.at("forward").get<std::vector<double>>());
    EXPECT_EQ(grad, required.at("grad_e_policy_fallback_ste").get<std::vector<double>>());
  }
}

TEST(EstimatorGoldenTest, TrainingGradientsOfTheSpecification) {
  const Golden test("torchlean_training_gradients");
  const Matrix encoded = test.input_matrix("encoded"), selected = test.input_matrix("selected");
  std::vector<double> codes(12, 100.0);  // the middle row is near, the others are far
  std::copy(selected.values.begin(), selected.values.end(), codes.begin() + 4);
  const auto group = probe::parameters({{encoded.values, 1, 4}, {codes, 1, 12}});
  Tape tape;
  const Var z = tape.parameter((*group)[0]);
  const NearestCodes nearest =
      nearest_codes(one_codebook(3, 4, Device{}), z, tape.parameter((*group)[1]));
  const Var passed = straight_through(z, nearest.quantized.value());
  const LossInputs in{.prediction = {}, .target = {}, .latents = z, .quantized = nearest.quantized};
  tape.backward({{probe::loss_with_gradient(passed, test.input("g"))},
                 {codebook_loss(in)},
                 {commitment_loss(in), test.input("beta")}});
  expect_close((*group)[0].grad.to_host(), test.expected("encoder"), test.tolerance());
  std::vector<double> codebook(12, 0.0);
  const std::vector<double> row = test.expected("codebook");
  std::copy(row.begin(), row.end(), codebook.begin() + 4);
  expect_close((*group)[1].grad.to_host(), codebook, test.tolerance());
}

/// The two latent losses with `quantized` given to them; gradients of z and of the codebook.
void expect_latent_losses(bool hard) {
  const Golden test("codebook_loss_needs_hard_code");
  const Matrix z_e = test.input_matrix("z_e"), codebook = test.input_matrix("codebook");
  const auto group = probe::parameters({{z_e.values, z_e.rows, z_e.cols}, {flat(codebook), 1, 4}});
  Tape tape;
  const Var z = tape.parameter((*group)[0]);
  const NearestCodes nearest =
      nearest_codes(one_codebook(2, 2, Device{}), z, tape.parameter((*group)[1]));
  expect_codes(nearest, test.expected("indices"));
  const Var passed = straight_through(z, nearest.quantized.value());
  const LossInputs in{
      .prediction = {}, .target = {}, .latents = z, .quantized = hard ? nearest.quantized : passed};
  const Var code = codebook_loss(in), commitment = commitment_loss(in);
  const double beta = test.input("beta");
  expect_close(value_of(add(code, commitment, 1, beta)), test.expected("value"), test.tolerance());
  tape.backward({{code}, {commitment, beta}});
  const Json& expected = test.expected(hard ? "hard_input_required" : "straight_through_input");
  expect_close((*group)[0].grad.to_host(), golden::matrix(expected.at("dL_dz_e")).values,
               test.tolerance());
  expect_close((*group)[1].grad.to_host(), golden::matrix(expected.at("dL_dcodebook")).values,
               test.tolerance());
}

TEST(EstimatorGoldenTest, LatentLossesOfTheHardRowsMoveCodesAndLatentsTogether) {
  expect_latent_losses(true);
}

// What giving them the straight-through tensor would do: codes stay, latents flee.
TEST(EstimatorGoldenTest, LatentLossesOfTheStraightThroughTensorMissTheCodebook) {
  expect_latent_losses(false);
}

}  // namespace
}  // namespace tessera
