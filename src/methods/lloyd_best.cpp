// The control: the same encoder, and a k-means that tries harder. Ten k-means++ starts of 100 Lloyd
// iterations each; the one with the least error on the training rows is kept.

#include "methods/linear_model.h"
#include "methods/methods.h"
#include "tessera/kmeans.h"

namespace tessera::inline TESSERA_PRECISION {

LabResult train_lloyd_best(const LabProblem& problem) {
  constexpr uint64_t kStarts = 10;
  constexpr int kIterations = 100;
  const LabSettings& s = problem.settings;
  LinearModel model(problem);
  const Tensor latents = model.latents(problem.train);
  double least = 0;
  for (uint64_t start = 0; start < kStarts; ++start) {
    const KmeansResult fitted = kmeans(latents.view(), problem.device,
                                       {.clusters = s.codebook_size,
                                        .iterations = kIterations,
                                        .seed = s.seed,
                                        .stream_step = start});
    if (start > 0 && fitted.mean_sq_dist >= least) continue;
    least = fitted.mean_sq_dist;
    const std::vector<real> centres = fitted.centres.to_host();
    model.write_codebook({s.codebook_size, s.latent_dim, {centres.begin(), centres.end()}});
  }
  return result_of(model, problem);
}

}  // namespace tessera::inline TESSERA_PRECISION
