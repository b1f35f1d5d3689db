#include <cmath>
#include <numbers>

#include "methods/linear_model.h"
#include "tessera/kernels/philox.h"
#include "tessera/kmeans.h"
#include "tessera/methods.h"

namespace tessera::inline TESSERA_PRECISION {
namespace {

constexpr double kLargestVariance = 4.0, kSmallestVariance = 0.25;
constexpr int64_t kReferenceRows = 8000;
constexpr int kReferenceIterations = 20;

/// Which random numbers of kStreamSynthetic belong to what.
enum Part : uint32_t { kBasis, kTrainFactors, kEvalFactors, kTrainNoise, kEvalNoise };

/// Standard normals: four Philox words to two pairs of Box and Muller 1958.
std::vector<double> normals(uint64_t seed, Part part, int64_t count) {
  std::vector<double> values(static_cast<size_t>((count + 3) / 4 * 4));
  for (size_t block = 0; 4 * block < values.size(); ++block) {
    const uint32_t counter[4] = {static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32),
                                 part, kernels::kStreamSynthetic};
    const kernels::Random4 random = kernels::philox(counter, seed);
    for (size_t pair = 0; pair < 2; ++pair) {
      const double u = (double(random.word[2 * pair]) + 0.5) * 0x1p-32;
      const double angle = 2 * std::numbers::pi * double(random.word[2 * pair + 1]) * 0x1p-32;
      const double radius = std::sqrt(-2 * std::log(u));
      values[4 * block + 2 * pair] = radius * std::cos(angle);
      values[4 * block + 2 * pair + 1] = radius * std::sin(angle);
    }
  }
  values.resize(static_cast<size_t>(count));
  return values;
}

/// Directions of the data times their standard deviations, [rank, D].
SmallMatrix loadings(const LabSettings& s) {
  SmallMatrix basis =
      orthonormal_rows({s.rank, s.data_dim, normals(s.seed, kBasis, s.rank * s.data_dim)});
  for (int64_t j = 0; j < s.rank; ++j) {
    const double place = s.rank > 1 ? double(j) / double(s.rank - 1) : 0;
    const double variance =
        kLargestVariance * std::pow(kSmallestVariance / kLargestVariance, place);
    for (int64_t i = 0; i < s.data_dim; ++i) basis(j, i) *= std::sqrt(variance);
  }
  return basis;
}

std::vector<real> draw_rows(const LabSettings& s, const SmallMatrix& directions, int64_t count,
                            Part factors, Part noise) {
  SmallMatrix rows = product({count, s.rank, normals(s.seed, factors, count * s.rank)}, directions);
  if (s.noise_variance > 0) {
    const std::vector<double> added = normals(s.seed, noise, count * s.data_dim);
    for (size_t i = 0; i < added.size(); ++i)
      rows.values[i] += std::sqrt(s.noise_variance) * added[i];
  }
  return {rows.values.begin(), rows.values.end()};
}

std::vector<double> fit_codebook(const Tensor& latents, int64_t rows, int iterations,
                                 const LabSettings& s) {
  MatrixView<const real> view = latents.view();
  view.rows = rows;
  const KmeansResult fitted =
      kmeans(view, latents.device(),
             {.clusters = s.codebook_size, .iterations = iterations, .seed = s.seed});
  const std::vector<real> centres = fitted.centres.to_host();
  return {centres.begin(), centres.end()};
}

}  // namespace

LabProblem make_lab_problem(const LabSettings& s, Device device) {
  check_lab_settings(s);
  const SmallMatrix directions = loadings(s);
  const std::vector<real> train =
      draw_rows(s, directions, s.train_rows, kTrainFactors, kTrainNoise);
  const std::vector<real> eval = draw_rows(s, directions, s.eval_rows, kEvalFactors, kEvalNoise);
  LabProblem problem{
      .settings = s,
      .device = device,
      .train = Tensor::from_host(s.train_rows, s.data_dim, train, device),
      .eval = Tensor::from_host(s.eval_rows, s.data_dim, eval, device),
      .encoder = principal_components(train, s.data_dim, s.latent_dim).directions.values,
      .lloyd_codebook = {},
      .start_codebook = {},
      .draw_batch = {}};
  LinearModel model({s.latent_dim, s.data_dim, problem.encoder},
                    SmallMatrix(s.codebook_size, s.latent_dim), device);
  const Tensor latents = model.latents(problem.train);
  problem.lloyd_codebook =
      fit_codebook(latents, s.train_rows, static_cast<int>(s.lloyd_iterations), s);
  problem.start_codebook =
      s.start == "fair"
          ? problem.lloyd_codebook
          : fit_codebook(latents, std::min(kReferenceRows, s.train_rows), kReferenceIterations, s);
  problem.draw_batch = [seed = s.seed, size = static_cast<uint64_t>(s.train_rows)](
                           int64_t step, std::span<int32_t> rows) {
    for (size_t i = 0; i < rows.size(); i += 4) {  // with replacement
      const uint32_t counter[4] = {static_cast<uint32_t>(i / 4), static_cast<uint32_t>(step >> 32),
                                   static_cast<uint32_t>(step), kernels::kStreamBatch};
      const kernels::Random4 random = kernels::philox(counter, seed);
      for (size_t lane = 0; lane < 4 && i + lane < rows.size(); ++lane)
        rows[i + lane] = static_cast<int32_t>(random.word[lane] * size >> 32);
    }
  };
  return problem;
}

}  // namespace tessera::inline TESSERA_PRECISION
