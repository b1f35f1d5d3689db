#include "tessera/kernels/correlation.h"

#include <cmath>

#include "core/context.h"
#include "tessera/buffer.h"
#include "tessera/discovery.h"

namespace tessera {

SquareMatrix SquareMatrix::part(std::span<const int64_t> members) const {
  SquareMatrix result{static_cast<int64_t>(members.size()), {}};
  result.values.reserve(members.size() * members.size());
  for (const int64_t i : members)
    for (const int64_t j : members) result.values.push_back((*this)(i, j));
  return result;
}

SquareMatrix correlation_matrix(MatrixView<const float> rows, Device device) {
  const int64_t cols = rows.cols;
  SquareMatrix result{cols, std::vector<double>(static_cast<size_t>(cols * cols))};
  if (device.type == DeviceType::Cpu) {  // in place: rows may fill half of the memory
    std::vector<double> means(cols), norms(cols);
    kernels::correlation(cpu_context(), {.x = rows,
                                         .r = {result.values.data(), cols, cols, cols},
                                         .means = {means.data(), cols},
                                         .norms = {norms.data(), cols}});
    return result;
  }
  TESSERA_CHECK(rows.ld == cols, "correlation_matrix: rows of ", cols, " values are ", rows.ld,
                " apart");
  const auto x =
      Buffer<float>::from_host({rows.data, static_cast<size_t>(rows.rows * cols)}, device);
  Buffer<double> r(cols * cols, device, Lifetime::Persistent);
  Buffer<double> means(cols, device, Lifetime::Persistent),
      norms(cols, device, Lifetime::Persistent);
  on_device(device, [&](auto& context) {
    kernels::correlation(context, {.x = {x.data(), rows.rows, cols, cols},
                                   .r = {r.data(), cols, cols, cols},
                                   .means = means.mutable_view(),
                                   .norms = norms.mutable_view()});
  });
  result.values = r.to_host();
  return result;
}

SquareMatrix feature_distances(const SquareMatrix& correlation, std::string_view distance,
                               int64_t rows) {
  SquareMatrix result = correlation;
  const auto apply = [&](auto f) {
    for (double& value : result.values) value = f(value);
  };
  if (distance == "correlation")
    apply([](double r) { return 1 - std::abs(r); });
  else if (distance == "cosine")
    apply([](double r) { return 1 - r; });
  else if (distance == "euclidean")
    apply([rows](double r) { return std::sqrt(2 * static_cast<double>(rows) * (1 - r)); });
  else
    fail(ErrorKind::Config, "categories.distance is ", distance,
         "; it must be one of correlation, cosine, euclidean");
  for (int64_t i = 0; i < result.size; ++i) result.values[i * (result.size + 1)] = 0;
  return result;
}

}  // namespace tessera
