// A training process that is killed or interrupted, and goes on to the same bits.
#include "tools/resume_fixture.h"

namespace tessera {
namespace {

using namespace tessera::testing;

TEST_F(ResumeCommandTest, KilledAfterAnEpochEndsWithTheSameBits) {
  set(config(40));
  const std::string expected = straight();
  EXPECT_EQ(stop(SIGKILL, epochs_done(20)).signal, SIGKILL);
  expect_resumes_to(expected, 40);
}

TEST_F(ResumeCommandTest, KilledInsideAnEpochEndsWithTheSameBits) {
  Config changed = config(2);
  const std::string expected = (set(changed), straight());
  changed.training.checkpoint_every_steps = 30;  // 90 is inside the first epoch, 120 the second
  set(changed);
  for (const char* name : {"run/step_90.safetensors", "run/step_120.safetensors"}) {
    EXPECT_EQ(stop(SIGKILL, file_there(name)).signal, SIGKILL);
    expect_resumes_to(expected, 2);
  }
}

TEST_F(ResumeCommandTest, KilledGradientRunWithOtherThreadsEndsWithTheSameBits) {
  Config changed = config(40);
  changed.quantizer.kind = "gradient";
  changed.quantizer.estimator = "rotation";
  changed.training.checkpoint_every_steps = 3;
  set(changed);
  const std::string expected = straight({"--threads", "2"});
  EXPECT_EQ(stop(SIGKILL, epochs_done(20)).signal, SIGKILL);
  expect_resumes_to(expected, 40);
}

TEST_F(ResumeCommandTest, DamagedNewestCheckpointIsSkippedWithAWarning) {
  Config changed = config(1);
  const std::string expected = (set(changed), straight());
  changed.training.checkpoint_every_steps = 20;
  set(changed);
  stop(SIGKILL, file_there("run/step_80.safetensors"));
  std::map<int, std::string> steps;
  for (const auto& entry : std::filesystem::directory_iterator(path("run")))
    if (const std::string name = entry.path().filename().string();
        name.starts_with("step_") && name.ends_with(".safetensors"))
      steps[std::stoi(name.substr(5))] = entry.path().string();
  ASSERT_GE(steps.size(), 2u);  // three where the kill fell before the oldest was removed
  damage(steps.rbegin()->second);
  const ProgramResult result = run_train({"--resume", "auto"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_NE(result.err.find("warning: skipped a checkpoint: " + steps.rbegin()->second),
            std::string::npos)
      << result.err;
  EXPECT_NE(result.out.find("Resumed " + std::next(steps.rbegin())->second), std::string::npos)
      << result.out;
  expect_same_bits(path("run/last.safetensors"), expected);
}

TEST_F(ResumeCommandTest, InterruptWritesACheckpointAndEndsWith130) {
  set(config(2));
  const std::string expected = straight();
  // No checkpoint is written inside an epoch here: the one found is that of the interrupt.
  const ProgramResult result = stop(SIGINT, file_there("run/config.resolved.yaml"));
  EXPECT_EQ(result.exit_code, 130);
  const uint64_t step = load_model(path("run/last.safetensors"), {}).step;
  EXPECT_NE(result.out.find("Interrupted at step " + std::to_string(step)), std::string::npos)
      << result.out;
  expect_resumes_to(expected, 2);
}

TEST_F(ResumeCommandTest, TerminationIsAnInterruptToo) {
  set(config(40));
  const std::string expected = straight();
  EXPECT_EQ(stop(SIGTERM, epochs_done(3)).exit_code, 130);
  expect_resumes_to(expected, 40);
}

TEST_F(ResumeCommandTest, ThreadsDoNotChangeTheResult) {
  Config changed = config(2);
  changed.training.batch_size = 512;  // enough rows for both threads to have work
  changed.training.num_epochs = 100;
  set(changed);
  const std::string one = straight({"--threads", "1"});
  std::filesystem::rename(path("straight"), path("one"));
  expect_same_bits(straight({"--threads", "2"}), path("one/last.safetensors"));
}

TEST_F(ResumeCommandTest, AnotherModelIsThree) {
  run_train({"--epochs", "1"});
  expect_exit(3, "model.embedding_dim: 4 -> 8",
              train_arguments({"--resume", "auto", "model.embedding_dim=8"}));
}

TEST_F(ResumeCommandTest, FinishedRunDoesNothingAndRaisedEpochsContinue) {
  run_train({"--epochs", "2"});
  const ProgramResult nothing = run_train({"--resume", "auto", "--epochs", "2"});
  EXPECT_EQ(nothing.exit_code, 0);
  EXPECT_NE(nothing.out.find("Nothing to do: 2 of 2 epochs are trained"), std::string::npos);
  EXPECT_EQ(run_train({"--resume", "auto", "--epochs", "3"}).exit_code, 0);
  EXPECT_EQ(metrics().size(), 3u);
}

}  // namespace
}  // namespace tessera
