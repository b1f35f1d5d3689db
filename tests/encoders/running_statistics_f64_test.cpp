#include <cmath>

#include "encoder_fixture.h"

namespace tessera::inline TESSERA_PRECISION {
namespace {

using namespace encoder_testing;

constexpr int64_t kSamples = 16, kColumns = 5, kOutputs = 3;

/// One Linear and one batch norm, its gain 1 and shift 0, after many steps on one batch.
class RunningStatisticsTest : public ::testing::Test {
 protected:
  MadeEncoder made_{"mlp", {.hidden_dims = {}, .output_dim = kOutputs}, columns_shape(kColumns)};
  FamilyBatch batch_{.columns = random_columns(kSamples, kColumns, 1)};
  std::vector<double> linear_, mean_ = std::vector<double>(kOutputs),
                               variance_ = std::vector<double>(kOutputs);  // unbiased

  RunningStatisticsTest() {
    made_.parameter("family/mlp/0/norm/weight").value.write(std::vector<real>(kOutputs, 1));
    made_.parameter("family/mlp/0/norm/bias").value.write(std::vector<real>(kOutputs, 0));
    for (int step = 0; step < 400; ++step) made_->encode({.training = true}, batch_);  // 0.9^400
    const auto host = [&](const char* name) { return made_.parameter(name).value.to_host(); };
    const std::vector<real> weight = host("family/mlp/0/linear/weight"),
                            bias = host("family/mlp/0/linear/bias"),
                            x = batch_.columns.value().to_host();
    for (size_t n = 0; n < kSamples; ++n)
      for (size_t o = 0; o < kOutputs; ++o) {
        double sum = bias[o];
        for (size_t i = 0; i < kColumns; ++i) sum += x[n * kColumns + i] * weight[o * kColumns + i];
        linear_.push_back(sum);
        mean_[o] += sum / kSamples;
      }
    for (size_t i = 0; i < linear_.size(); ++i)
      variance_[i % kOutputs] += std::pow(linear_[i] - mean_[i % kOutputs], 2) / (kSamples - 1);
  }
};

TEST_F(RunningStatisticsTest, ConvergeToThoseOfTheBatch) {
  const std::vector<NamedTensor> buffers = made_.buffers();
  testing::expect_close(buffers.at(0).tensor.to_host(), mean_, 1e-12);
  testing::expect_close(buffers.at(1).tensor.to_host(), variance_, 1e-12);
}

TEST_F(RunningStatisticsTest, EvaluationNormalizesByThem) {
  std::vector<double> expected = linear_;
  for (size_t i = 0; i < expected.size(); ++i)
    expected[i] = (expected[i] - mean_[i % kOutputs]) / std::sqrt(variance_[i % kOutputs] + 1e-5);
  testing::expect_close(made_.evaluate(batch_), expected, 1e-11);
}

}  // namespace
}  // namespace tessera::inline TESSERA_PRECISION
