#include <fmt/format.h>

#include "tessera/checkpoint.h"
#include "tessera/trainer.h"
#include "training/assignment_training.h"
#include "training/run_data.h"
#include "training/training_step.h"

namespace tessera {

std::string describe_run(const Config& config) {
  const Device device = parse_device(config.training.device);
  Console quiet(Verbosity::Quiet);
  const RunData data = RunData::load(config, device, quiet);
  const Config full = with_sizes(config, data);
  const std::unique_ptr<Tokenizer> made = make_tokenizer(full, data.features, device);
  Tokenizer& model = *made;
  start_encoders(data, model);
  const int64_t steps = steps_per_epoch(full, data.train.size());
  TrainingState state(0, steps, static_cast<int>(training_losses(full).size()), device);
  AssignmentProgress progress;
  std::optional<AssignmentTraining> assignment;
  if (model.learned()) assignment.emplace(model, full, data, steps, progress);
  TrainingStep step({model, state, data.set.source(), data.train, full, data.encoded.get(),
                     &data.split.train});
  if (data.encoded) step.run(0);  // its counts are known only then
  std::string categories;
  if (!data.features.empty())
    for (const std::string& line : describe_categories(data.features, full.model))
      categories += line + '\n';
  return categories + fmt::format(
      "device: {}\nrows: {} to train on, {} to validate, {} features each, normalization {}\n"
      "parameters: {} model, {} codebook\nstep: {} launches, {} tensors in {:.1f} MiB; {} steps an "
      "epoch, {} in all\n",
      to_string(device), data.split.train.size(), data.split.validation.size(), data.set.cols(),
      data.normalizer.kind, model.model_group().parameter_count(),
      model.quantizer().codebooks().size(), step.counts().launches(),
      step.counts().step_allocations, static_cast<double>(step.counts().step_bytes) / (1 << 20),
      steps, steps * full.training.num_epochs);
}

}  // namespace tessera
