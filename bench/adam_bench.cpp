// The optimizer at the size of the dense model: one group of 485 thousand values, and one that does not
// fit the caches.

#include <fmt/format.h>

#include <cmath>
#include <memory>

#include "bench/bench.h"
#include "bench/gpu.h"
#include "tessera/kernels/adam.h"

namespace tessera::bench {
namespace {

struct Group {
  Device device;
  std::vector<float> start, grads;
  Buffer<float> values, grads_there, first, second;
  Buffer<StepState> state;

  Group(int64_t size, Device device)
      : device(device),
        start(random_values(size, 1)),
        grads(random_values(size, 2)),
        values(Buffer<float>::from_host(start, device)),
        grads_there(Buffer<float>::from_host(grads, device)),
        first(size, device),
        second(size, device) {
    first.zero();
    second.zero();
    StepState now;
    now.now.learning_rate[kModelGroup] = 1e-3f;
    now.now.beta1_correction = 0.1f;
    now.now.beta2_correction = 0.001f;
    state = Buffer<StepState>::from_host(std::span(&now, 1), device);
  }
  template <class Context>
  void step(Context& context) {
    kernels::adam_step(context, {.values = values.mutable_view(),
                                 .grads = grads_there.view(),
                                 .first_moment = first.mutable_view(),
                                 .second_moment = second.mutable_view(),
                                 .grad_square_sum = {},
                                 .state = state.data(),
                                 .group = kModelGroup,
                                 .epsilon = 1e-8f});
  }
  void run() {
    run_on(device, [this](auto& context) { step(context); });
  }
  /// One step from zero moments moves a value by the rate, against its gradient's sign.
  std::string check() const {
    Group fresh(values.size(), device);
    on_device(device, [&](auto& context) { fresh.step(context); });
    const std::vector<float> after = fresh.values.to_host();
    for (size_t i = 0; i < after.size(); ++i) {
      if (std::fabs(grads[i]) < 1e-3f) continue;
      const double moved = double(start[i]) - double(after[i]);
      if (std::fabs(moved - std::copysign(1e-3, double(grads[i]))) > 1e-6)
        return fmt::format("value {} moved by {}, 0.001 is right", i, moved);
    }
    return "";
  }
};

}  // namespace

std::vector<Case> adam_cases() {
  std::vector<Case> cases;
  for (const Device device : bench_devices())
    for (const int64_t size : {484'944, 1 << 24}) {
      Case c;
      c.name = fmt::format("{}/{}", area_on("adam", device), size);
      c.repeats = repeats_on(device);
      c.gpu = is_gpu(device);
      c.flop = 15.0 * static_cast<double>(size);  // root and quotient counted as one each
      if (size > 1'000'000)                       // else all of it fits the caches
        c.bytes = 28.0 * static_cast<double>(size);  // four arrays read, three written
      c.prepare = [size, device] {
        const auto group = std::make_shared<Group>(size, device);
        return Work{[group] { group->run(); }, [group] { return group->check(); }};
      };
      cases.push_back(std::move(c));
    }
  return cases;
}

}  // namespace tessera::bench
