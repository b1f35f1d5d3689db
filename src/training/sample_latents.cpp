#include "training/sample_latents.h"

#include <algorithm>
#include <vector>

namespace tessera {

Tensor sample_latents(Tokenizer& model, const RowSource& source, std::span<const int32_t> train,
                      int64_t rows, uint64_t seed, SamplePurpose purpose, uint64_t number) {
  constexpr int64_t kBatch = 1024;
  const uint64_t draw = static_cast<uint64_t>(purpose) + number;
  std::vector<int32_t> sample(std::min(train.size(), static_cast<size_t>(rows)));
  for (size_t i = 0; i < sample.size(); ++i)
    sample[i] = train[kernels::permuted_index(seed, kernels::kStreamSample, draw, i, train.size())];
  const auto subset = Buffer<int32_t>::from_host(sample, model.device());
  std::vector<float> latents;
  int64_t columns = 0;
  for (int64_t first = 0; first < subset.size(); first += kBatch) {
    const int64_t count = std::min(kBatch, subset.size() - first);
    const Var x(gather_rows(source, subset, first, count, model.device()));
    const Tensor encoded = model.encode({}, x).value();
    const std::vector<float> part = encoded.to_host();
    columns = encoded.cols();
    latents.insert(latents.end(), part.begin(), part.end());
  }
  return Tensor::from_host(subset.size(), columns, latents, model.device());
}

}  // namespace tessera
