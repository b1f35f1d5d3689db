// One training step of the dense VQ-VAE, batch 256, as the trainer runs it: batch, forward, losses,
// backward, Adam, codebook update, metrics.

#include <fmt/format.h>

#include <memory>

#include "bench/bench.h"
#include "bench/gpu.h"
#include "tessera/checkpoint.h"
#include "training/training_step.h"

namespace tessera::bench {
namespace {

constexpr int64_t kRows = 4096;
constexpr int64_t kSizes[] = {784, 256, 128, 64, 128, 256, 784};

/// Bytes like images: smooth in no way, but of the right type and range.
HostRows image_like_rows() {
  HostRows rows;
  rows.rows = kRows;
  rows.cols = kSizes[0];
  rows.row_shape = {28, 28};
  rows.where = "generated rows";
  for (const float value : random_values(kRows * kSizes[0], 7))
    rows.bytes.push_back(static_cast<uint8_t>(127.5f * (value + 1)));
  return rows;
}

struct Training {
  Config config;
  Dataset data;
  Buffer<int32_t> rows;
  std::unique_ptr<Tokenizer> made;
  Tokenizer& model;
  TrainingState state;
  TrainingStep step;
  int64_t at = 0;
  double first_error;

  Training(const Config& c, Device device)
      : config(c),
        data(image_like_rows(), {.kind = "unit_range", .mean = {}, .scale = {}}, device),
        rows(Buffer<int32_t>::from_host(split_rows(kRows, 0, 0).train, device)),
        made(make_tokenizer(config, {}, device)),
        model(*made),
        state(0, kRows / config.training.batch_size, static_cast<int>(training_losses(config).size()), device),
        step({model, state, data.source(), rows, config}) {
    std::vector<ScheduleRow> schedule(static_cast<size_t>(step.steps_per_epoch()));
    for (ScheduleRow& row : schedule) {
      row.learning_rate[kModelGroup] = row.learning_rate[kCodebookGroup] = 1e-4f;
      row.beta1_correction = row.beta2_correction = 1;
    }
    state.write_schedule(schedule);
    model.quantizer().initialize(model.encode({}, Var(data.rows_at(0, kRows))).value());
    first_error = reconstruction_error();
  }
  double reconstruction_error() {
    return evaluate_losses(model, data.source(), {}, step.losses(), 1024)[0];
  }
  void run() {
    if (at == step.steps_per_epoch()) {
      StepState s = state.read();
      s.step_in_epoch = 0;
      ++s.epoch;
      state.write(s);
      at = 0;
    }
    step.run(at++);
  }
  std::string check() {
    if (state.read().first_bad_step != 0) return "a loss is not finite";
    const double error = reconstruction_error();
    return error < first_error ? "" : fmt::format("reconstruction error {} after training, {} before",
                                                  error, first_error);
  }
};

double step_flop(const Config& config) {
  const auto batch = static_cast<double>(config.training.batch_size);
  double flop = 2 * batch * static_cast<double>(config.quantizer.codebook_size * kSizes[3]);
  for (size_t l = 0; l + 1 < std::size(kSizes); ++l)
    flop += 2 * batch * static_cast<double>(kSizes[l] * kSizes[l + 1]) * (l == 0 ? 2 : 3);
  return flop;
}

Case one(const std::string& kind, const std::string& estimator, Device device) {
  Config config;
  config.model.input_size = kSizes[0];
  config.quantizer.kind = kind;
  config.quantizer.estimator = estimator;
  Case c;
  c.name = fmt::format("{}/{}/{}/batch256", area_on("dense_step", device), kind, estimator);
  c.repeats = repeats_on(device);
  c.gpu = is_gpu(device);
  c.flop = step_flop(config);
  c.prepare = [config, device] {
    const auto training = std::make_shared<Training>(config, device);
    return Work{[training, device] { run_on(device, [&](auto&) { training->run(); }); },
                [training] { return training->check(); }};
  };
  return c;
}

}  // namespace

std::vector<Case> dense_step_cases() {
  std::vector<Case> cases;
  for (const Device device : bench_devices())
    for (const auto& [kind, estimator] : {std::pair{"ema", "straight_through"},
                                          {"ema", "rotation"},
                                          {"gradient", "straight_through"}})
      cases.push_back(one(kind, estimator, device));
  return cases;
}

}  // namespace tessera::bench
