#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "tessera/run_progress.h"

namespace tessera {

/// How a category's codes were used in the last epoch.
struct CategoryUse {
  std::string name;
  int64_t features = 0;    ///< of the category; 0: not known
  double utilization = 0;  ///< mean over its codebooks
};

/// What the adaptive policy decides by.
struct DeadCodeEvidence {
  uint64_t epoch = 0;  ///< that has ended, from 1
  const DeadCodeHistory& history;
  std::span<const CategoryUse> categories;
  double max_fraction = 0;  ///< of a codebook, at one reset of the first epochs
  int64_t epochs_without_improvement = 0;
};

struct DeadCodeDecision {
  bool reset = false;
  double max_fraction = 0;  ///< of a codebook, that may be replaced
  std::string reason;       ///< for people, also where nothing is reset
};

/// Share of its codes below which a category of so many features counts as collapsed.
double collapsed_utilization(int64_t features);

/// Whether dead codes are replaced after an epoch. The first rule that applies decides:
///
///   1. a category is below collapsed_utilization, and max(I / 2, 25) epochs have passed   reset
///   2. use fell by more than 0.05 from one ten epochs to the next, and 10 have passed     reset
///   3. fewer than I epochs have passed since the last reset                               no
///   4. less than 0.15 of the codes are used                                               reset
///   5. more than 0.25 of them are                                                         no
///   6. use neither falls by more than 0.01 nor stays low within 0.01                      no
///   7. the loss fell by more than 0.005                                                   no
///   8. more than 30 epochs have brought no improvement: the run is about to end           no
///   9. else                                                                               reset
/// I is 50, 100 and 200 epochs before epoch 100, before 200 and from then on, and max_fraction is
/// taken 1, 0.7 and 0.5 times. Rules 2, 6 and 7 compare the means of ten epochs with the ten before
/// and wait for twenty.
/// Source: the customer's reference, section 7.7 of its description.
DeadCodeDecision decide_dead_code_reset(const DeadCodeEvidence& evidence);

}  // namespace tessera
