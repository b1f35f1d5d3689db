// The categorical tokenizer through the CUDA launchers: launches do not depend on the number of
// codebooks, steps follow the CPU's.

#include "tessera/models/categorical_tokenizer.h"
#include "tessera/step.h"
#include "testing/backends.h"
#include "testing/numbers.h"

namespace tessera {
namespace {

/// Every loss of a model whose categories are given.
std::vector<std::string_view> fixed_losses() {
  std::vector<std::string_view> names = loss_names();
  names.resize(names.size() - assignment_loss_names().size());
  return names;
}

constexpr int64_t kBatchRows = 24;
constexpr real kRate = 1e-3f;

CategoricalOptions options_of(int64_t categories, int64_t levels) {
  CategoricalOptions options{.categories = {},
                             .embedding_dim = 6,
                             .hidden_dim = 7,
                             .decoder_hidden = 9,
                             .partial_hidden = 5,
                             .topographic_samples = 10};
  for (int64_t k = 0; k < categories; ++k) {
    CategorySpec category{"c" + std::to_string(k), 1 + k % 3, {}};
    for (int64_t l = 0; l < levels; ++l) category.levels.push_back({2 + l % 2, 3 + (k + l) % 4});
    options.categories.push_back(category);
  }
  return options;
}

/// One training step with every loss on, as a trainer makes it.
class CategoricalTraining {
 public:
  CategoricalTraining(const CategoricalOptions& options, const std::string& kind, Device device)
      : model_(options, {.kind = kind, .dead_code = {.enabled = false}, .seed = 2}, device),
        state_(7, 100, static_cast<int>(fixed_losses().size()), device),
        x_(Tensor::from_host(kBatchRows, model_.features(),
                             testing::uniform<float>(kBatchRows * model_.features(), 1), device)) {
    std::vector<ScheduleRow> schedule(100);
    for (ScheduleRow& row : schedule)
      for (real& rate : row.learning_rate) rate = kRate;
    state_.write_schedule(schedule);
    model_.quantizer().initialize(model_.encode({}, Var(x_)).value());
  }
  StepCounts step() {
    return run_step(model_.device(), [&] {
      state_.advance();
      Tape tape;
      const Pass pass{.tape = &tape, .state = &state_, .training = true};
      const TokenizerOutput out = model_.forward(pass, Var(x_));
      const LossInputs inputs = model_.loss_inputs(out, Var(x_), pass);
      std::vector<Tape::Term> terms;
      std::vector<Tensor> values;
      for (const std::string_view name : fixed_losses()) {
        terms.push_back({loss_named(name)(inputs), 0.3f});
        values.push_back(terms.back().loss.value());
      }
      tape.backward(terms);
      model_.model_group().adam_step(state_, false);
      model_.codebook_group().adam_step(state_, false);
      model_.quantizer().update(out.code, out.latents.value(), state_);
      std::vector<const Tensor*> pointers;
      for (const Tensor& value : values) pointers.push_back(&value);
      state_.record_terms(pointers, kBatchRows);
    });
  }
  std::vector<double> losses() { return state_.read_sums(); }
  std::vector<int32_t> tokens() { return model_.forward({}, Var(x_), false).code.codes.to_host(); }
  std::vector<float> reconstruction() {
    return model_.forward({}, Var(x_), false).reconstruction.value().to_host();
  }

 private:
  CategoricalTokenizer model_;
  TrainingState state_;
  Tensor x_;
};

class CategoricalContractTest : public testing::BackendTest {};
TESSERA_FOR_EACH_BACKEND(CategoricalContractTest);

TEST_P(CategoricalContractTest, LaunchesDoNotDependOnTheNumberOfCodebooks) {
  for (const char* kind : {"ema", "gradient"}) {
    const int64_t few = CategoricalTraining(options_of(2, 2), kind, device()).step().launches();
    const int64_t many = CategoricalTraining(options_of(20, 3), kind, device()).step().launches();
    EXPECT_EQ(few, many) << kind << " codebooks";
    EXPECT_GT(few, 40);
    RecordProperty(std::string("launches_") + kind, static_cast<int>(few));
  }
}

// Layer norms of two columns leave latents of -1 and 1: after some steps more a rounding decides codes.
TEST_P(CategoricalContractTest, FiveStepsFollowTheCpu) {
  for (const char* kind : {"ema", "gradient"}) {
    CategoricalTraining here(options_of(4, 3), kind, device()), cpu(options_of(4, 3), kind, Device{});
    for (int i = 0; i < 5; ++i) here.step(), cpu.step();
    const std::vector<double> found = here.losses(), expected = cpu.losses();
    for (size_t i = 0; i < found.size(); ++i)
      EXPECT_NEAR(found[i], expected[i], 1e-5 * std::max(1.0, std::abs(expected[i])))
          << kind << ", " << fixed_losses()[i];
    const std::vector<float> rows = here.reconstruction(), wanted = cpu.reconstruction();
    for (size_t i = 0; i < rows.size(); ++i) EXPECT_NEAR(rows[i], wanted[i], 5e-3) << kind;
  }
}

TEST_P(CategoricalContractTest, TokensAreThoseOfTheCpu) {
  CategoricalTraining here(options_of(4, 3), "ema", device()), cpu(options_of(4, 3), "ema", Device{});
  const std::vector<int32_t> found = here.tokens(), expected = cpu.tokens();
  ASSERT_EQ(found.size(), expected.size());
  size_t equal = 0;
  for (size_t i = 0; i < found.size(); ++i) equal += found[i] == expected[i] ? 1 : 0;
  RecordProperty("equal_tokens", static_cast<int>(equal));
  EXPECT_EQ(equal, found.size());
}

TEST_P(CategoricalContractTest, TrainingLowersTheReconstruction) {
  CategoricalTraining training(options_of(3, 2), "ema", device());
  training.step();
  const double first = training.losses().front();
  for (int i = 0; i < 60; ++i) training.step();
  const double all = training.losses().front();
  EXPECT_LT((all - first) / 60, 0.8 * first);
}

}  // namespace
}  // namespace tessera
