// The optimizer at the size of the dense model: one group of 485 thousand values, and one that does not
// fit the caches.

#include <fmt/format.h>

#include <cmath>
#include <memory>

#include "bench/bench.h"
#include "core/context.h"
#include "tessera/kernels/adam.h"

namespace tessera::bench {
namespace {

struct Group {
  std::vector<float> values, grads, first, second, start;
  StepState state;

  explicit Group(int64_t size)
      : values(random_values(size, 1)),
        grads(random_values(size, 2)),
        first(size),
        second(size),
        start(values) {
    state.now.learning_rate[kModelGroup] = 1e-3f;
    state.now.beta1_correction = 0.1f;
    state.now.beta2_correction = 0.001f;
  }
  void step() {
    const auto view = [](std::vector<float>& v) {
      return VectorView<float>{v.data(), static_cast<int64_t>(v.size())};
    };
    kernels::adam_step(cpu_context(), {.values = view(values),
                                       .grads = {grads.data(), static_cast<int64_t>(grads.size())},
                                       .first_moment = view(first),
                                       .second_moment = view(second),
                                       .grad_square_sum = {},
                                       .state = &state,
                                       .group = kModelGroup,
                                       .epsilon = 1e-8f});
  }
  /// One step from zero moments moves a value by the rate, against its gradient's sign.
  std::string check() {
    Group fresh(static_cast<int64_t>(values.size()));
    fresh.step();
    for (size_t i = 0; i < fresh.values.size(); ++i) {
      if (std::fabs(fresh.grads[i]) < 1e-3f) continue;
      const double moved = double(fresh.start[i]) - double(fresh.values[i]);
      if (std::fabs(moved - std::copysign(1e-3, double(fresh.grads[i]))) > 1e-6)
        return fmt::format("value {} moved by {}, 0.001 is right", i, moved);
    }
    return "";
  }
};

}  // namespace

std::vector<Case> adam_cases() {
  std::vector<Case> cases;
  for (const int64_t size : {484'944, 1 << 24}) {
    Case c;
    c.name = fmt::format("adam/{}", size);
    c.flop = 15.0 * static_cast<double>(size);  // root and quotient counted as one each
    if (size > 1'000'000)                       // else all of it fits the caches
      c.bytes = 28.0 * static_cast<double>(size);  // four arrays read, three written
    c.prepare = [size] {
      const auto group = std::make_shared<Group>(size);
      return Work{[group] { group->step(); }, [group] { return group->check(); }};
    };
    cases.push_back(std::move(c));
  }
  return cases;
}

}  // namespace tessera::bench
