// Metrics and their yardstick on every backend: what the CPU's says, up to roundings.

#include "tessera/residual_kmeans.h"
#include "tessera/tokenizer_metrics.h"
#include "testing/backends.h"
#include "testing/numbers.h"

namespace tessera {
namespace {

constexpr int64_t kMeasuredRows = 30, kWidth = 5;
const CategoricalOptions kOptions = {
    .categories = {{"a", 3, {{2, 4}, {3, 5}}}, {"b", 2, {{3, 3}, {2, 4}}}},
    .embedding_dim = 6,
    .hidden_dim = 7,
    .decoder_hidden = 9,
    .partial_hidden = 5};

Tensor rows_on(Device device) {
  return Tensor::from_host(kMeasuredRows, kWidth, testing::normal<float>(kMeasuredRows * kWidth, 1), device);
}

TokenizerMetrics measure_on(Device device) {
  CategoricalTokenizer model(kOptions, {.codebook_init = "normal", .seed = 2}, device);
  const Tensor x = rows_on(device);
  model.quantizer().initialize(model.encode({}, Var(x)).value());
  return measure_tokenizer(model, category_layout(kOptions),
                           {.values = x.view().data, .rows = kMeasuredRows, .cols = kWidth}, {}, 8);
}

class TokenizerMetricsContractTest : public testing::BackendTest {};
TESSERA_FOR_EACH_BACKEND(TokenizerMetricsContractTest);

// Latents differ in their last bits; no row of these lies that close to the border of two codes.
TEST_P(TokenizerMetricsContractTest, EveryBackendMeasuresWhatTheCpuMeasures) {
  const TokenizerMetrics found = measure_on(device()), expected = measure_on({});
  EXPECT_EQ(found.code_counts, expected.code_counts);
  testing::expect_close(found.feature_errors, expected.feature_errors, 1e-5);
  for (size_t k = 0; k < 2; ++k)
    testing::expect_close(found.categories[k].partial_error, expected.categories[k].partial_error,
                          1e-5);
  EXPECT_NEAR(found.topographic_pre, expected.topographic_pre, 1e-5);
  EXPECT_NEAR(found.topographic_post, expected.topographic_post, 1e-5);
  EXPECT_NEAR(found.topographic_end_to_end, expected.topographic_end_to_end, 1e-5);
}

TEST_P(TokenizerMetricsContractTest, EveryBackendHasTheSameYardstick) {
  const std::vector<int64_t> sizes = {4, 3, 3, 2};
  const auto run = [&](Device device) {
    return residual_kmeans(rows_on(device), rows_on(device), category_layout(kOptions), sizes,
                           {.iterations = 5});
  };
  const ResidualKmeans found = run(device()), expected = run({});
  testing::expect_close(found.level_fit_errors, expected.level_fit_errors, 1e-5);
  EXPECT_EQ(found.error, found.fit_error);  // the same rows
}

}  // namespace
}  // namespace tessera
