// Categories that go during a run.
#include <fmt/format.h>

#include "training/run.h"

namespace tessera {

void Run::make_step() {
  if (model_->learned())
    assignment_ = std::make_unique<AssignmentTraining>(*model_, config_, data_, steps_in_epoch(),
                                                       progress_.assignment);
  step_.emplace(TrainingStep::Inputs{*model_, state_, data_.set.source(), data_.train, config_,
                                     data_.encoded.get(), &data_.split.train});
}

/// Before an epoch, so that the checkpoint of the epoch before holds the model that was measured, and
/// a run that goes on from it does the same again.
void Run::reduce_categories(uint64_t epochs_done) {
  // An assignment that is frozen is final.
  if (!model_->learned() || progress_.assignment.frozen != 0) return;
  const std::optional<PrunedCategories> pruned =
      pruning_.after(static_cast<int64_t>(epochs_done), *model_);
  if (!pruned) return;
  for (const std::string& line : pruned->lines) console_.line(line);
  const size_t before = data_.features.categories.size();
  keep_categories(pruned->reduction.kept, data_.features, config_.model);
  std::unique_ptr<Tokenizer> smaller = make_tokenizer(config_, data_.features, device_);
  keep_categories(*model_, *smaller, pruned->reduction);
  step_.reset();  // it refers to the model
  assignment_.reset();
  model_ = std::move(smaller);
  make_step();
  // The best so far is of another model than the one that is trained on.
  progress_.has_best = 0;
  progress_.early_stopping = {};
  console_.line(fmt::format(
      "Categories: {} before, {} left; {} parameters", before, data_.features.categories.size(),
      model_->model_group().parameter_count() + model_->assignment_group().parameter_count() +
          model_->codebook_group().parameter_count()));
}

}  // namespace tessera
