// Metrics of a model on rows, against plain loops over what its forward pass gives.

#include "tessera/tokenizer_metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

#include "tessera/models/dense_vq_vae.h"
#include "testing/numbers.h"

namespace tessera {
namespace {

// Errors below are sums of at most a few hundred terms of float values, in double.
constexpr double kClose = 1e-6;
using Floats = std::vector<float>;

/// Rows in memory as a source.
struct Rows {
  Tensor values;
  explicit Rows(int64_t rows, int64_t cols, const Floats& numbers)
      : values(Tensor::from_host(rows, cols, numbers)) {}
  Rows(int64_t rows, int64_t cols, uint64_t seed)
      : Rows(rows, cols, testing::normal<float>(rows * cols, seed)) {}
  RowSource source() const {
    return {.values = values.view().data, .rows = values.rows(), .cols = values.cols()};
  }
};

CategoricalOptions small_options() {
  const auto level = [](int64_t dim, int64_t size) { return LevelSize{dim, size}; };
  return {.categories = {{"wind", 4, {level(4, 9), level(3, 5)}},
                         {"rain", 1, {level(3, 6), level(4, 5)}},
                         {"sun", 3, {level(5, 7), level(3, 30)}}},
          .embedding_dim = 6,
          .hidden_dim = 8,
          .decoder_hidden = 9,
          .partial_hidden = 5,
          .dropout = 0.3};  // must not show in evaluation
}

/// Pearson correlation of the distances of all pairs of rows, in double.
/// `first` are the borders of the groups of columns.
std::vector<double> distances(const Floats& x, size_t cols, const std::vector<size_t>& borders) {
  const size_t rows = x.size() / cols;
  std::vector<double> result;
  for (size_t i = 0; i < rows; ++i)
    for (size_t j = 0; j < rows; ++j) {
      double mean = 0;
      for (size_t g = 0; g + 1 < borders.size(); ++g) {
        double square = 0;
        for (size_t c = borders[g]; c < borders[g + 1]; ++c)
          square += std::pow(double(x[i * cols + c]) - double(x[j * cols + c]), 2);
        mean += std::sqrt(square) / double(borders.size() - 1);
      }
      result.push_back(mean);
    }
  return result;
}

double pearson(const std::vector<double>& a, const std::vector<double>& b) {
  double mean_a = 0, mean_b = 0, aa = 0, bb = 0, ab = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    mean_a += a[i] / double(a.size());
    mean_b += b[i] / double(a.size());
  }
  for (size_t i = 0; i < a.size(); ++i) {
    aa += (a[i] - mean_a) * (a[i] - mean_a);
    bb += (b[i] - mean_b) * (b[i] - mean_b);
    ab += (a[i] - mean_a) * (b[i] - mean_b);
  }
  return ab / std::sqrt(aa * bb);
}

class TokenizerMetricsTest : public ::testing::Test {
 protected:
  static constexpr int64_t kRows = 60, kFeatures = 8, kLatents = 22, kParts = 16;

  TokenizerMetricsTest() {
    model_.quantizer().initialize(model_.encode({}, Var(rows_.values)).value());
    const TokenizerOutput out = model_.forward({}, Var(rows_.values));
    x_ = rows_.values.to_host();
    reconstruction_ = out.reconstruction.value().to_host();
    partial_ = out.partial.value().to_host();
    latents_ = out.latents.value().to_host();
    quantized_ = out.code.quantized.value().to_host();
    codes_ = out.code.codes.to_host();
  }
  TokenizerMetrics measure(int64_t batch = 16) {
    return measure_tokenizer(model_, layout_, rows_.source(), {}, batch);
  }
  /// Mean squared error of columns [first, first + count) of `found` [rows, cols] against the
  /// columns of x from `target`.
  double error(const Floats& found, size_t cols, size_t first, size_t target, size_t count) const {
    double sum = 0;
    for (size_t n = 0; n < kRows; ++n)
      for (size_t c = 0; c < count; ++c)
        sum += std::pow(
            double(x_[n * kFeatures + target + c]) - double(found[n * cols + first + c]), 2);
    return sum / double(kRows * count);
  }

