// The cases of the experiment: how each begins and trains, and what it has to reach.
//
// Source: the customer's study of what recovers planted categories (tables of its sections 3 to 6).
// Bars are its own; the controls' bars say that what failed there fails here.
#include "tessera/recovery_experiment.h"

namespace tessera {
namespace {

constexpr double kPlantedFeatures = 132, kPlantedBlocks = 8;

RecoveryBar at_least(const char* number, double limit) {
  return {.number = number, .limit = limit};
}
RecoveryBar at_most(const char* number, double limit) {
  return {.number = number, .limit = limit, .at_most = true};
}
RecoveryBar on_each(RecoveryBar bar) {
  bar.each = true;
  return bar;
}

/// Soft-weighted informativeness of weight 1 is what repairs. Temperature 4 for 60 % of the run, then down to
/// 0.1, without noise: shares stay soft enough that a decoder learns features of other categories. At
/// temperature 1 the index on blind data was 0.92 and 0.82 for seeds 0 and 1, at 2 0.96 and 0.85, at 4 1.00
/// and 0.92. With Gumbel noise it was lower: 0.94 and 0.83 at temperature 2.
Config repairing() {
  Config config;
  config.data.cleaning.enabled = false;
  config.model.kind = "categorical";
  config.model.category_embedding_dim = 16;
  config.model.category_hidden_dim = 64;
  config.model.levels = {{"*", {{8, 32}}}};
  config.model.dropout = 0;
  config.model.decoder.hidden_dim = 128;
  config.model.decoder.partial_hidden_dim = 64;
  config.quantizer.ema_decay = 0.97;
  config.losses.informativeness = 1;
  config.losses.codebook_orthogonality = 0;
  config.losses.topographic = 0;
  config.learnable_assignment.gumbel = false;
  config.learnable_assignment.temperature_start = 4;
  config.training.category_assignment = "learnable";
  config.training.num_epochs = 41;  // of 29 steps at 4000 samples
  config.training.batch_size = 128;
  config.training.learning_rate = 2e-3;
  return config;
}

/// Where correlation sees every feature temperature 1 is soft enough and repairs more than 4 does; held to
/// the end it repairs 91 % where cooling after 60 % of the run leaves it at 89 %.
RecoveryCase misplaced() {
  Config config = repairing();
  config.learnable_assignment.temperature_start = 1;
  config.training.batch_size = 100;
  config.learnable_assignment.temperature_hold = 1;
  return {.name = "misplaced",
          .title = "a fifth of the features begins in a wrong category",
          .config = config,
          .bars = {at_least("ari", 0.95), on_each(at_least("ari", 0.90)),
                   at_least("repaired", 0.90), at_most("broken", 0.02)}};
}

RecoveryCase blind() {
  return {.name = "blind",
          .title = "the same on data of which correlation sees half",
          .even = true,
          .config = repairing(),
          .bars = {at_least("ari", 0.90), at_least("repaired", 0.85), at_most("clustering", 0.5)}};
}

RecoveryCase random() {
  Config config = repairing();
  config.learnable_assignment.init_method = "random";
  return {.name = "random",
          .title = "random logits: 3000 steps of the modularity term alone, then the same",
          .misplaced = false,
          .config = config,
          .bars = {at_least("ari", 0.95), on_each(at_least("ari", 0.90))}};
}

RecoveryCase spare() {
  Config config = repairing();
  config.learnable_assignment.modularity_weight = 1;
  config.learnable_assignment.balance_weight = 0;
  return {
      .name = "spare",
      .title = "12 categories for 8 blocks: the modularity term beside, no balance, pruned after",
      .categories = 12,
      .config = config,
      .bars = {at_least("pruned", 0.95), on_each(at_least("categories", 8)),
               on_each(at_most("categories", 9))}};
}

/// The study's M1, the reference program's own settings. Its balance is that of the sizes themselves,
/// (1 / K) sum_k (c_k - D / K)^2, which is (D / K)^2 times ours. What is not the same: our orthogonality
/// has a gradient where the reference's is a plain number, and our logits have an optimizer of their own.
RecoveryCase reference() {
  constexpr double kReferenceBalance = 0.05, kSize = kPlantedFeatures / kPlantedBlocks;
  Config config = repairing();
  config.losses.informativeness = 0.1;
  LearnableAssignmentConfig& own = config.learnable_assignment;
  own.informativeness = "hard";
  own.assignment_lr = 1e-3;
  own.temperature_start = 1;
  own.assignment_init = 5;
  own.temperature_schedule = "linear";
  own.temperature_hold = 0;
  own.balance_weight = kReferenceBalance * kSize * kSize;
  return {.name = "reference",
          .title = "control: the reference program's own settings",
          .config = config,
          .bars = {at_most("ari", 0.70), at_most("repaired", 0.05)}};
}

/// The study's Y2: the rate is enough, the loss is not.
RecoveryCase hard() {
  Config config = repairing();
  config.learnable_assignment.informativeness = "hard";
  return {.name = "hard",
          .title = "control: the first case but for informativeness of hard categories",
          .config = config,
          .bars = {at_most("ari", 0.75), at_most("repaired", 0.30)}};
}

}  // namespace

std::vector<RecoveryCase> recovery_cases(int64_t epochs) {
  std::vector<RecoveryCase> cases = {misplaced(), blind(), random(), spare(), reference(), hard()};
  for (RecoveryCase& one : cases) {
    if (epochs > 0) one.config.training.num_epochs = epochs;
    one.config.training.validation_interval = one.config.training.num_epochs;  // nobody looks at it
  }
  return cases;
}

}  // namespace tessera
