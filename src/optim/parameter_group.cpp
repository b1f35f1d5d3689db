#include <unistd.h>

#include <algorithm>

#include "core/context.h"
#include "tessera/kernels/adam.h"
#include "tessera/optimizer.h"

namespace tessera::inline TESSERA_PRECISION {
namespace {
constexpr int64_t kAlignment = 32;  // values: each parameter starts on a 128-byte line
}

size_t ParameterGroup::declare(Spec spec) {
  TESSERA_CHECK(parameters_.empty(), "ParameterGroup ", name_, ": ", spec.name,
                " is declared after allocate()");
  TESSERA_CHECK(std::none_of(specs_.begin(), specs_.end(),
                             [&](const Spec& other) { return other.name == spec.name; }),
                "ParameterGroup ", name_, ": ", spec.name, " is declared twice");
  specs_.push_back(std::move(spec));
  return specs_.size() - 1;
}

void ParameterGroup::allocate(Device device) {
  TESSERA_CHECK(parameters_.empty(), "ParameterGroup ", name_, ": allocate() runs twice");
  if (specs_.empty()) return;
  std::vector<real> initial;
  double values = 0;
  for (const Spec& spec : specs_) values += double(spec.rows) * double(spec.cols);
  const double bytes = 4 * sizeof(real) * values;  // with gradients and two moments
  const double memory = double(sysconf(_SC_PHYS_PAGES)) * double(sysconf(_SC_PAGESIZE));
  require(bytes <= memory, ErrorKind::Memory, "model: ", values, " parameters take ",
          bytes / (1 << 30), " GiB with gradients and moments, this machine has ",
          memory / (1 << 30), " GiB; make layers smaller");
  initial.reserve(static_cast<size_t>(values));
  for (const Spec& spec : specs_) {
    begins_.push_back(static_cast<int64_t>(initial.size()));
    for (int64_t i = 0; i < spec.rows * spec.cols; ++i) initial.push_back(spec.initial(i));
    initial.resize((initial.size() + kAlignment - 1) / kAlignment * kAlignment, 0);
  }
  const int64_t size = static_cast<int64_t>(initial.size());
  values_ = Buffer<real>::from_host(initial, device);
  for (Buffer<real>* buffer : {&grads_, &first_moment_, &second_moment_}) {
    *buffer = Buffer<real>(size, device, Lifetime::Persistent);
    buffer->zero();
  }
  square_sum_ = Buffer<double>(1, device, Lifetime::Persistent);
  for (size_t i = 0; i < specs_.size(); ++i) {
    const auto& [name, rows, cols, _] = specs_[i];
    parameters_.push_back({name, Tensor(values_.slice(begins_[i], rows * cols), rows, cols),
                           Tensor(grads_.slice(begins_[i], rows * cols), rows, cols)});
  }
}

int64_t ParameterGroup::parameter_count() const {
  int64_t count = 0;
  for (const Spec& spec : specs_) count += spec.rows * spec.cols;
  return count;
}

VectorView<real> ParameterGroup::first_moment_of(size_t i) {
  return first_moment_.slice(begins_.at(i), specs_[i].rows * specs_[i].cols).mutable_view();
}
VectorView<real> ParameterGroup::second_moment_of(size_t i) {
  return second_moment_.slice(begins_.at(i), specs_[i].rows * specs_[i].cols).mutable_view();
}

void ParameterGroup::adam_step(const TrainingState& state, bool clips, real epsilon) {
  if (empty()) return;
  on_device(state.device(), [&](auto& context) {
    if (clips)
      kernels::square_sum(context, {.x = grads_.view(), .sum = square_sum_.mutable_view()});
    kernels::adam_step(
        context, {.values = values_.mutable_view(),
                  .grads = grads_.view(),
                  .first_moment = first_moment_.mutable_view(),
                  .second_moment = second_moment_.mutable_view(),
                  .grad_square_sum = clips ? square_sum_.view() : VectorView<const double>{},
                  .state = state.get(),
                  .group = index_,
                  .epsilon = epsilon});
  });
}

}  // namespace tessera::inline TESSERA_PRECISION
