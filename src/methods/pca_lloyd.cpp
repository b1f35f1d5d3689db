// Principal directions and k-means: no gradient at all.

#include "methods/linear_model.h"
#include "methods/methods.h"

namespace tessera::inline TESSERA_PRECISION {

LabResult train_pca_lloyd(const LabProblem& problem) {
  const LabSettings& s = problem.settings;
  LinearModel model({s.latent_dim, s.data_dim, problem.encoder},
                    {s.codebook_size, s.latent_dim, problem.lloyd_codebook}, problem.device);
  return result_of(model, problem);
}

}  // namespace tessera::inline TESSERA_PRECISION