  CategoricalTokenizer model_{small_options(), {.seed = 3}, {}};
  std::vector<CategoryLayout> layout_ = category_layout(small_options());
  Rows rows_{kRows, kFeatures, 1};
  Floats x_, reconstruction_, partial_, latents_, quantized_;
  std::vector<int32_t> codes_;  // [rows, 6]
};

TEST_F(TokenizerMetricsTest, ReconstructionIsTheMeanOverRowsAndFeatures) {
  const TokenizerMetrics found = measure();
  EXPECT_EQ(found.rows, kRows);
  EXPECT_EQ(found.features, kFeatures);
  EXPECT_NEAR(found.reconstruction_error, error(reconstruction_, kFeatures, 0, 0, kFeatures),
              kClose);
  ASSERT_EQ(found.feature_errors.size(), size_t{kFeatures});
  for (size_t f = 0; f < kFeatures; ++f)
    EXPECT_NEAR(found.feature_errors[f], error(reconstruction_, kFeatures, f, f, 1), kClose) << f;
}

TEST_F(TokenizerMetricsTest, CategoriesHaveTheErrorOfTheirOwnColumns) {
  const TokenizerMetrics found = measure();
  ASSERT_EQ(found.categories.size(), 3u);
  for (const CategoryMetrics& category : found.categories) {
    const auto first = static_cast<size_t>(category.first);
    EXPECT_NEAR(category.reconstruction_error,
                error(reconstruction_, kFeatures, first, first, size_t(category.features)), kClose)
        << category.name;
  }
  EXPECT_EQ(found.categories[1].name, "rain");
  EXPECT_EQ(found.categories[2].first, 5);
  EXPECT_EQ(found.categories[2].features, 3);
}

TEST_F(TokenizerMetricsTest, PartialErrorsAreThoseOfEachCodebooksOwnDecoder) {
  const TokenizerMetrics found = measure();
  size_t part = 0;
  std::set<double> values;
  for (const CategoryMetrics& category : found.categories) {
    ASSERT_EQ(category.partial_error.size(), 2u);
    for (const double partial : category.partial_error) {
      const auto columns = static_cast<size_t>(category.features);
      EXPECT_NEAR(partial, error(partial_, kParts, part, size_t(category.first), columns), kClose)
          << category.name;
      part += columns;
      values.insert(partial);
    }
  }
  EXPECT_EQ(values.size(), 6u);  // else a level could stand for another
}

TEST_F(TokenizerMetricsTest, CodeUseIsCountedOverAllRowsByCodebook) {
  const TokenizerMetrics found = measure();
  const std::vector<int64_t> sizes = {9, 5, 6, 5, 7, 30};
  double utilization = 0, perplexity = 0;
  int64_t used = 0;
  std::vector<int64_t> all_counts;
  for (size_t q = 0; q < 6; ++q) {
    std::vector<int64_t> counts(size_t(sizes[q]));
    for (size_t n = 0; n < kRows; ++n) ++counts[size_t(codes_[n * 6 + q])];
    int64_t own = 0;
    double entropy = 0;
    for (const int64_t count : counts) {
      own += count > 0;
      if (count > 0) entropy -= double(count) / kRows * std::log(double(count) / kRows);
    }
    const CodeUse& use = found.categories[q / 2].levels.at(q % 2);
    EXPECT_EQ(use.used, own) << q;
    EXPECT_EQ(use.total, sizes[q]) << q;
    EXPECT_NEAR(use.perplexity, std::exp(entropy), 1e-9) << q;
    utilization += double(own) / double(sizes[q]) / 6;
    perplexity += std::exp(entropy) / 6;
    used += own;
    all_counts.insert(all_counts.end(), counts.begin(), counts.end());
  }
  EXPECT_EQ(found.code_counts, all_counts);
  EXPECT_NEAR(found.utilization, utilization, 1e-12);
  EXPECT_NEAR(found.perplexity, perplexity, 1e-9);
  EXPECT_EQ(found.tokens_used, used);
  EXPECT_EQ(found.tokens_total, 62);
  EXPECT_EQ(found.dead_codes, 62 - used);
  EXPECT_NE(found.utilization, double(used) / 62);  // a mean over codebooks, not over codes
}

// Distances are rounded to float: correlations within a few 1e-7.
TEST_F(TokenizerMetricsTest, TopographicIsTheCorrelationOfPairwiseDistances) {
  const TokenizerMetrics found = measure();
  const std::vector<size_t> borders = {0, 4, 7, 10, 14, 19, 22};
  const auto inputs = distances(x_, kFeatures, {0, kFeatures});
  const auto before = distances(latents_, kLatents, borders);
  const auto after = distances(quantized_, kLatents, borders);
  EXPECT_EQ(found.topographic_rows, kRows);
  EXPECT_NEAR(found.topographic_pre, pearson(inputs, before), 1e-5);
  EXPECT_NEAR(found.topographic_post, pearson(before, after), 1e-5);
  EXPECT_NEAR(found.topographic_end_to_end, pearson(inputs, after), 1e-5);
}

TEST_F(TokenizerMetricsTest, TopographicIsThatOfTheLossOverAllRows) {
  CategoricalOptions options = small_options();
  options.topographic_samples = kRows;
  CategoricalTokenizer model(options, {.seed = 3}, {});
  const Var x(rows_.values);
  model.quantizer().initialize(model.encode({}, x).value());
  const double loss =
      topographic_loss(model.loss_inputs(model.forward({}, x), x, {})).value().to_host()[0];
  const TokenizerMetrics found = measure_tokenizer(model, layout_, rows_.source(), {}, 16);
  EXPECT_NEAR(0.3 * (1 - found.topographic_pre) + 0.7 * (1 - found.topographic_post), loss, 1e-6);
}

TEST_F(TokenizerMetricsTest, BatchSizeChangesRoundingsAlone) {
  const TokenizerMetrics whole = measure(kRows);
  for (const int64_t batch : {1, 7, 1000}) {
    const TokenizerMetrics found = measure(batch);
    EXPECT_EQ(found.code_counts, whole.code_counts) << batch;
    EXPECT_EQ(found.topographic_pre, whole.topographic_pre) << batch;
    EXPECT_NEAR(found.reconstruction_error, whole.reconstruction_error, kClose) << batch;
    EXPECT_NEAR(found.categories[2].partial_error[1], whole.categories[2].partial_error[1], kClose)
        << batch;
  }
}

TEST_F(TokenizerMetricsTest, SubsetIsMeasuredAlone) {
  const std::vector<int32_t> numbers = {3, 5, 6, 40, 59};
  Floats chosen;
  for (const int32_t n : numbers)
    chosen.insert(chosen.end(), x_.begin() + n * kFeatures, x_.begin() + (n + 1) * kFeatures);
  const Rows alone(5, kFeatures, chosen);
  const TokenizerMetrics found = measure_tokenizer(model_, layout_, rows_.source(),
                                                   Buffer<int32_t>::from_host(numbers, {}), 2);
  const TokenizerMetrics expected = measure_tokenizer(model_, layout_, alone.source(), {}, 2);
  EXPECT_EQ(found.rows, 5);
  EXPECT_EQ(found.feature_errors, expected.feature_errors);
  EXPECT_EQ(found.code_counts, expected.code_counts);
  EXPECT_EQ(found.topographic_rows, 5);
  EXPECT_EQ(found.topographic_pre, expected.topographic_pre);
}

TEST_F(TokenizerMetricsTest, NoRowsAtAllAreNotADivisionByZero) {
  const auto none = Buffer<int32_t>(0, {}, Lifetime::Persistent);
  const TokenizerMetrics found = measure_tokenizer(model_, layout_, rows_.source(), none, 16);
  EXPECT_EQ(found.rows, 0);
  EXPECT_EQ(found.reconstruction_error, 0);
  EXPECT_EQ(found.dead_codes, 62);
}

TEST_F(TokenizerMetricsTest, OutputsThatAreNotFiniteAreNumericErrors) {
  Floats huge = x_;
  std::fill(huge.begin() + 24, huge.begin() + 32, std::numeric_limits<float>::max());
  const Rows rows(kRows, kFeatures, huge);
  try {
    measure_tokenizer(model_, layout_, rows.source(), {}, 16);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Numeric);
  }
}

