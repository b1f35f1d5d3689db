// Golden vectors of the lab: polar factor, PCA, gradients, whole steps and 60-step trajectories, in
// double. Tolerances are the file's own.

#include "core/context.h"
#include "methods/projection.h"
#include "methods/ste_manual.h"
#include "tessera/kmeans.h"
#include "testing/golden_ops.h"

namespace tessera {
namespace {

using golden::expect_close;
using golden::Golden;
using golden::Json;
using golden::Matrix;
using namespace golden_ops;

SmallMatrix small(const Matrix& m) { return {m.rows, m.cols, m.values}; }

Var pass(const VqTable&, const Var& latents, const Tensor& quantized) {
  return straight_through(latents, quantized);
}

LabSettings settings_of(const Golden& test) {
  LabSettings s;
  s.codebook_weight = test.input("alpha");
  s.commitment_weight = test.input("beta");
  s.encoder_rate = test.input("lrW");
  s.codebook_rate = test.input("lrE");
  return s;
}

TEST(LabGoldenTest, PolarFactor) {
  const Golden test("stiefel_polar_projection");
  for (const auto& [name, input] : test.input("matrices").items()) {
    SCOPED_TRACE(name);
    const SmallMatrix p = polar_factor(small(golden::matrix(input)));
    const double bound = name == "diag"            ? 1e-15
                         : name == "near_singular" ? 1e-9
                                                   : test.tolerance(name);
    expect_close(p.values, golden::matrix(test.expected(name)).values, bound);
    const SmallMatrix gram = product_transposed(p, p);
    for (int64_t r = 0; r < gram.rows; ++r)
      for (int64_t c = 0; c < gram.cols; ++c) EXPECT_NEAR(gram(r, c), r == c ? 1 : 0, 1e-14);
  }
}

TEST(LabGoldenTest, PrincipalComponentsOfTheBiasedCovariance) {
  const Golden test("pca_init");
  const Matrix x = test.input_matrix("X");
  const PrincipalComponents found = principal_components(x.values, x.cols, test.input("m"));
  expect_close(found.variances, test.expected("eigenvalues"), test.tolerance());
  expect_close(transposed_product(found.directions, found.directions).values,
               test.expected_matrix("row_space_projector").values, test.tolerance());
}

TEST(LabGoldenTest, RiemannianGradientIsHalfTheCanonicalOne) {
  const Golden test("riemannian_gradients");
  const SmallMatrix w = small(test.input_matrix("W")), g = small(test.input_matrix("G"));
  const SmallMatrix found = riemannian_gradient(w, g);
  expect_close(found.values, test.expected_matrix("repo_manual").values, test.tolerance());
  expect_close(found.values, test.expected_matrix("half_canonical").values, test.tolerance());
}

/// The gradients that one tape step used: rates of 1 make them the difference of values.
void expect_projection_gradients(const std::string& weight, const std::string& key) {
  const Golden test("projection_gradients");
  LinearModel model(small(test.input_matrix(weight)), small(test.input_matrix("E")), Device{});
  LabSettings s;
  s.encoder_rate = s.codebook_rate = 1;
  tape_step(line_projection)(model, tensor(test.input_matrix("X")), s, nullptr);
  const auto gradient = [](const Matrix& before, const SmallMatrix& after) {
    std::vector<double> difference = before.values;
    for (size_t i = 0; i < difference.size(); ++i) difference[i] -= after.values[i];
    return difference;
  };
  const Json& expected = test.expected(key);
  expect_close(gradient(test.input_matrix(weight), model.encoder_values()),
               golden::matrix(expected.at("dL_dW")).values, test.tolerance());
  expect_close(gradient(test.input_matrix("E"), model.codebook_values()),
               golden::matrix(expected.at("dL_dE")).values, test.tolerance());
}
TEST(LabGoldenTest, ProjectionGradientsOfOrthonormalRows) {
  expect_projection_gradients("W_orthonormal", "orthonormal_W");
}
TEST(LabGoldenTest, ProjectionGradientsOfGenericRows) {
  expect_projection_gradients("W_generic", "generic_W");
}

void expect_one_step(const LabStep& step, const char* key) {
  const Golden test("one_training_step");
  LinearModel model(small(test.input_matrix("W_orthonormal")), small(test.input_matrix("E")),
                    Device{});
  step(model, tensor(test.input_matrix("X")), settings_of(test), nullptr);
  model.project();
  const Json& expected = test.expected(key);
  expect_close(model.encoder_values().values, golden::matrix(expected.at("W")).values,
               test.tolerance());
  expect_close(model.codebook_values().values, golden::matrix(expected.at("E")).values,
               test.tolerance());
}
TEST(LabGoldenTest, OneStepThroughTheTape) { expect_one_step(tape_step(pass), "autograd_ste"); }
TEST(LabGoldenTest, OneStepByHand) { expect_one_step(manual_step, "manual_ste"); }

struct SplitMix {
  uint64_t state;
  uint64_t next() {
    uint64_t z = state += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  double uniform() { return double(next() >> 11) * 0x1p-53; }
};

/// The problem that the trajectories start from, regenerated as the file says.
struct Trajectory {
  Golden test{"training_trajectory_splitmix"};
  LabProblem problem;
  std::vector<std::vector<int32_t>> batches;

