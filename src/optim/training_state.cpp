#include "tessera/training_state.h"

#include "core/context.h"

namespace tessera::inline TESSERA_PRECISION {

TrainingState::TrainingState(uint64_t seed, int64_t steps_per_epoch, int terms, Device device)
    : seed_(seed),
      state_(1, device, Lifetime::Persistent),
      schedule_(steps_per_epoch, device, Lifetime::Persistent),
      sums_(terms, device, Lifetime::Persistent) {
  TESSERA_CHECK(terms <= kernels::RecordTerms::kMaxTerms, "TrainingState: ", terms,
                " loss terms, at most ", kernels::RecordTerms::kMaxTerms);
  TESSERA_CHECK(steps_per_epoch >= 1, "TrainingState: an epoch of ", steps_per_epoch,
                " steps; advance() needs a row of the schedule");
  write({.seed = seed, .now = {}});
  write_schedule(std::vector<ScheduleRow>(static_cast<size_t>(steps_per_epoch)));
  sums_.zero();
}

void TrainingState::advance() {
  on_device(device(), [&](auto& context) {
    kernels::advance_step(context, {.state = state_.data(), .table = schedule_.view()});
  });
}

void TrainingState::record_terms(const std::vector<const Tensor*>& terms, int64_t rows) {
  TESSERA_CHECK(static_cast<int64_t>(terms.size()) == sums_.size(), "record_terms: ", terms.size(),
                " terms, made for ", sums_.size());
  kernels::RecordTerms args{};
  for (size_t i = 0; i < terms.size(); ++i) args.terms[i] = terms[i]->flat().data;
  args.count = static_cast<int32_t>(terms.size());
  args.weight = static_cast<double>(rows);
  args.sums = sums_.mutable_view();
  args.state = state_.data();
  on_device(device(), [&](auto& context) { kernels::record_terms(context, args); });
}

}  // namespace tessera::inline TESSERA_PRECISION
