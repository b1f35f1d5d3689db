#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "config/config_testing.h"
#include "tessera/config.h"

namespace tessera {
namespace {

using config_testing::FolderTest;
using config_testing::message_of;

using Lines = std::vector<std::string>;

class ConfigFileTest : public FolderTest {
 protected:
  std::string refusal(ErrorKind kind, const std::string& name) const {
    return message_of(kind, [&] { load_config(path(name)); });
  }
};

TEST_F(ConfigFileTest, NamesTheRunFolderAfterTheFile) {
  const std::string file = write("small.run.yaml", "training: {seed: 1}");
  EXPECT_EQ(load_config(file).training.checkpoint_dir, "runs/small.run");
  EXPECT_EQ(load_config(file, {"training.checkpoint_dir=out"}).training.checkpoint_dir, "out");
}

TEST_F(ConfigFileTest, AFileThatCannotBeReadIsADataError) {
  EXPECT_EQ(refusal(ErrorKind::Data, "none.yaml"),
            path("none.yaml") +
                " cannot be read (No such file or directory); give the path of a YAML file");
  std::filesystem::create_directories(path("folder"));
  EXPECT_EQ(refusal(ErrorKind::Data, "folder"),
            path("folder") + " cannot be read (Is a directory); give the path of a YAML file");
}

TEST_F(ConfigFileTest, AFileThatIsTooLargeIsRefused) {
  write("big.yaml", std::string((size_t{1} << 20) + 1, '#'));
  EXPECT_EQ(refusal(ErrorKind::Config, "big.yaml"),
            path("big.yaml") + ": is larger than 1048576 bytes; this is not a config");
}

TEST_F(ConfigFileTest, ExtendsMergesSectionsAndReplacesLists) {
  write("base/base.yaml",
        "model: {encoder_sizes: [64, 32], embedding_dim: 8}\n"
        "training:\n  seed: 1\n  schedule: {kind: cosine, warmup_steps: 5}\n");
  const std::string file = write("run.yaml",
                                 "extends: base/base.yaml\n"
                                 "model: {encoder_sizes: [16]}\n"
                                 "training: {schedule: {warmup_steps: 9}}\n");
  const Config config = load_config(file);
  EXPECT_EQ(config.model.encoder_sizes, (std::vector<int64_t>{16}));
  EXPECT_EQ(config.model.embedding_dim, 8);
  EXPECT_EQ(config.training.seed, 1);
  EXPECT_EQ(config.training.schedule.kind, "cosine");
  EXPECT_EQ(config.training.schedule.warmup_steps, 9);
  EXPECT_EQ(config.training.checkpoint_dir, "runs/run");
}

TEST_F(ConfigFileTest, ExtendsFollowsAChainRelativeToEachFile) {
  write("a/grand.yaml", "training: {seed: 1, threads: 1, beta1: 0.5}");
  write("a/base.yaml", "extends: grand.yaml\ntraining: {seed: 2, threads: 2}");
  const Config config = load_config(write("run.yaml", "extends: a/base.yaml\ntraining: {seed: 3}"));
  EXPECT_EQ(config.training.seed, 3);
  EXPECT_EQ(config.training.threads, 2);
  EXPECT_EQ(config.training.beta1, 0.5);
}

TEST_F(ConfigFileTest, ExtendsTakesAnEmptyBase) {
  write("base.yaml", "# nothing yet\n");
  EXPECT_EQ(load_config(write("run.yaml", "extends: base.yaml\ntraining: {seed: 3}")).training.seed,
            3);
}

TEST_F(ConfigFileTest, ErrorsPointIntoTheFileThatHoldsThem) {
  write("base.yaml", "training:\n  sede: 1\n");
  write("run.yaml", "extends: base.yaml\n\n\ntraining: {threads: 1}\n");
  EXPECT_EQ(refusal(ErrorKind::Config, "run.yaml"),
            path("base.yaml") + ":2: training.sede is not a key; did you mean seed?");
}

TEST_F(ConfigFileTest, RefusesCycles) {
  write("a.yaml", "# comment\nextends: b.yaml\n");
  write("b.yaml", "extends: ./x/../a.yaml\n");
  write("self.yaml", "extends: self.yaml\n");
  std::filesystem::create_symlink("linked.yaml", path("link.yaml"));
  write("linked.yaml", "extends: link.yaml\n");
  EXPECT_EQ(refusal(ErrorKind::Config, "a.yaml"), path("b.yaml") + ":1: extends " + path("a.yaml") +
                                                      ", which extends this file; break the cycle");
  EXPECT_NE(refusal(ErrorKind::Config, "self.yaml").find("break the cycle"), std::string::npos);
  EXPECT_NE(refusal(ErrorKind::Config, "linked.yaml").find("break the cycle"), std::string::npos);
}

TEST_F(ConfigFileTest, RefusesExtendsThatIsNotFirstOrNotAPath) {
  write("late.yaml", "training: {seed: 1}\nextends: base.yaml\n");
  EXPECT_EQ(
      refusal(ErrorKind::Config, "late.yaml"),
      path("late.yaml") + ":2: extends stands below other keys; make it the first key of the file");
  write("list.yaml", "extends: [a.yaml, b.yaml]\n");
  EXPECT_EQ(refusal(ErrorKind::Config, "list.yaml"),
            path("list.yaml") + ":1: extends is a list of 2; it must be the path of one YAML file");
}

TEST_F(ConfigFileTest, AMissingBaseIsADataErrorWithTheLineThatAsks) {
  write("run.yaml", "extends: none.yaml\n");
  EXPECT_EQ(refusal(ErrorKind::Data, "run.yaml"),
            path("run.yaml") + ":1: extends: " + path("none.yaml") +
                " cannot be read (No such file or directory); give the path of a YAML file");
}

TEST_F(ConfigFileTest, ListsWhatChangesFromTheBase) {
  write("base.yaml", "training: {seed: 1, threads: 2}\nquantizer: {ema_decay: 0.9}");
  const std::string file =
      write("run.yaml", "extends: base.yaml\ntraining: {seed: 1, threads: 3}\n");
  EXPECT_EQ(changes_from_base(file, {"model.encoder_sizes=[8]", "data.path=x.npy"}),
            (Lines{"data.path: null -> x.npy", "model.encoder_sizes: [256, 128] -> [8]",
                   "training.threads: 2 -> 3"}));
}

TEST_F(ConfigFileTest, AFileWithoutBaseChangesNothing) {
  EXPECT_EQ(changes_from_base(write("run.yaml", "training: {seed: 5}")), Lines{});
}

}  // namespace
}  // namespace tessera
