#pragma once

#include <optional>
#include <string>

#include "tessera/checkpoint.h"
#include "tessera/console.h"
#include "tessera/metrics.h"

namespace tessera {

struct Evaluation {
  int64_t rows = 0, features = 0;
  double reconstruction_error = 0;  ///< mean over rows and features of (x - x_hat)^2, normalised x
  double commitment = 0;            ///< mean over rows and latent columns of (z - q)^2
  CodeUse use;                      ///< of the codes of these rows
};

/// Reconstruction and code use of every row, in batches; nothing is drawn at random.
Evaluation evaluate(TrainedModel& model, const Dataset& data, Console& console);

/// The best that `codes` distinct outputs can do in practice: k-means on the raw rows.
struct KmeansReference {
  int64_t codes = 0, fitted_rows = 0;
  int iterations = 0;
  double error = 0;        ///< of the evaluated rows, as Evaluation::reconstruction_error
  double fit_error = 0;    ///< of the rows it was fitted to
  bool from_cache = false;
  double seconds = 0;
};

/// k-means (k-means++, seed 0, 25 Lloyd iterations) with `codes` centres fitted to `fit`, its error
/// measured on `data`. The centres are kept in `cache_file` with what they were made from, and used
/// again where all of that is the same.
KmeansReference kmeans_reference(const Dataset& fit, const Dataset& data, int64_t codes,
                                 const std::string& cache_file, Console& console);

/// A gray PNG: rows of originals above their reconstructions, `columns` pairs across. `row_shape`
/// must have two dimensions. White is 1 and black 0, or, where stored values of the originals lie
/// outside of that, their greatest and their least.
void write_reconstruction_grid(const std::string& path, TrainedModel& model, const Dataset& data,
                               int64_t columns = 12, int64_t pairs = 4);

}  // namespace tessera
