// A packed batch of series against the same computed with padding and masks, in plain loops.

#include <cmath>

#include "encoder_fixture.h"
#include "tessera/pack_series.h"
#include "testing/backends.h"
#include "testing/directional.h"

namespace tessera::inline TESSERA_PRECISION {
namespace {

using namespace encoder_testing;

/// [rows, steps, channels] of which the first lengths[row] steps count; NaN behind them.
struct Padded {
  int64_t rows, steps, channels;
  std::vector<int32_t> lengths;
  std::vector<double> values =
      std::vector<double>(static_cast<size_t>(rows * steps * channels), std::nan(""));
  double& at(int64_t b, int64_t t, int64_t c) {
    return values[static_cast<size_t>((b * steps + t) * channels + c)];
  }
  double at(int64_t b, int64_t t, int64_t c) const {
    return const_cast<Padded*>(this)->at(b, t, c);
  }
  int32_t length(int64_t b) const { return lengths[static_cast<size_t>(b)]; }
};

Padded after(const Padded& x, int64_t channels, int size, int stride) {
  const auto shorter = [&](int64_t n) { return (n + 2 * (size / 2) - size) / stride + 1; };
  Padded y{x.rows, shorter(x.steps), channels, x.lengths};
  for (int32_t& length : y.lengths) length = static_cast<int32_t>(shorter(length));
  return y;
}

/// Calls f(b, t, c) for every step that counts.
template <class F>
void each(const Padded& x, const F& f) {
  for (int64_t b = 0; b < x.rows; ++b)
    for (int64_t t = 0; t < x.length(b); ++t)
      for (int64_t c = 0; c < x.channels; ++c) f(b, t, c);
}

/// The masked computation of a TemporalCNNEncoder in training, and the statistics it sees.
class MaskedCnn {
 public:
  explicit MaskedCnn(MadeEncoder& made) : made_(made) {}
  std::map<std::string, std::vector<double>> statistics;  ///< by norm: means, then variances

  Padded encode(const Padded& x) {
    const std::string net = "family/cnn/backbone/";
    Padded y = pool(relu(conv_norm(x, net + "stem", 7, 2)));
    for (const char* block : {"block1", "block2", "block3"}) {
      const std::string name = net + block;
      Padded sum = conv_norm(relu(conv_norm(y, name + "/first", 3, 2)), name + "/second", 3, 1);
      const Padded skip = conv_norm(y, name + "/skip", 1, 2);
      each(sum, [&](auto... at) { sum.at(at...) += skip.at(at...); });
      y = relu(sum);
    }
    return norm(linear(mean(y), "family/cnn/head/linear"), "family/cnn/head/norm");
  }

 private:
  std::vector<real> host(const std::string& name) { return made_.parameter(name).value.to_host(); }

  Padded conv_norm(const Padded& x, const std::string& name, int size, int stride) {
    const std::vector<real> weight = host(name + "/conv/weight");
    const int64_t seen = size * x.channels;
    Padded y = after(x, static_cast<int64_t>(weight.size()) / seen, size, stride);
    each(y, [&](int64_t b, int64_t t, int64_t o) {
      double sum = 0;
      for (int64_t j = 0; j < size; ++j) {
        const int64_t from = t * stride - size / 2 + j;
        if (from < 0 || from >= x.length(b)) continue;  // the mask
        for (int64_t c = 0; c < x.channels; ++c)
          sum += x.at(b, from, c) * weight[static_cast<size_t>(o * seen + j * x.channels + c)];
      }
      y.at(b, t, o) = sum;
    });
    return norm(y, name + "/norm");
  }

  Padded norm(Padded x, const std::string& name) {
    const std::vector<real> gain = host(name + "/weight"), shift = host(name + "/bias");
    const auto width = static_cast<size_t>(x.channels);
    std::vector<double> mean(width), variance(width);
    double count = 0;
    for (const int32_t length : x.lengths) count += length;
    each(x, [&](auto b, auto t, auto c) { mean[size_t(c)] += x.at(b, t, c) / count; });
    each(x, [&](auto b, auto t, auto c) {
      variance[size_t(c)] += std::pow(x.at(b, t, c) - mean[size_t(c)], 2) / count;
    });
    each(x, [&](auto b, auto t, auto c) {
      double& value = x.at(b, t, c);
      value = (value - mean[size_t(c)]) / std::sqrt(variance[size_t(c)] + 1e-5) * gain[size_t(c)] +
              shift[size_t(c)];
    });
    for (double& v : variance) v *= count / (count - 1);
    statistics[name + "/running_mean"] = mean;
    statistics[name + "/running_variance"] = variance;
    return x;
  }

  static Padded relu(Padded x) {
    each(x, [&](auto... at) { x.at(at...) = std::max(0.0, x.at(at...)); });
    return x;
  }

  static Padded pool(const Padded& x) {
    Padded y = after(x, x.channels, 3, 2);
    each(y, [&](int64_t b, int64_t t, int64_t c) {
      double largest = -INFINITY;
      for (int64_t from = std::max<int64_t>(0, 2 * t - 1);
           from <= std::min<int64_t>(2 * t + 1, x.length(b) - 1); ++from)
        largest = std::max(largest, x.at(b, from, c));
      y.at(b, t, c) = largest;
    });
    return y;
  }