TEST_F(TokenizerMetricsTest, LayoutOfAnotherModelIsABrokenPrecondition) {
  auto gap = layout_;
  gap[1].first = 5;
  auto few = layout_;
  few.pop_back();
  for (const auto& layout : {gap, few, std::vector<CategoryLayout>{}})
    EXPECT_THROW(measure_tokenizer(model_, layout, rows_.source(), {}, 16), Error);
}

TEST_F(TokenizerMetricsTest, SurvivalIsTheShareOfTokensThatComeBack) {
  const auto codes = Buffer<int32_t>::from_host(codes_, {});
  const Var decoded = model_.decode({}, Var(model_.quantizer().lookup(codes, kRows)));
  const auto again = model_.quantizer().forward({}, model_.encode({}, decoded)).codes.to_host();
  std::vector<double> by_codebook(6);
  for (size_t i = 0; i < codes_.size(); ++i)
    by_codebook[i % 6] += (codes_[i] == again[i]) / double(kRows);
  const TokenSurvival found = token_survival(model_, rows_.source(), {}, 7);
  double mean = 0;
  for (size_t q = 0; q < 6; ++q) {
    EXPECT_NEAR(found.by_codebook.at(q), by_codebook[q], 1e-12) << q;
    mean += by_codebook[q] / 6;
  }
  EXPECT_NEAR(found.share, mean, 1e-12);
  EXPECT_GT(found.share, 0);  // both ends would be right by chance
  EXPECT_LT(found.share, 1);
}

