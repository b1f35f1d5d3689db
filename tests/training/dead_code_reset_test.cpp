#include "training/dead_code_reset.h"

#include <gtest/gtest.h>

#include <numeric>
#include <set>

#include "tessera/models/dense_vq_vae.h"
#include "testing/numbers.h"
#include "training/sample_latents.h"

namespace tessera {
namespace {

constexpr int64_t kRows = 200, kFeatures = 6, kDim = 3;

/// A model after an epoch in which it used few codes, on rows of which the first 150 train.
class DeadCodeResetTest : public ::testing::Test {
 protected:
  DeadCodeResetTest()
      : rows_(Tensor::from_host(kRows, kFeatures, testing::normal<float>(kRows * kFeatures, 3))),
        train_(150) {
    std::iota(train_.begin(), train_.end(), 0);
    model_.quantizer().initialize(sample(SamplePurpose::FirstCodebook));
    StepState state = state_.read();
    state.epoch = 60;
    state.step = 600;
    state_.write(state);
    history_.add(0.1, 1);
  }
  RowSource source() const {
    return {.values = rows_.view().data, .rows = kRows, .cols = kFeatures};
  }
  Tensor sample(SamplePurpose purpose, uint64_t number = 0) {
    return sample_latents(model_, source(), train_, 100, 7, purpose, number);
  }
  /// Codes that were not used.
  void starve(const std::vector<size_t>& codes) {
    std::vector<float> counts = model_.quantizer().counts().to_host();
    for (const size_t code : codes) counts[code] = 0;
    model_.quantizer().counts().write(counts);
  }
  std::string reset() {
    return reset_dead_codes({.model = model_,
                             .state = state_,
                             .source = source(),
                             .train = train_,
                             .config = config_,
                             .categories = {},
                             .epochs_without_improvement = 0,
                             .history = history_});
  }
  std::vector<float> code(size_t k) {
    const std::vector<float> books = model_.quantizer().codebooks().to_host();
    return {books.begin() + static_cast<int64_t>(k * kDim),
            books.begin() + static_cast<int64_t>((k + 1) * kDim)};
  }

  Tensor rows_;
  std::vector<int32_t> train_;
  DenseVqVae model_{{.input_size = kFeatures,
                     .encoder_sizes = {8},
                     .decoder_sizes = {8},
                     .embedding_dim = kDim,
                     .codebook_size = 16},
                    {.dead_code = {.enabled = false}},
                    {}};
  TrainingState state_{7, 10, 1, {}};
  DeadCodeConfig config_;
  DeadCodeHistory history_;
};

TEST_F(DeadCodeResetTest, ReplacesDeadCodesByLatentsOfTrainingRows) {
  starve({3, 8});
  EXPECT_EQ(reset(),
            "  [DeadCodeReset] Epoch 60: Reset 2 dead codes (emergency: 10.0% of the codes used)");
  const Tensor all =
      model_
          .encode({},
                  Var(Tensor::from_host(
                      150, kFeatures,
                      std::vector<float>(rows_.view().data, rows_.view().data + 150 * kFeatures))))
          .value();
  const std::vector<float> latents = all.to_host();
  for (const size_t k : {3, 8}) {
    const std::vector<float> found = code(k);
    bool is_latent = false;
    for (size_t n = 0; n < 150; ++n)
      is_latent |= std::equal(found.begin(), found.end(), latents.begin() + int64_t(n * kDim));
    EXPECT_TRUE(is_latent) << k;
  }
  EXPECT_EQ(history_.last_reset, 60);
}

TEST_F(DeadCodeResetTest, CodesThatAreUsedStay) {
  const std::vector<float> before = model_.quantizer().codebooks().to_host();
  EXPECT_EQ(reset(),
            "  [DeadCodeReset] Epoch 60: No dead codes found (emergency: 10.0% of the codes used)");
  EXPECT_EQ(model_.quantizer().codebooks().to_host(), before);
}

TEST_F(DeadCodeResetTest, AtMostTheShareThatTheConfigAllows) {
  starve({0, 1, 2, 3, 4, 5, 6, 7});
  reset();
  EXPECT_EQ(model_.quantizer().resets(), 4);  // a quarter of 16
}

TEST_F(DeadCodeResetTest, DoesNothingWhereThePolicySaysNo) {
  starve({3});
  history_.last_reset = 59;
  EXPECT_EQ(reset(), "");
  EXPECT_EQ(model_.quantizer().resets(), 0);
  EXPECT_EQ(history_.last_reset, 59);
}

TEST_F(DeadCodeResetTest, TheSameStateGivesTheSameCodes) {
  starve({3, 8});
  const std::vector<float> books = model_.quantizer().codebooks().to_host(),
                           counts = model_.quantizer().counts().to_host();
  const DeadCodeHistory history = history_;
  reset();
  const std::vector<float> first = model_.quantizer().codebooks().to_host();
  EXPECT_NE(first, books);
  model_.quantizer().codebooks().write(books);
  model_.quantizer().counts().write(counts);
  history_ = history;
  reset();
  EXPECT_EQ(model_.quantizer().codebooks().to_host(), first);
}

TEST(CategoryUseTest, IsTheMeanOverTheLevelsOfACategory) {
  ModelFeatures features;
  features.categories = {{"wide", 30}, {"narrow", 4}};
  std::vector<CodeUse> codebooks(4);
  for (size_t q = 0; q < 4; ++q) codebooks[q].utilization = 0.25 * static_cast<double>(q);
  const std::vector<CategoryUse> uses = category_use(features, codebooks);
  ASSERT_EQ(uses.size(), 2u);
  EXPECT_EQ(uses[1].name, "narrow");
  EXPECT_EQ(uses[1].features, 4);
  EXPECT_DOUBLE_EQ(uses[0].utilization, 0.125);
  EXPECT_DOUBLE_EQ(uses[1].utilization, 0.625);
  EXPECT_TRUE(category_use({}, codebooks).empty());
}

TEST_F(DeadCodeResetTest, SamplesDifferByPurposeAndNumberAndRepeatNoRow) {
  const std::vector<float> first = sample(SamplePurpose::DeadCodes, 1).to_host();
  EXPECT_EQ(sample(SamplePurpose::DeadCodes, 1).to_host(), first);
  EXPECT_NE(sample(SamplePurpose::DeadCodes, 2).to_host(), first);
  EXPECT_NE(sample(SamplePurpose::FirstCodebook, 1).to_host(), first);
  std::set<std::vector<float>> rows;
  for (auto at = first.begin(); at != first.end(); at += kDim) rows.emplace(at, at + kDim);
  EXPECT_EQ(rows.size(), 100u);
}

}  // namespace
}  // namespace tessera
