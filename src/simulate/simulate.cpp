#include "tessera/simulate.h"

#include <fmt/format.h>

#include <algorithm>
#include <future>

#include "core/context.h"
#include "data/random_draws.h"
#include "simulate/frame_features.h"
#include "simulate/initial_fields.h"
#include "tessera/error.h"

namespace tessera {
namespace {

using kernels::kFrameFeatures;
using kernels::kGrayCells;
using kernels::kGraySide;

constexpr int64_t kBlockSamples = 100;  // a chunk of the file
constexpr int32_t kLengths[] = {16, 32, 64, 128, 256};
constexpr size_t kParameters = 6;
constexpr uint64_t kLengthDraw = 1 << 20;  // behind all draws for rates and fields

int32_t draw_length(const SimulateOptions& options, int64_t sample) {
  if (!options.variable_lengths) return static_cast<int32_t>(options.frames);
  RandomDraws draw(options.seed, kernels::kStreamSimulate, static_cast<uint64_t>(sample),
                   kLengthDraw);
  const auto count = std::count_if(std::begin(kLengths), std::end(kLengths),
                                   [&](int32_t length) { return length <= options.frames; });
  return count == 0 ? static_cast<int32_t>(options.frames)
                    : kLengths[draw.one_of(static_cast<int>(count))];
}

std::string config_text(const SimulateOptions& o) {
  return fmt::format(R"({{"generator": "gray_scott", "samples": {}, "seed": {}, "frames": {}, )"
                     R"("steps_per_frame": {}, "variable_lengths": {}}})",
                     o.samples, o.seed, o.frames, o.steps_per_frame, o.variable_lengths);
}

}  // namespace

FeatureLayout simulation_layout(const SimulateOptions& options) {
  const std::vector<std::string> parameters = {"feed",        "kill",        "diffusion_u",
                                               "diffusion_v", "seed_height", "noise_height"};
  FeatureLayout layout;
  layout.rows = options.samples;
  layout.families = {{"initial", 0, initial_feature_names()},
                     {"summary", 0, summary_feature_names()},
                     {"temporal", options.frames, frame_feature_names()},
                     {"architecture", 0, parameters}};
  layout.input_shape = {2, kGraySide, kGraySide};
  layout.parameters = parameters;
  layout.has_lengths = options.variable_lengths;
  return layout;
}

FeatureBlock simulate_samples(const SimulateOptions& options, int64_t first, int64_t count) {
  enum { kInitial, kSummary, kTemporal, kArchitecture };
  FeatureBlock block;
  block.rows = count;
  for (const FeatureFamily& family : simulation_layout(options).families)
    block.families.emplace_back(static_cast<size_t>(count * family.row_size()));
  block.inputs.resize(static_cast<size_t>(count * 2 * kGrayCells));
  block.parameters.resize(static_cast<size_t>(count) * kParameters);
  std::vector<int32_t> lengths(static_cast<size_t>(count));
  std::vector<kernels::GrayScottRates> rates(lengths.size());
  const auto row = [](std::vector<float>& values, int64_t i, int64_t size) {
    return std::span(values).subspan(static_cast<size_t>(i * size), static_cast<size_t>(size));
  };

  const int64_t initial_size = static_cast<int64_t>(initial_feature_names().size());
  cpu_context().parallel_for("simulate_start", count, [&](int64_t i) {
    const auto fields = row(block.inputs, i, 2 * kGrayCells);
    const SimulationStart start = draw_start(options.seed, first + i, fields);
    const kernels::GrayScottRates& r = rates[static_cast<size_t>(i)] = start.rates;
    lengths[static_cast<size_t>(i)] = draw_length(options, first + i);
    const float parameters[kParameters] = {
        r.feed, r.kill, r.diffusion_u, r.diffusion_v, start.seed_height, start.noise_height};
    std::ranges::copy(parameters, row(block.parameters, i, kParameters).begin());
    const auto features = initial_features(fields.subspan(kGrayCells), kGraySide, kGraySide);
    std::ranges::transform(features, row(block.families[kInitial], i, initial_size).begin(),
                           [](double value) { return static_cast<float>(value); });
  });
  block.families[kArchitecture] = block.parameters;

  std::vector<float> fields = block.inputs;
  std::vector<float>& frames = block.families[kTemporal];
  kernels::gray_scott(cpu_context(), {fields.data(), rates.data(), lengths.data(), frames.data(),
                                      count, options.frames, options.steps_per_frame});
  for (int64_t i = 0; i < count; ++i)
    summarize_frames(row(frames, i, options.frames * kFrameFeatures),
                     lengths[static_cast<size_t>(i)],
                     row(block.families[kSummary], i, 4 * kFrameFeatures));
  if (options.variable_lengths) block.lengths = std::move(lengths);
  return block;
}

bool simulate(const SimulateOptions& options, const std::string& path,
              const SimulationProgress& progress) {
  const auto writer = create_features(path, simulation_layout(options), config_text(options));
  std::future<void> written;  // one block is packed and written while the next is simulated
  for (int64_t first = 0; first < options.samples; first += kBlockSamples) {
    if (!progress(first, options.samples)) {
      if (written.valid()) written.get();
      return false;
    }
    const int64_t count = std::min(kBlockSamples, options.samples - first);
    FeatureBlock block = simulate_samples(options, first, count);
    if (written.valid()) written.get();
    written = std::async(std::launch::async,
                         [&writer, block = std::move(block)] { writer->append(block); });
  }
  if (written.valid()) written.get();
  progress(options.samples, options.samples);
  writer->commit();
  return true;
}

}  // namespace tessera
