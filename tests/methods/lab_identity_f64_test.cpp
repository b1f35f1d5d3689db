// What must hold whatever the numbers are: identities of the tied model with orthonormal rows
// (decisions of the lab: R W^T = Z - Q), the polar factor, Lloyd iterations, bounds.

#include "methods/projection.h"
#include "methods/ste_manual.h"
#include "tessera/kmeans.h"
#include "tessera/metrics.h"
#include "tessera/quantizer.h"

namespace tessera {
namespace {

LabSettings small_settings() {
  LabSettings s;
  s.data_dim = 12;
  s.rank = 5;
  s.latent_dim = 3;
  s.codebook_size = 8;
  s.train_rows = 600;
  s.eval_rows = 200;
  s.batch = 96;
  s.steps = 30;
  s.encoder_rate = 0.05;
  return s;
}

double mean_square(const Tensor& t) {
  double sum = 0;
  for (const double value : t.to_host()) sum += value * value;
  return sum / double(t.rows());
}

Var pass(const VqTable&, const Var& latents, const Tensor& quantized) {
  return straight_through(latents, quantized);
}

TEST(LabIdentityTest, ReconstructionSplitsIntoWhatTheEncoderDropsAndTheDistanceToCodes) {
  const LabProblem problem = make_lab_problem(small_settings(), {});
  LinearModel model(problem);
  const LabMetrics metrics = model.measure(problem.train);
  const double dropped = mean_square(problem.train) - mean_square(model.latents(problem.train));
  EXPECT_NEAR(metrics.recon_mse, dropped + metrics.in_sub_dist, 1e-12);
}

/// Values of the encoder after one step without projection.
std::vector<double> encoder_after(const LabProblem& problem, Estimator estimator, double beta) {
  LabSettings s = problem.settings;
  s.commitment_weight = beta;
  LinearModel model(problem);
  tape_step(estimator)(model, problem.train, s, nullptr);
  return model.encoder_values().values;
}

// dW = decoder path + (beta - 1) (2/B) (Z - Q)^T X: linear in beta, and at beta 1 the rest is the
// decoder's alone.
TEST(LabIdentityTest, EncoderPathHasTheFactorBetaMinusOne) {
  const LabProblem problem = make_lab_problem(small_settings(), {});
  const double rate = problem.settings.encoder_rate;
  LinearModel model(problem);
  const Tensor z = model.latents(problem.train);
  const NearestCodes nearest = nearest_codes(model.table(), Var(z), Var(model.codebook().value));
  const int64_t n = problem.train.rows();
  SmallMatrix residual(n, z.cols(), add(Var(z), nearest.quantized, 1, -1).value().to_host());
  const SmallMatrix x(n, problem.train.cols(), problem.train.to_host());
  const SmallMatrix path = transposed_product(residual, x);
  const std::vector<double> at_one = encoder_after(problem, pass, 1);
  for (const double beta : {0.0, 0.25}) {
    const std::vector<double> found = encoder_after(problem, pass, beta);
    for (size_t i = 0; i < found.size(); ++i)
      EXPECT_NEAR(found[i], at_one[i] - rate * (beta - 1) * 2 / double(n) * path.values[i], 1e-13);
  }
}

TEST(LabIdentityTest, StraightThroughAndProjectionTakeTheSamePath) {
  const LabProblem problem = make_lab_problem(small_settings(), {});
  const LabResult one = lab_method("ste_autograd").train(problem);
  const LabResult other = lab_method("projection").train(problem);
  for (size_t i = 0; i < one.codebook.size(); ++i)
    EXPECT_NEAR(one.codebook[i], other.codebook[i], 1e-12);
  for (size_t i = 0; i < one.encoder.size(); ++i)
    EXPECT_NEAR(one.encoder[i], other.encoder[i], 1e-12);
}

TEST(LabIdentityTest, TheRotationTrickTakesAnotherPath) {
  const LabProblem problem = make_lab_problem(small_settings(), {});
  EXPECT_NE(lab_method("ste_autograd").train(problem).encoder,
            lab_method("rotation").train(problem).encoder);
}

TEST(LabIdentityTest, ManualCodebookStepIsTheTapesTimesBatchOverMembers) {
  const LabProblem problem = make_lab_problem(small_settings(), {});
  const LabSettings& s = problem.settings;
  LinearModel tape(problem), manual(problem);
  tape_step(pass)(tape, problem.train, s, nullptr);
  manual_step(manual, problem.train, s, nullptr);
  LinearModel start(problem);
  const NearestCodes nearest =
      nearest_codes(start.table(), Var(start.latents(problem.train)), Var(start.codebook().value));
  std::vector<double> members(size_t(s.codebook_size));
  for (const int32_t code : nearest.codes.to_host()) ++members[size_t(code)];
  for (int64_t j = 0; j < s.codebook_size; ++j)
    for (int64_t i = 0; i < s.latent_dim; ++i) {
      const double before = start.codebook_values()(j, i);
      EXPECT_NEAR(
          manual.codebook_values()(j, i) - before,
          (tape.codebook_values()(j, i) - before) * double(s.train_rows) / members[size_t(j)],
          1e-12);
    }
}

TEST(PolarFactorTest, IsItsOwnPolarFactor) {
  SmallMatrix a(3, 7);
  for (size_t i = 0; i < a.values.size(); ++i) a.values[i] = double(i * 37 % 11) - 5;
  const SmallMatrix once = polar_factor(a), twice = polar_factor(once);
  for (size_t i = 0; i < once.values.size(); ++i)
    EXPECT_NEAR(twice.values[i], once.values[i], 1e-14);
}

TEST(PolarFactorTest, RefusesRowsThatAreNotFinite) {
  SmallMatrix a(2, 3);
  a(0, 0) = std::nan("");
  a(1, 1) = 1;
  try {
    polar_factor(a);
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Numeric);
  }
}

TEST(SymmetricEigenTest, VectorsTimesValuesGiveTheMatrixBack) {
  const int64_t n = 9;
  SmallMatrix a(n, n), scaled;
  for (int64_t r = 0; r < n; ++r)
    for (int64_t c = 0; c < n; ++c) a(r, c) = std::cos(double(r * c + r + c));
  const SymmetricEigen eigen = symmetric_eigen(a);
  scaled = eigen.vectors;
  for (int64_t r = 0; r < n; ++r)
    for (int64_t c = 0; c < n; ++c) scaled(r, c) *= eigen.values[size_t(r)];
  const SmallMatrix back = transposed_product(eigen.vectors, scaled);
  for (size_t i = 0; i < a.values.size(); ++i) EXPECT_NEAR(back.values[i], a.values[i], 1e-13);
}

TEST(LabLloydTest, AnIterationNeverRaisesTheDistortion) {
  const LabProblem problem = make_lab_problem(small_settings(), {});
  LinearModel model(problem);
  const Tensor z = model.latents(problem.train);
  Tensor centres = kmeans_plus_plus(z.view(), {}, {.clusters = 8, .seed = 3});
  double before = 0;
  for (int i = 0; i < 25; ++i) {
    double distortion = 0;
    lloyd_iteration(z.view(), centres, &distortion);
    if (i > 0) {
      EXPECT_LE(distortion, before + 1e-15);
    }
    before = distortion;
  }
}

}  // namespace
}  // namespace tessera
