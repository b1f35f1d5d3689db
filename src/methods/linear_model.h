#pragma once

#include "methods/small_matrix.h"
#include "tessera/methods.h"
#include "tessera/ops.h"

namespace tessera::inline TESSERA_PRECISION {

/// The lab's model: linear encoder with orthonormal rows, tied decoder, one codebook.
class LinearModel {
 public:
  /// encoder [m, D], codebook [K, m]
  LinearModel(const SmallMatrix& encoder, const SmallMatrix& codebook, Device device);
  /// As `problem` says where to start.
  explicit LinearModel(const LabProblem& problem);

  Parameter& encoder() { return encoder_; }
  Parameter& codebook() { return codebook_; }  ///< flat [1, K m and padding], as table() says
  const VqTable& table() const { return table_; }

  SmallMatrix encoder_values() const;
  SmallMatrix codebook_values() const;
  void write_encoder(const SmallMatrix& encoder);
  void write_codebook(const SmallMatrix& codebook);

  /// Puts the encoder back on the matrices with orthonormal rows, at the nearest one.
  void project() { write_encoder(polar_factor(encoder_values())); }

  LabMetrics measure(const Tensor& rows);
  /// z = x W^T of all rows, persistent.
  Tensor latents(const Tensor& rows);

 private:
  Parameter encoder_, codebook_;
  VqTable table_;
};

/// The model as a method's result: metrics on the problem's eval rows and its values.
LabResult result_of(LinearModel& model, const LabProblem& problem);

}  // namespace tessera::inline TESSERA_PRECISION
