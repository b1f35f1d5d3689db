// The specification in tessera/spec.h.
//
// Exactness  every product of losses and gradients is a call of rounded_product, which is not
//            inlined, so that no compiler flag can fuse it with the addition after it. The build
//            says -ffp-contract=off besides.

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <limits>

#include "tessera/error.h"
#include "tessera/quantizer.h"
#include "tessera/spec.h"

#ifdef __FAST_MATH__
#error "src/spec/vq_vae.cpp states roundings; compile it without -ffast-math"
#endif

namespace tessera::spec {
namespace {

static_assert(FLT_EVAL_METHOD == 0, "float and double must be computed in their own precision");

template <class T>
[[gnu::noinline]] T rounded_product(T a, T b) {
  return a * b;
}

void require_index(const char* where, int64_t index, int64_t codes) {
  const bool in_range = index >= 0 && index < codes;
  const char* advice = codes == 0 ? "the codebook is empty" : "codes count from 0";
  require(in_range, ErrorKind::Usage, where, ": code ", index, " of ", codes, "; ", advice);
}

void require_length(const char* where, const char* what, size_t length, int64_t expected) {
  require(static_cast<int64_t>(length) == expected, ErrorKind::Usage, where, ": ", what, " has ",
          length, " values where ", expected, " are expected; lengths must agree");
}

template <class T>
bool all_finite(const T* values, int64_t size) {
  return std::all_of(values, values + size, [](T value) { return std::isfinite(value); });
}

template <class T>
T sum_by_halves(const T* a, const T* b, int64_t size) {
  if (size == 1) return rounded_product(a[0] - b[0], a[0] - b[0]);
  const int64_t half = size / 2;
  return sum_by_halves(a, b, half) + sum_by_halves(a + half, b + half, size - half);
}

template <class T>
double distance(const Codebook<T>& codebook, const T* latent, int64_t index) {
  const T* row = codebook.values().data() + index * codebook.dim();
  double sum = 0;
  for (int64_t d = 0; d < codebook.dim(); ++d) {
    const double t = double(latent[d]) - double(row[d]);
    sum = std::fma(t, t, sum);
  }
  return sum;
}

template <class T>
bool row_is_finite(const Codebook<T>& codebook, int64_t index) {
  return all_finite(codebook.values().data() + index * codebook.dim(), codebook.dim());
}

template <class T>
int64_t nearest_by_definition(const Codebook<T>& codebook, const std::vector<T>& latent) {
  if (!all_finite(latent.data(), codebook.dim())) return 0;
  int64_t best = -1;
  double least = 0;
  for (int64_t k = 0; k < codebook.codes(); ++k) {
    if (!row_is_finite(codebook, k)) continue;
    const double here = distance(codebook, latent.data(), k);
    if (best >= 0 && !(here < least)) continue;
    best = k;
    least = here;
  }
  return std::max<int64_t>(best, 0);
}

int64_t nearest_by_search(const Codebook<real>& codebook, const std::vector<real>& latent) {
  const VqTable table = one_codebook(codebook.codes(), codebook.dim(), Device{});
  std::vector<kernels::VqGroup> groups(table.groups().begin(), table.groups().end());
  std::vector<real> flat = codebook.values();
  flat.resize(static_cast<size_t>(kernels::VqGroup::pack(groups).codebooks));  // with its padding
  const Var rows(Tensor::from_host(1, static_cast<int64_t>(flat.size()), flat));
  const Var z(Tensor::from_host(1, codebook.dim(), latent));
  return nearest_codes(table, z, rows).codes.to_host()[0];
}

}  // namespace

template <class T>
Codebook<T>::Codebook(int64_t codes, int64_t dim, std::vector<T> values)
    : codes_(codes), dim_(dim), values_(std::move(values)) {
  const int64_t size = static_cast<int64_t>(values_.size());
  const bool fits = codes >= 0 && dim >= 0 &&
                    (codes == 0 || dim == 0 ? size == 0 : size / codes == dim && size % codes == 0);
  require(fits, ErrorKind::Usage, "codebook: ", size, " values for ", codes, " codes of ", dim,
          "; give codes x dim values");
}

template <class T>
std::vector<T> Codebook<T>::row(int64_t index) const {
  require_index("codebook", index, codes_);
  const auto begin = values_.begin() + index * dim_;
  return {begin, begin + dim_};
}

template <class T>
std::vector<T> encode(const Model<T>& model, const std::vector<T>& x) {
  require(bool(model.encoder), ErrorKind::Usage, "encode: the model has no encoder; give one");
  std::vector<T> latent = model.encoder(x);
  require_length("encode", "the latent", latent.size(), model.codebook.dim());
  return latent;
}

template <class T>
std::vector<T> quantized(const Model<T>& model, int64_t index) {
  return model.codebook.row(index);
}

template <class T>
std::vector<T> forward(const Model<T>& model, const std::vector<T>&, int64_t index) {
  require(bool(model.decoder), ErrorKind::Usage, "forward: the model has no decoder; give one");
  return model.decoder(quantized(model, index));
}

template <class T>
T mean_squared_difference(const std::vector<T>& a, const std::vector<T>& b) {
  require_length("mean_squared_difference", "the second vector", b.size(),
                 static_cast<int64_t>(a.size()));
  if (a.empty()) return T(0);
  const int64_t size = static_cast<int64_t>(a.size());
  return sum_by_halves(a.data(), b.data(), size) / static_cast<T>(size);
}

template <class T>
T Losses<T>::total(T beta) const {
  return (reconstruction + codebook) + rounded_product(beta, commitment);
}

template <class T>
T reconstruction_loss(const Model<T>& model, const std::vector<T>& x, int64_t index) {
  const std::vector<T> reconstruction = forward(model, x, index);
  require_length("reconstruction_loss", "the reconstruction", reconstruction.size(),
                 static_cast<int64_t>(x.size()));
  return mean_squared_difference(reconstruction, x);
}

template <class T>
T codebook_loss(const Model<T>& model, const std::vector<T>& x, int64_t index) {
  return mean_squared_difference(quantized(model, index), encode(model, x));
}

template <class T>
T commitment_loss(const Model<T>& model, const std::vector<T>& x, int64_t index) {
  return mean_squared_difference(encode(model, x), quantized(model, index));
}

template <class T>
Losses<T> losses(const Model<T>& model, const std::vector<T>& x, int64_t index) {
  const T reconstruction = reconstruction_loss(model, x, index);
  const std::vector<T> z = encode(model, x), q = quantized(model, index);
  return {reconstruction, mean_squared_difference(q, z), mean_squared_difference(z, q)};
}

template <class T>
T loss(const Model<T>& model, std::type_identity_t<T> beta, const std::vector<T>& x,
       int64_t index) {
  return losses(model, x, index).total(beta);
}

template <class T>
TrainingGradients<T> training_gradients(const Codebook<T>& codebook, const std::vector<T>& latent,
                                        int64_t index, const std::vector<T>& g,
                                        std::type_identity_t<T> beta) {
  const std::vector<T> q = codebook.row(index);
  require_length("training_gradients", "the latent", latent.size(), codebook.dim());
  require_length("training_gradients", "the decoder's gradient", g.size(), codebook.dim());
  const T scale = T(2) / static_cast<T>(codebook.dim());
  TrainingGradients<T> gradients{g, std::vector<T>(codebook.values().size(), T(0))};
  for (size_t d = 0; d < q.size(); ++d) {
    gradients.encoder[d] += rounded_product(beta, rounded_product(scale, latent[d] - q[d]));
    gradients.codebook[index * q.size() + d] = rounded_product(scale, q[d] - latent[d]);
  }
  return gradients;
}

template <class T>
double squared_distance(const Codebook<T>& codebook, const std::vector<T>& latent, int64_t index) {
  require_index("squared_distance", index, codebook.codes());
  require_length("squared_distance", "the latent", latent.size(), codebook.dim());
  return distance(codebook, latent.data(), index);
}

template <class T>
int64_t nearest_code(const Codebook<T>& codebook, const std::vector<T>& latent) {
  require(codebook.codes() > 0, ErrorKind::Usage,
          "nearest_code: the codebook has no codes; give at least one");
  require_length("nearest_code", "the latent", latent.size(), codebook.dim());
  if (codebook.dim() == 0) return 0;
  if constexpr (std::is_same_v<T, real>)
    return nearest_by_search(codebook, latent);
  else
    return nearest_by_definition(codebook, latent);
}

template <class T>
bool is_nearest_code(const Codebook<T>& codebook, const std::vector<T>& latent, int64_t index) {
  const double here = squared_distance(codebook, latent, index);
  if (!all_finite(latent.data(), codebook.dim()) || !row_is_finite(codebook, index)) return false;
  for (int64_t k = 0; k < codebook.codes(); ++k)
    if (row_is_finite(codebook, k) && distance(codebook, latent.data(), k) < here) return false;
  return true;
}

#define TESSERA_SPEC_FOR(T)                                                                   \
  template class Codebook<T>;                                                                 \
  template struct Losses<T>;                                                                  \
  template std::vector<T> encode(const Model<T>&, const std::vector<T>&);                     \
  template std::vector<T> quantized(const Model<T>&, int64_t);                                \
  template std::vector<T> forward(const Model<T>&, const std::vector<T>&, int64_t);           \
  template T mean_squared_difference(const std::vector<T>&, const std::vector<T>&);           \
  template T reconstruction_loss(const Model<T>&, const std::vector<T>&, int64_t);            \
  template T codebook_loss(const Model<T>&, const std::vector<T>&, int64_t);                  \
  template T commitment_loss(const Model<T>&, const std::vector<T>&, int64_t);                \
  template Losses<T> losses(const Model<T>&, const std::vector<T>&, int64_t);                 \
  template T loss(const Model<T>&, T, const std::vector<T>&, int64_t);                        \
  template TrainingGradients<T> training_gradients(const Codebook<T>&, const std::vector<T>&, \
                                                   int64_t, const std::vector<T>&, T);        \
  template double squared_distance(const Codebook<T>&, const std::vector<T>&, int64_t);       \
  template int64_t nearest_code(const Codebook<T>&, const std::vector<T>&);                   \
  template bool is_nearest_code(const Codebook<T>&, const std::vector<T>&, int64_t)
TESSERA_SPEC_FOR(float);
TESSERA_SPEC_FOR(double);
#undef TESSERA_SPEC_FOR

}  // namespace tessera::spec