class DenseMetricsTest : public ::testing::Test {
 protected:
  static constexpr int64_t kFeatures = 6;
  explicit DenseMetricsTest() {
    model_.quantizer().initialize(model_.encode({}, Var(rows_.values)).value());
  }
  TokenizerMetrics measure(const Rows& rows, int64_t batch = 64) {
    return measure_tokenizer(model_, one_category(kFeatures), rows.source(), {}, batch);
  }
  DenseVqVae model_{{.input_size = kFeatures,
                     .encoder_sizes = {8},
                     .decoder_sizes = {8},
                     .embedding_dim = 3,
                     .codebook_size = 12},
                    {.seed = 1},
                    {}};
  Rows rows_{50, kFeatures, 5};
};

TEST_F(DenseMetricsTest, HasOneCategoryWithoutParts) {
  const TokenizerMetrics found = measure(rows_);
  ASSERT_EQ(found.categories.size(), 1u);
  EXPECT_EQ(found.categories[0].name, "all");
  EXPECT_EQ(found.categories[0].reconstruction_error, found.reconstruction_error);
  EXPECT_TRUE(found.categories[0].partial_error.empty());
  ASSERT_EQ(found.categories[0].levels.size(), 1u);
  EXPECT_EQ(found.categories[0].levels[0].total, 12);
  EXPECT_EQ(found.utilization, found.categories[0].levels[0].utilization);
}

TEST_F(DenseMetricsTest, TopographicIsOverItsOneCodebook) {
  const TokenizerMetrics found = measure(rows_);
  const TokenizerOutput out = model_.forward({}, Var(rows_.values));
  const auto inputs = distances(rows_.values.to_host(), kFeatures, {0, kFeatures});
  const auto before = distances(out.latents.value().to_host(), 3, {0, 3});
  const auto after = distances(out.code.quantized.value().to_host(), 3, {0, 3});
  EXPECT_NEAR(found.topographic_pre, pearson(inputs, before), 1e-5);
  EXPECT_NEAR(found.topographic_post, pearson(before, after), 1e-5);
}

TEST_F(DenseMetricsTest, TopographicRowsAreDrawnFromTheWholeSet) {
  const int64_t rows = 1300;
  Floats values = testing::normal<float>(rows * kFeatures, 2);
  const TokenizerMetrics one = measure(Rows(rows, kFeatures, values), 100);
  EXPECT_EQ(one.topographic_rows, kTopographicRows);
  EXPECT_EQ(measure(Rows(rows, kFeatures, values), 999).topographic_pre, one.topographic_pre);
  for (size_t i = 1200 * kFeatures; i < values.size(); ++i) values[i] *= 3;
  EXPECT_NE(measure(Rows(rows, kFeatures, values)).topographic_pre, one.topographic_pre);
}

TEST(StoredUnitsTest, ErrorsAreDividedByTheSquareOfTheScale) {
  const TokenizerMetrics metrics{.features = 3,
                                 .feature_errors = {0.5, 0.25, 0.125},
                                 .categories = {{.name = "a", .first = 0, .features = 2},
                                                {.name = "b", .first = 2, .features = 1}}};
  const auto found = in_stored_units(metrics, {"standard", {1, 2, 3}, {2, 0.5, 1}});
  ASSERT_TRUE(found);
  // Stored errors 0.125, 1, 0.125; variances 0.25, 4, 1. All exact in binary.
  EXPECT_EQ(found->error, 1.25 / 3);
  EXPECT_EQ(found->error_by_variance, 1.25 / 5.25);
  EXPECT_EQ(found->category_by_variance, (std::vector<double>{1.125 / 4.25, 0.125}));
}

TEST(StoredUnitsTest, NormalizersWithoutNumbersHaveNone) {
  const TokenizerMetrics metrics{.features = 1, .feature_errors = {0.5}};
  EXPECT_FALSE(in_stored_units(metrics, {"unit_range", {}, {}}));
  EXPECT_FALSE(in_stored_units(metrics, {}));
}

}  // namespace
}  // namespace tessera
