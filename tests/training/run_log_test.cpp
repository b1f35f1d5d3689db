#include "training/run_log.h"

#include <gtest/gtest.h>

#include "training/epoch_log.h"

namespace tessera {
namespace {

const std::string kRule(70, '=');

TEST(RunLogTest, HeaderSaysWhatIsTrained) {
  const RunFacts facts = {.epochs = 500,
                          .training_rows = 9000,
                          .validation_rows = 1000,
                          .validation_interval = 5,
                          .device = "cuda:0",
                          .loss_weights = {{"reconstruction", 1}, {"topographic", 0.02}}};
  EXPECT_EQ(run_header(facts), kRule + "\nVQ-VAE TRAINING\n" + kRule +
                                   "\nEpochs: 500\nTraining samples: 9000\n"
                                   "Validation samples: 1000\nDevice: cuda:0\n"
                                   "Validation: every 5 epochs\n"
                                   "Loss weights: reconstruction=1 topographic=0.02\n" +
                                   kRule);
}

TEST(RunLogTest, HeaderWithoutValidationRowsNamesNoInterval) {
  const std::string text = run_header({.epochs = 1, .device = "cpu", .loss_weights = {}});
  EXPECT_NE(text.find("Validation samples: 0\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("every"), std::string::npos) << text;
}

TEST(RunLogTest, FooterHasTheTimeAndFourDecimals) {
  EXPECT_EQ(run_footer(3723, {{"utilization", 0.43912}, {"perplexity", 31}}),
            kRule + "\nTRAINING COMPLETE\n" + kRule +
                "\nTotal time: 1h 02m 03s\nFinal metrics:\n  perplexity: 31.0000\n"
                "  utilization: 0.4391");
}

/// Terms, their weights and their means over an epoch.
EpochNumbers epoch_of(const std::vector<std::pair<WeightedLoss, double>>& terms) {
  EpochNumbers numbers{};
  numbers.epoch = 10, numbers.epochs = 500;
  numbers.seconds = 12.34;
  numbers.use.utilization = 0.234;
  for (const auto& [loss, mean] : terms) {
    numbers.losses.push_back(loss);
    numbers.train.push_back(mean);
    numbers.validation.push_back(2 * mean);
  }
  numbers.last_validation_total = numbers.total(numbers.validation);
  return numbers;
}

TEST(EpochBlockTest, NamesTheTermsThatAreOn) {
  const EpochNumbers numbers = epoch_of({{{"reconstruction", 1}, 0.5},
                                         {{"codebook", 1}, 0.25},
                                         {{"commitment", 0.5}, 0.25},
                                         {{"codebook_orthogonality", 0.1}, 0.2},
                                         {{"informativeness", 0.1}, 0.3},
                                         {{"topographic", 0.02}, 0.5},
                                         {{"entropy", 0.01}, -2}});
  EXPECT_EQ(epoch_block(numbers),
            "Epoch 10/500 (12.3s): train=0.9150 val=1.8300\n"
            "  Components: recon=0.5000 vq=0.3750 ortho=0.0200 info=0.0300 topo=0.0100 "
            "entropy=-0.0200\n"
            "  Utilization: 23.4%");
}

TEST(EpochBlockTest, AnExtraTermOfNoKnownNameHasItsOwn) {
  const EpochNumbers numbers = epoch_of({{{"reconstruction", 1}, 0.5}, {{"novel", 2}, 0.25}});
  EXPECT_NE(epoch_block(numbers).find("recon=0.5000 vq=0.0000 novel=0.5000\n"), std::string::npos)
      << epoch_block(numbers);
}

}  // namespace
}  // namespace tessera
