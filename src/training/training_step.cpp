#include "training/training_step.h"

#include <algorithm>

namespace tessera {
namespace {
/// Whether a loss looks at the parts' own reconstructions, which cost as much as all else.
bool uses_parts(const std::vector<WeightedLoss>& losses) {
  return std::any_of(losses.begin(), losses.end(),
                     [](const WeightedLoss& loss) { return loss.name == "informativeness"; });
}
}  // namespace

std::vector<WeightedLoss> training_losses(const Config& config) {
  std::vector<WeightedLoss> losses = {{"reconstruction", config.losses.reconstruction}};
  if (config.quantizer.kind == "gradient" && config.quantizer.codebook_weight > 0)
    losses.push_back({"codebook", config.quantizer.codebook_weight});
  if (config.quantizer.commitment_weight > 0)
    losses.push_back({"commitment", config.quantizer.commitment_weight});
  if (config.model.kind != "dense")
    for (const WeightedLoss& loss :
         {WeightedLoss{"codebook_orthogonality", config.losses.codebook_orthogonality},
          WeightedLoss{"informativeness", config.losses.informativeness},
          WeightedLoss{"topographic", config.losses.topographic},
          WeightedLoss{"entropy", config.losses.entropy}})
      if (loss.weight > 0) losses.push_back(loss);
  if (learns_categories(config))
    for (const WeightedLoss& loss :
         {WeightedLoss{"assign_orthogonality", config.learnable_assignment.orthogonality_weight},
          WeightedLoss{"assign_balance", config.learnable_assignment.balance_weight},
          WeightedLoss{"assign_family", config.learnable_assignment.family_constraint_weight},
          WeightedLoss{"assign_modularity", config.learnable_assignment.modularity_weight}})
      if (loss.weight > 0) losses.push_back(loss);
  require(losses.size() > 1 || losses[0].weight > 0, ErrorKind::Config,
          "every weight of losses and quantizer.commitment_weight are 0; nothing would train");
  return losses;
}

std::optional<SeriesLengths> series_lengths(const Config& config) {
  const FamilyConfig* chosen = nullptr;
  for (const FamilyConfig& family : config.families) {
    if (!family.encoder_params.variable_length.enabled) continue;
    require(
        !chosen || chosen->encoder_params.variable_length == family.encoder_params.variable_length,
        ErrorKind::Config, "families.", family.name,
        ".encoder_params.variable_length differs from that of ", chosen ? chosen->name : "",
        "; a sample has one length for all its series: give both the same values");
    chosen = &family;
  }
  if (!chosen) return {};
  return SeriesLengths(chosen->encoder_params.variable_length,
                       static_cast<uint64_t>(config.training.seed),
                       "families." + chosen->name + ".encoder_params.variable_length");
}

int64_t steps_per_epoch(const Config& config, int64_t rows) {
  const int64_t batch = config.training.batch_size, steps = (rows + batch - 1) / batch;
  if (!uses_encoders(config)) return steps;
  require(batch > 1, ErrorKind::Config,
          "training.batch_size is 1; encoders take statistics over a batch: "
          "give 2 or more");
  return rows % batch == 1 && steps > 1 ? steps - 1 : steps;
}

TrainingStep::TrainingStep(const Inputs& inputs)
    : in_(inputs), losses_(training_losses(inputs.config)) {
  const int64_t batch = in_.config.training.batch_size, rows = in_.rows.size();
  steps_per_epoch_ = tessera::steps_per_epoch(in_.config, rows);
  last_rows_ = std::min(batch, rows - (steps_per_epoch_ - 1) * batch);
  capture_again();
}

void TrainingStep::capture_again() {
  const int64_t batch = in_.config.training.batch_size;
  const Device device = in_.model.device();
  steps_.clear();
  if (in_.encoded) return;
  if (steps_per_epoch_ > 1 || last_rows_ == batch)
    steps_.push_back(capture(device, [this, batch] { body(batch); }));
  if (last_rows_ != batch) steps_.push_back(capture(device, [this] { body(last_rows_); }));
  counts_ = steps_.front().counts();
}

int64_t TrainingStep::rows_of(int64_t step_in_epoch) const {
  return step_in_epoch + 1 < steps_per_epoch_ ? in_.config.training.batch_size : last_rows_;
}

void TrainingStep::run(int64_t step_in_epoch) {
  if (in_.encoded)
    counts_ = run_eagerly(step_in_epoch);
  else
    (step_in_epoch + 1 < steps_per_epoch_ ? steps_.front() : steps_.back()).replay();
}

StepCounts TrainingStep::run_eagerly(int64_t step_in_epoch) {
  return run_step(in_.model.device(), [&] {
    if (in_.encoded)
      encoded_body(step_in_epoch);
    else
      body(rows_of(step_in_epoch));
  });
}

void TrainingStep::body(int64_t rows) const {
  in_.state.advance();
  Tape tape;
  const Pass pass{.tape = &tape, .state = &in_.state, .training = true};
  const Var x(load_batch(in_.source, in_.rows, rows, in_.config.training.batch_size, in_.state));
  train_on(x, pass, rows);
}

/// As kernels::shuffled_row draws them.
std::vector<int32_t> TrainingStep::rows_of_step(int64_t step_in_epoch) const {
  const auto seed = static_cast<uint64_t>(in_.config.training.seed);
  const uint64_t size = in_.train->size();
  std::vector<int32_t> rows(static_cast<size_t>(rows_of(step_in_epoch)));
  for (size_t b = 0; b < rows.size(); ++b) {
    const uint64_t i = static_cast<uint64_t>(step_in_epoch * in_.config.training.batch_size) + b;
    rows[b] = (*in_.train)[kernels::permuted_index(seed, kernels::kStreamShuffle, epoch_, i % size,
                                                   size)];
  }
  return rows;
}

void TrainingStep::encoded_body(int64_t step_in_epoch) const {
  in_.state.advance();
  Tape tape;
  const Pass pass{.tape = &tape, .state = &in_.state, .training = true};
  const EncoderBatch batch =
      in_.encoded->batch(rows_of_step(step_in_epoch), lengths_in(in_.config, epoch_));
  if (step_in_epoch + 1 < steps_per_epoch_) in_.encoded->prefetch(rows_of_step(step_in_epoch + 1));
  train_on(in_.model.encoders()->features(pass, batch), pass, rows_of(step_in_epoch));
}

/// The features are what the reconstruction is compared with, but as a constant: else the encoders could
/// lower the loss by making features that say nothing.
void TrainingStep::train_on(const Var& x, const Pass& pass, int64_t rows) const {
  const TokenizerOutput out = in_.model.forward(pass, x, uses_parts(losses_));
  const LossInputs inputs = in_.model.loss_inputs(out, stop_gradient(x), pass);
  std::vector<Tape::Term> terms;
  std::vector<Tensor> values;
  for (const WeightedLoss& loss : losses_) {
    terms.push_back({loss_named(loss.name)(inputs), static_cast<float>(loss.weight)});
    values.push_back(terms.back().loss.value());
  }
  pass.tape->backward(terms);
  const TrainingConfig& training = in_.config.training;
  const bool clips = training.gradient_clip_norm > 0;
  const auto epsilon = static_cast<float>(training.adam_epsilon);
  in_.model.model_group().adam_step(in_.state, clips, epsilon);
  in_.model.assignment_group().adam_step(
      in_.state, in_.config.learnable_assignment.gradient_clip_norm > 0, epsilon);
  in_.model.codebook_group().adam_step(in_.state, clips, epsilon);
  in_.model.quantizer().update(out.code, out.latents.value(), in_.state);
  std::vector<const Tensor*> pointers;
  for (const Tensor& value : values) pointers.push_back(&value);
  in_.state.record_terms(pointers, rows);
}

std::vector<double> evaluate_losses(Tokenizer& model, const RowSource& source,
                                    const Buffer<int32_t>& subset,
                                    const std::vector<WeightedLoss>& losses, int64_t batch_size) {
  const int64_t rows = subset.empty() ? source.rows : subset.size();
  TrainingState sums(0, 1, static_cast<int>(losses.size()), model.device());
  for (int64_t first = 0; first < rows; first += batch_size)
    run_step(model.device(), [&] {
      const int64_t count = std::min(batch_size, rows - first);
      const Var x(gather_rows(source, subset, first, count, model.device()));
      const TokenizerOutput out = model.forward({}, x, uses_parts(losses));
      const LossInputs inputs = model.loss_inputs(out, x, {});
      std::vector<Tensor> values;
      for (const WeightedLoss& loss : losses)
        values.push_back(loss_named(loss.name)(inputs).value());
      std::vector<const Tensor*> pointers;
      for (const Tensor& value : values) pointers.push_back(&value);
      sums.record_terms(pointers, count);
    });
  std::vector<double> means = sums.read_sums();
  for (double& mean : means) mean /= static_cast<double>(std::max<int64_t>(1, rows));
  return means;
}

}  // namespace tessera
