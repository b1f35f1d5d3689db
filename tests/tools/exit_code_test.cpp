// Exit codes: 2 usage, 3 config, 4 data, 6 numeric.
#include "tools/command_fixture.h"

namespace tessera {
namespace {

using namespace tessera::testing;

class ExitCodeTest : public CommandTest {};

TEST_F(ExitCodeTest, UsageIsTwo) {
  expect_exit(2, "A subcommand is required", {});
  expect_exit(2, "--config is required", {"train"});
  expect_exit(2, "--colour", train_arguments({"--colour"}));
  expect_exit(2, "--epochs", train_arguments({"--epochs", "many"}));
  expect_exit(2, "--epochs", train_arguments({"--epochs", "0"}));
  expect_exit(2, "--seed", train_arguments({"--seed", "-1"}));
  expect_exit(2, "--overwrite", train_arguments({"--overwrite", "--resume", "auto"}));
  expect_exit(2, "", {"paint"});
}

TEST_F(ExitCodeTest, BadDeviceFlagIsTwoAndInTheConfigThree) {
  expect_exit(2, "device gpu is not known", train_arguments({"--device", "gpu"}));
  expect_exit(2, "the part behind the colon", train_arguments({"--device", "cuda:x"}));
  expect_exit(3, "training.device is 'gpu'", train_arguments({"training.device=gpu"}));
}

TEST_F(ExitCodeTest, BadThreadsFlagIsTwoForEveryCommand) {
  run_train();
  for (const char* threads : {"0", "-1", "abc", "1025", "2x"}) {
    expect_exit(2, "--threads", train_arguments({"--threads", threads}));
    expect_exit(2, "--threads", {"eval", "--checkpoint", "run", "--threads", threads});
    expect_exit(2, "--threads", {"devices", "--threads", threads});
  }
  expect_exit(3, "training.threads is '-1'", train_arguments({"training.threads=-1"}));
}

TEST_F(ExitCodeTest, ConfigIsThreeWithASuggestion) {
  expect_exit(3, "did you mean commitment_weight",
              train_arguments({"quantizer.comitment_weight=1"}));
  expect_exit(3, "training.num_epochs is 'ten'", train_arguments({"training.num_epochs=ten"}));
  expect_exit(3, "is not section.key=value", train_arguments({"training"}));
}

TEST_F(ExitCodeTest, DataOfTrainingIsFour) {
  expect_exit(4, "none.yaml cannot be read", {"train", "--config", "none.yaml"});
  expect_exit(4, "none.npy: no such file", train_arguments({"--input", "none.npy"}));
  expect_exit(4, "a folder without train-images-idx3-ubyte", train_arguments({"--input", "."}));
  put("file", {});
  expect_exit(4, "the run folder cannot be made", train_arguments({"--output", "file/run"}));
}

TEST_F(ExitCodeTest, DataOfACheckpointIsFour) {
  expect_exit(4, "none: no such checkpoint", {"inspect", "--checkpoint", "none"});
  expect_exit(4, "holds no checkpoint", {"inspect", "--checkpoint", "."});
  ASSERT_EQ(run_train().exit_code, 0);
  Bytes bytes = get(path("run/last.safetensors"));
  bytes.resize(bytes.size() / 2);
  put("short.safetensors", bytes);
  for (const char* command : {"inspect", "eval"})
    expect_exit(4, "short.safetensors", {command, "--checkpoint", "short.safetensors"});
  write_safetensors(path("other.safetensors"), {});
  expect_exit(4, "is not a tessera checkpoint", {"inspect", "--checkpoint", "other.safetensors"});
}

TEST_F(ExitCodeTest, RowsOfAnotherWidthAreFour) {
  ASSERT_EQ(run_train().exit_code, 0);
  write_npy(path("wide.npy"), HostArray::from_values<float>({1, 13}, std::vector<float>(13)));
  expect_exit(4, "wide.npy: 13 features a row, the model was trained on 12",
              {"encode", "--checkpoint", "run", "--input", "wide.npy", "--output", "t.npy"});
  expect_exit(4, "13", {"eval", "--checkpoint", "run", "--data", "wide.npy"});
  expect_exit(4, "--reference",
              {"eval", "--checkpoint", "run", "--data", "rows.npy", "--reference", "wide.npy"});
  EXPECT_FALSE(exists("t.npy"));
}

TEST_F(ExitCodeTest, TokensOutOfRangeAreFourWithRowAndColumn) {
  ASSERT_EQ(run_train().exit_code, 0);
  write_npy(path("t.npy"),
            HostArray::from_values<uint8_t>({3, 1}, std::vector<uint8_t>{0, 15, 16}));
  expect_exit(4, "t.npy: row 2, column 0: token 16, its codebook has codes 0 to 15",
              {"decode", "--checkpoint", "run", "--tokens", "t.npy", "--output", "x.npy",
               "--batch-size", "2"});
  EXPECT_FALSE(exists("x.npy"));
  write_npy(path("two.npy"), HostArray::from_values<uint8_t>({1, 2}, std::vector<uint8_t>{0, 1}));
  expect_exit(4, "2 tokens a row, the model has 1",
              {"decode", "--checkpoint", "run", "--tokens", "two.npy", "--output", "x.npy"});
}

TEST_F(ExitCodeTest, NanIsFourWithRowAndColumnWhateverTheBatch) {
  ASSERT_EQ(run_train().exit_code, 0);
  HostArray rows = planted_rows(300);
  const float nan = std::nanf("");
  std::memcpy(rows.bytes.data() + (17 * kFeatures + 5) * sizeof nan, &nan, sizeof nan);
  write_npy(path("rows.npy"), rows);
  expect_exit(4, "row 17, column 5", train_arguments({"--overwrite"}));
  for (const char* batch : {"5", "1024"})
    expect_exit(4, "row 17, column 5",
                {"encode", "--checkpoint", "run", "--input", "rows.npy", "--output", "t.npy",
                 "--batch-size", batch});
}

TEST_F(ExitCodeTest, NumericIsSix) {
  expect_exit(6, "the reconstruction loss is not finite",
              train_arguments({"training.learning_rate=1e30"}));
}

TEST_F(ExitCodeTest, ExistingRunIsTwoAndIsKept) {
  ASSERT_EQ(run_train().exit_code, 0);
  const Bytes last = get(path("run/last.safetensors"));
  expect_exit(2, "--resume auto", train_arguments());
  EXPECT_EQ(get(path("run/last.safetensors")), last);
  EXPECT_EQ(run_train({"--overwrite", "--epochs", "1"}).exit_code, 0);
  EXPECT_EQ(metrics().size(), 1u);
}

}  // namespace
}  // namespace tessera