  Trajectory() {
    SplitMix random{2024};
    LabSettings s = settings_of(test);
    s.data_dim = test.input("D");
    s.rank = test.input("r");
    s.latent_dim = test.input("m");
    s.codebook_size = test.input("K");
    s.train_rows = s.eval_rows = test.input("N");
    s.steps = test.input("steps");
    s.batch = test.input("B");
    SmallMatrix a(s.rank, s.data_dim), factors(s.train_rows, s.rank);
    for (double& value : a.values) value = 2 * random.uniform() - 1;
    for (int64_t i = 0; i < factors.rows; ++i)
      for (int64_t j = 0; j < factors.cols; ++j) {
        double sum = 0;
        for (int k = 0; k < 4; ++k) sum += random.uniform();
        factors(i, j) = (sum - 2) * test.input("scale").at(size_t(j)).get<double>();
      }
    for (int64_t step = 0; step < s.steps; ++step) {
      batches.emplace_back();
      for (int64_t i = 0; i < s.batch; ++i)
        batches.back().push_back(int32_t(random.next() % uint64_t(s.train_rows)));
    }
    const SmallMatrix x = product(factors, a);
    SmallMatrix first_rows(s.latent_dim, s.data_dim), head(s.codebook_size, s.data_dim);
    std::copy_n(a.values.begin(), first_rows.values.size(), first_rows.values.begin());
    std::copy_n(x.values.begin(), head.values.size(), head.values.begin());
    const SmallMatrix w = polar_factor(first_rows);
    problem = {.settings = s,
               .device = {},
               .train = Tensor::from_host(x.rows, x.cols, x.values),
               .eval = Tensor::from_host(x.rows, x.cols, x.values),
               .encoder = w.values,
               .lloyd_codebook = {},
               .start_codebook = product_transposed(head, w).values,
               .draw_batch = [this](int64_t step, std::span<int32_t> rows) {
                 std::copy(batches.at(size_t(step - 1)).begin(), batches.at(size_t(step - 1)).end(),
                           rows.begin());
               }};
  }

  void expect_metrics(const LabMetrics& found, const Json& expected) const {
    const double bound = 1e-9;  // the file's f64 tolerance, written there as a sentence
    expect_close(found.recon_mse, expected.at("recon_mse"), bound);
    expect_close(found.in_sub_dist, expected.at("in_sub_dist"), bound);
    expect_close(found.usage_entropy, expected.at("usage_entropy"), bound);
    expect_close(found.dead_frac, expected.at("dead_frac"), bound);
  }
};

void expect_trajectory(const LabStep& step, const char* key) {
  Trajectory trajectory;
  const Json& expected = trajectory.test.expected(key);
  StepTraining training(trajectory.problem, step);
  for (const int64_t stop : {0, 1, 10, 60}) {
    SCOPED_TRACE(stop);
    while (training.steps_done() < stop) training.step();
    trajectory.expect_metrics(training.model().measure(trajectory.problem.eval),
                              expected.at(std::to_string(stop)));
  }
  expect_close(training.model().codebook_values().values,
               golden::matrix(expected.at("final_E")).values, 1e-9);
  const std::vector<double> row0 = expected.at("final_W_row0");
  std::vector<double> found = training.model().encoder_values().values;
  found.resize(row0.size());
  expect_close(found, row0, 1e-9);
}

TEST(LabGoldenTest, TrajectoryInputsAreThoseOfTheFile) {
  const Trajectory t;
  const std::vector<double> x = t.test.input("check_X_row0"), w = t.test.input("check_W0_row0");
  std::vector<double> rows = t.problem.train.to_host(), encoder = t.problem.encoder;
  rows.resize(x.size());
  encoder.resize(w.size());
  expect_close(rows, x, 1e-14);
  expect_close(encoder, w, 1e-13);
  EXPECT_EQ(t.batches[0], t.test.input("check_idx_row0").get<std::vector<int32_t>>());
}
TEST(LabGoldenTest, TrajectoryOfStraightThrough) { expect_trajectory(tape_step(pass), "ste"); }
TEST(LabGoldenTest, TrajectoryOfTheProjection) {
  expect_trajectory(tape_step(line_projection), "projection");
}
TEST(LabGoldenTest, TrajectoryOfTheRotationTrick) {
  expect_trajectory(tape_step(rotation_trick), "rotation_trick");
}
TEST(LabGoldenTest, TrajectoryByHand) { expect_trajectory(manual_step, "manual"); }
TEST(LabGoldenTest, FiveLloydIterationsFromTheSameStart) {
  const Trajectory t;
  LinearModel model(t.problem);
  const LabSettings& s = t.problem.settings;
  const Tensor z = model.latents(t.problem.train);
  Tensor centres = Tensor::from_host(s.codebook_size, s.latent_dim, t.problem.start_codebook);
  for (int i = 0; i < 5; ++i) lloyd_iteration(z.view(), centres);
  model.write_codebook({s.codebook_size, s.latent_dim, centres.to_host()});
  const Json& expected = t.test.expected("lloyd5");
  t.expect_metrics(model.measure(t.problem.eval), expected.at("metrics"));
  expect_close(model.codebook_values().values, golden::matrix(expected.at("E")).values, 1e-9);
}

}  // namespace
}  // namespace tessera