  static Padded mean(const Padded& x) {
    Padded y{x.rows, 1, x.channels, std::vector<int32_t>(static_cast<size_t>(x.rows), 1)};
    each(y, [&](int64_t b, int64_t t, int64_t c) { y.at(b, t, c) = 0; });
    each(x, [&](int64_t b, int64_t t, int64_t c) { y.at(b, 0, c) += x.at(b, t, c) / x.length(b); });
    return y;
  }

  Padded linear(const Padded& x, const std::string& name) {
    const std::vector<real> weight = host(name + "/weight"), bias = host(name + "/bias");
    Padded y{x.rows, 1, static_cast<int64_t>(bias.size()), x.lengths};
    each(y, [&](int64_t b, int64_t, int64_t o) {
      double sum = bias[static_cast<size_t>(o)];
      for (int64_t c = 0; c < x.channels; ++c)
        sum += x.at(b, 0, c) * weight[static_cast<size_t>(o * x.channels + c)];
      y.at(b, 0, o) = sum;
    });
    return y;
  }

  MadeEncoder& made_;
};

/// Series padded with garbage: numbers of any size, infinities, NaN.
class MaskedSeriesTest : public ::testing::Test {
 protected:
  static constexpr int64_t kSteps = 40, kFeatures = 3, kDim = 4;
  Padded padded_{6, kSteps, kFeatures, {40, 1, 17, 33, 8, 2}};
  MadeEncoder made_{"td_cnn", {.embedding_dim = kDim}, series_shape(kFeatures, kSteps)};

  MaskedSeriesTest() {
    padded_.values = testing::uniform<double>(padded_.rows * kSteps * kFeatures, 4);
    const double garbage[] = {std::nan(""), 1e30, -INFINITY, 7};
    for (int64_t b = 0; b < padded_.rows; ++b)
      for (int64_t t = padded_.length(b); t < kSteps; ++t)
        for (int64_t c = 0; c < kFeatures; ++c) padded_.at(b, t, c) = garbage[(t + c) % 4];
  }

  FamilyBatch packed() const {
    const std::vector<double> values =
        pack_series<double>(padded_.values, padded_.rows, kSteps, kFeatures, padded_.lengths);
    const GridLayout layout = GridLayout::series(padded_.lengths, {});
    const std::vector<real> rows(values.begin(), values.end());
    return {.series = {Var(Tensor::from_host(layout.rows(), kFeatures, rows)), layout}};
  }
};

TEST_F(MaskedSeriesTest, OutputIsThatOfTheMaskedComputation) {
  const Var y = made_->encode({.training = true}, packed());
  testing::expect_close(y.value().to_host(), MaskedCnn(made_).encode(padded_).values, 1e-12);
}

TEST_F(MaskedSeriesTest, RunningStatisticsMoveToThoseOfStepsThatCount) {
  std::map<std::string, std::vector<real>> before;
  for (const NamedTensor& buffer : made_.buffers()) before[buffer.name] = buffer.tensor.to_host();
  made_->encode({.training = true}, packed());
  MaskedCnn masked(made_);
  masked.encode(padded_);
  for (const NamedTensor& buffer : made_.buffers()) {
    SCOPED_TRACE(buffer.name);
    std::vector<double> expected = masked.statistics.at(buffer.name);
    for (size_t i = 0; i < expected.size(); ++i)
      expected[i] = 0.9 * before[buffer.name][i] + 0.1 * expected[i];
    testing::expect_close(buffer.tensor.to_host(), expected, 1e-12);
  }
}

TEST_F(MaskedSeriesTest, GradientsAreThoseOfTheMaskedComputation) {
  const std::vector<real> target = testing::uniform<real>(padded_.rows * kDim, 2);
  const FamilyBatch batch = packed();
  gradcheck::expect_directional_gradients(
      made_.group(),
      [&](const Pass& pass) {
        return gradcheck::scalar_of(made_->encode(pass, batch),
                                    Tensor::from_host(padded_.rows, kDim, target));
      },
      {},
      [&] {
        const std::vector<double> y = MaskedCnn(made_).encode(padded_).values;
        double sum = 0;
        for (size_t i = 0; i < y.size(); ++i) sum += std::pow(y[i] - target[i], 2);
        return sum / double(y.size());
      });
}

TEST(PackSeriesTest, CopiesTheStepsThatCountOneSampleAfterAnother) {
  const std::vector<float> values = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  const std::vector<int32_t> lengths = {1, 3};
  EXPECT_EQ(pack_series<float>(values, 2, 3, 2, lengths),
            (std::vector<float>{1, 2, 7, 8, 9, 10, 11, 12}));
}

TEST(PackSeriesTest, RefusesALengthWithoutAStepOrBeyondThem) {
  const std::vector<float> values(6);
  for (const int32_t wrong : {0, -1, 4}) {
    const std::vector<int32_t> lengths = {3, wrong};
    EXPECT_EQ(testing::error_of([&] { pack_series<float>(values, 2, 3, 1, lengths); }),
              "series: sample 1 has length " + std::to_string(wrong) + "; lengths are 1 to 3");
  }
}

}  // namespace
}  // namespace tessera::inline TESSERA_PRECISION
