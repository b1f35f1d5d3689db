// Numbers that stop being finite.
#include "training/run_fixture.h"

namespace tessera {
namespace {

using namespace tessera::testing;

class NumericTest : public RunTest {};

TEST_F(NumericTest, HugeRateEndsWithStepTermAndLastGoodCheckpoint) {
  Config config = small_config();
  config.training.num_epochs = 1;
  run_training(config);
  config.training.num_epochs = 9;
  config.training.learning_rate = 1e30;
  try {
    run_training(config, "auto");
    FAIL() << "training went on";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Numeric);
    const std::string text = error.what();
    EXPECT_NE(text.find("training: step 7: the reconstruction loss is not finite"),
              std::string::npos)
        << text;
    EXPECT_NE(text.find("last good checkpoint: " + path("run/last.safetensors")), std::string::npos)
        << text;
  }
  EXPECT_EQ(load_model(path("run/last.safetensors"), {}).step, 5u);  // still the good one
}

TEST_F(NumericTest, BeforeTheFirstEpochEndsTheStartIsTheLastGoodCheckpoint) {
  Config config = small_config();
  config.training.learning_rate = 1e30;
  expect_error(ErrorKind::Numeric, "last good checkpoint: " + path("run/last.safetensors"),
               [&] { run_training(config); });
  EXPECT_EQ(load_model(path("run/last.safetensors"), {}).step, 0u);
}

TEST_F(NumericTest, ParametersThatAreNotFiniteAreNotSaved) {
  // One step: its loss is finite, what it leaves is not.
  Config config = small_config();
  config.data.validation_fraction = 0;
  config.training.batch_size = 300;
  config.training.num_epochs = 1;
  config.training.learning_rate = 1e39;  // beyond float
  expect_error(ErrorKind::Numeric, "training: step 1: model/", [&] { run_training(config); });
  EXPECT_EQ(load_model(path("run/last.safetensors"), {}).step, 0u);
}

TEST_F(NumericTest, NanInTheDataNamesRowAndColumn) {
  Config config = small_config();
  HostArray rows = planted_rows(300);
  const float nan = std::nanf("");
  std::memcpy(rows.bytes.data() + (17 * kFeatures + 5) * sizeof nan, &nan, sizeof nan);
  write_npy(config.data.path, rows);
  expect_error(ErrorKind::Data, "row 17, column 5", [&] { run_training(config); });
}

}  // namespace
}  // namespace tessera
