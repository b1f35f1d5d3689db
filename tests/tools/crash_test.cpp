// kill -9 at any moment of a training: the run resumes and ends with the bits of one that was never
// stopped.

#include <chrono>

#include "tessera/kernels/philox.h"
#include "tools/resume_fixture.h"

namespace tessera {
namespace {

using namespace tessera::testing;
using Clock = std::chrono::steady_clock;

constexpr uint64_t kUniformKills = 40;
constexpr int kKillsWhileWriting = 10;

class CrashTest : public ResumeCommandTest {
 protected:
  /// Seconds from the first line of metrics to the end of a training that nothing stops.
  double training_seconds() {
    ProgramOptions options;
    options.folder = folder_.string();
    Program program(train_arguments({"--overwrite"}), options);
    EXPECT_TRUE(program.wait_until(epochs_done(1)));
    const auto start = Clock::now();
    EXPECT_EQ(program.wait().exit_code, 0);
    return std::chrono::duration<double>(Clock::now() - start).count();
  }

  /// Starts a training and kills it so many seconds after its first line of metrics; false where it
  /// was done by then.
  bool killed_at(double seconds) {
    std::filesystem::remove_all(path("run"));
    ProgramOptions options;
    options.folder = folder_.string();
    Program program(train_arguments(), options);
    EXPECT_TRUE(program.wait_until(epochs_done(1)));
    const auto moment = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                           std::chrono::duration<double>(seconds));
    program.wait_until([&] { return Clock::now() >= moment; });
    program.signal(SIGKILL);
    return program.wait().signal == SIGKILL;
  }

  bool writes_a_checkpoint() const {
    std::error_code gone;  // files come and go while they are listed
    for (std::filesystem::directory_iterator entry(path("run"), gone), end; !gone && entry != end;
         entry.increment(gone))
      if (entry->path().filename().string().find(".safetensors.tmp.") != std::string::npos)
        return true;
    return false;
  }
};

TEST_F(CrashTest, KilledAtMomentsDrawnUniformlyEndsWithTheSameBits) {
  Config changed = config(40);
  changed.training.checkpoint_every_steps = 3;  // inside epochs too
  set(changed);
  const std::string expected = straight();
  const double seconds = training_seconds();
  for (uint64_t draw = 0, kills = 0; kills < kUniformKills; ++draw) {
    ASSERT_LT(draw, 5 * kUniformKills) << "most trainings end before their moment";
    SCOPED_TRACE("draw " + std::to_string(draw));
    if (!killed_at(kernels::random_uniform(5, 77, draw, 0) * seconds)) continue;
    ++kills;
    expect_resumes_to(expected, 40);
    if (HasFailure()) return;
  }
}

TEST_F(CrashTest, KilledWhileACheckpointIsWrittenEndsWithTheSameBits) {
  Config changed = config(40);
  changed.model.encoder_sizes =
      changed.model.decoder_sizes = {512, 512};  // seconds are in the file
  set(changed);
  const std::string expected = straight();
  for (int caught = 0, attempts = 0; caught < kKillsWhileWriting; ++attempts) {
    ASSERT_LT(attempts, 20 * kKillsWhileWriting) << caught << " kills fell into a write";
    const auto after = epochs_done(static_cast<size_t>(1 + attempts * 3 % 30));
    ASSERT_EQ(stop(SIGKILL, [&] { return after() && writes_a_checkpoint(); }).signal, SIGKILL);
    if (!writes_a_checkpoint()) continue;  // it was complete before the signal came
    ++caught;
    expect_resumes_to(expected, 40);
    EXPECT_FALSE(writes_a_checkpoint()) << "the unfinished file is still there";
    if (HasFailure()) return;
  }
}

TEST_F(CrashTest, ARunFolderHasOneTrainingAtATime) {
  Config endless = config(2);
  endless.training.num_epochs = 1'000'000;
  set(endless);
  ProgramOptions options;
  options.folder = folder_.string();
  Program first(train_arguments(), options);
  ASSERT_TRUE(first.wait_until(epochs_done(1)));
  expect_exit(4, "another training is writing to this run folder",
              train_arguments({"--overwrite"}));
  first.signal(SIGKILL);
  first.wait();
  EXPECT_EQ(run_train({"--overwrite", "--epochs", "1"}).exit_code, 0) << "the lock outlived it";
}

}  // namespace
}  // namespace tessera
