#pragma once

#include <cstdint>
#include <functional>
#include <type_traits>
#include <vector>

/// The specification of a VQ-VAE, in numbers one can check: one example at a time, the code an
/// argument, every rounding stated. A function from index to row, two functions of vectors, three
/// losses. The training code is compared with it; it is not written for speed.
///
/// T is float or double, and every operation below is one IEEE 754 operation in T, never fused:
/// the same bits on every machine. fl(.) marks a rounding.
/// Source: TorchLean, NN.Spec.Models.VqVae; van den Oord et al. 2017, eq. (1)-(3).
namespace tessera::spec {

/// K rows of one length. Neither may be negative; both may be 0.
template <class T>
class Codebook {
 public:
  /// values  [codes, dim], row-major
  /// Throws Error (Usage) unless there are codes * dim of them.
  Codebook(int64_t codes, int64_t dim, std::vector<T> values);

  int64_t codes() const { return codes_; }
  int64_t dim() const { return dim_; }
  const std::vector<T>& values() const { return values_; }

  /// Row `index`, bit for bit. Throws Error (Usage) unless 0 <= index < codes().
  std::vector<T> row(int64_t index) const;

 private:
  int64_t codes_, dim_;
  std::vector<T> values_;
};

/// A function from vectors to vectors, deterministic.
template <class T>
using VectorFunction = std::function<std::vector<T>(const std::vector<T>&)>;

template <class T>
struct Model {
  VectorFunction<T> encoder;  ///< observation -> latent of codebook.dim() values
  Codebook<T> codebook;
  VectorFunction<T> decoder;  ///< code row -> observation
};

/// z = encoder(x). Throws Error (Usage) where the latent has not the length of a code.
template <class T>
std::vector<T> encode(const Model<T>& model, const std::vector<T>& x);

/// q = codebook.row(index): the row, bit for bit. Throws Error (Usage) for an index out of range.
template <class T>
std::vector<T> quantized(const Model<T>& model, int64_t index);

/// decoder(quantized(model, index)). Of x it takes nothing: an observation reaches its
/// reconstruction through the index alone. Throws Error (Usage) for an index out of range.
template <class T>
std::vector<T> forward(const Model<T>& model, const std::vector<T>& x, int64_t index);

/// fl(S(0, n) / n) over the n pairs, 0 for n = 0, where S sums by halves:
///
///   S(i, i+1) = fl(d d), d = fl(a[i] - b[i]);   S(i, j) = fl(S(i, m) + S(m, j)), m = i + (j-i)/2
/// Exchanging a and b changes no bit, and neither does writing both twice, one after the other.
/// Throws Error (Usage) for vectors of different length.
template <class T>
T mean_squared_difference(const std::vector<T>& a, const std::vector<T>& b);

/// The three terms, none of them weighted.
template <class T>
struct Losses {
  T reconstruction;  ///< mean (decoder(q) - x)^2 over the observation
  T codebook;        ///< mean (q - z)^2 over the latent; its gradient is the code's
  T commitment;      ///< mean (z - q)^2 over the latent; its gradient is the encoder's

  /// fl(fl(reconstruction + codebook) + fl(beta commitment)). Never falls as beta grows.
  T total(T beta) const;
};

/// All three for one example and one code. Throws Error (Usage) for an index out of range, and
/// where the encoder or the decoder answers with a wrong length.
template <class T>
Losses<T> losses(const Model<T>& model, const std::vector<T>& x, int64_t index);

template <class T>
T reconstruction_loss(const Model<T>& model, const std::vector<T>& x, int64_t index);
template <class T>
T codebook_loss(const Model<T>& model, const std::vector<T>& x, int64_t index);
template <class T>
T commitment_loss(const Model<T>& model, const std::vector<T>& x, int64_t index);

/// losses(model, x, index).total(beta)
template <class T>
T loss(const Model<T>& model, std::type_identity_t<T> beta, const std::vector<T>& x, int64_t index);

/// What training sends back from the three terms of one example.
template <class T>
struct TrainingGradients {
  std::vector<T> encoder;   ///< [dim], for the encoder's output
  std::vector<T> codebook;  ///< [codes, dim]; 0 in every row but the chosen one
};

/// The straight-through gradients of loss(beta): reconstruction reaches the encoder as if z were
/// what the decoder saw, and never the codebook.
///
///   encoder = fl(g + fl(beta fl(s fl(z - q)))),   row index of codebook = fl(s fl(q - z)),
///   s = fl(2 / n), n the length of a code
/// latent  z
/// g       gradient of the reconstruction loss in the decoder's input, as long as z
/// Throws Error (Usage) for an index out of range or a wrong length.
template <class T>
TrainingGradients<T> training_gradients(const Codebook<T>& codebook, const std::vector<T>& latent,
                                        int64_t index, const std::vector<T>& g,
                                        std::type_identity_t<T> beta);

/// D(z, index): sum of squared differences in binary64, by fma, as kernels/vq_assign.h defines it.
/// Throws Error (Usage) for an index out of range or a wrong length.
template <class T>
double squared_distance(const Codebook<T>& codebook, const std::vector<T>& latent, int64_t index);

/// The lowest index with the least squared_distance. A row with a value that is not finite is never
/// chosen; 0 where all are, or where the latent is. For float this is the search of the training
/// code, for double the definition itself.
/// Throws Error (Usage) for a codebook without codes or a wrong length.
template <class T>
int64_t nearest_code(const Codebook<T>& codebook, const std::vector<T>& latent);

/// Whether no finite row is nearer than row `index`; several may be as near. By the definition, not
/// by a search. False where the latent or that row is not finite.
/// Throws Error (Usage) for an index out of range or a wrong length.
template <class T>
bool is_nearest_code(const Codebook<T>& codebook, const std::vector<T>& latent, int64_t index);

}  // namespace tessera::spec
