#include "tessera/evaluate.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "tessera/files.h"
#include "tessera/kmeans.h"
#include "tessera/step.h"
#include "training/training_step.h"

namespace tessera {
namespace {

constexpr int64_t kBatch = 1024;
constexpr int kReferenceIterations = 25;
constexpr double kPlainSeconds = 10;

/// Names a data set by its shape and a checksum of its values.
std::string fingerprint(const Dataset& data) {
  uint32_t crc = 0;
  for (int64_t first = 0; first < data.rows(); first += kBatch) {
    const std::vector<float> rows =
        data.rows_at(first, std::min(kBatch, data.rows() - first)).to_host();
    crc = crc32(std::as_bytes(std::span(rows)), crc);
  }
  return fmt::format("{}x{} {:08x}", data.rows(), data.cols(), crc);
}

/// A float copy of all rows, normalised, in persistent memory.
Tensor whole(const Dataset& data) { return data.rows_at(0, data.rows()); }

std::optional<Tensor> cached_centres(const std::string& file, const std::string& made_from,
                                     int64_t codes, int64_t cols, Device device, double* fit_error) {
  try {
    const SafetensorsFile cache(file);
    const auto& metadata = cache.metadata();
    const auto from = metadata.find("made_from");
    if (from == metadata.end() || from->second != made_from) return {};
    const HostArray centres = cache.read("centres");
    if (centres.dtype != DType::F32 || centres.size() != codes * cols) return {};
    *fit_error = cache.read("fit_error").values<double>()[0];
    return Tensor::from_host(codes, cols, centres.values<float>(), device);
  } catch (const Error&) {
    return {};  // absent or broken: made again
  }
}

void keep_centres(const std::string& file, const std::string& made_from, const Tensor& centres,
                  double fit_error) {
  const std::vector<float> values = centres.to_host();
  const ArrayView arrays[] = {
      {"centres", DType::F32, {centres.rows(), centres.cols()}, values.data()},
      {"fit_error", DType::F64, {1}, &fit_error}};
  write_safetensors(file, arrays, {{"made_from", made_from}, {"crc32", checksums_json(arrays)}});
}

}  // namespace

Evaluation evaluate(TrainedModel& trained, const Dataset& data, Console& console) {
  Tokenizer& model = *trained.model;
  require(data.cols() == model.features(), ErrorKind::Data, trained.path,
          ": the model reads ", model.features(), " features, the data have ", data.cols());
  const std::vector<WeightedLoss> losses = {{"reconstruction", 1}, {"commitment", 1}};
  TrainingState sums(0, 1, static_cast<int>(losses.size()), model.device());
  std::vector<int64_t> counts(static_cast<size_t>(model.quantizer().total_codes()));
  for (int64_t first = 0; first < data.rows(); first += kBatch) {
    const int64_t count = std::min(kBatch, data.rows() - first);
    run_step(model.device(), [&] {
      const Var x(data.rows_at(first, count));
      const TokenizerOutput out = model.forward({}, x, false);
      const LossInputs inputs = model.loss_inputs(out, x, {});
      std::vector<Tensor> values;
      for (const WeightedLoss& loss : losses) values.push_back(loss_named(loss.name)(inputs).value());
      sums.record_terms({&values[0], &values[1]}, count);
      for (const int32_t code : out.code.codes.to_host()) ++counts[static_cast<size_t>(code)];
    });
    console.live(fmt::format("Evaluating {}/{} rows", first + count, data.rows()), kPlainSeconds);
  }
  console.clear_live();
  const std::vector<double> totals = sums.read_sums();
  require(std::isfinite(totals[0]) && std::isfinite(totals[1]) && model.quantizer().rows_not_finite() == 0,
          ErrorKind::Numeric, trained.path, ": outputs for these data are not finite; their values are "
          "too large for the model, or it has diverged");
  const auto rows = static_cast<double>(data.rows());
  return {data.rows(), data.cols(), totals[0] / rows, totals[1] / rows, code_use(counts)};
}

KmeansReference kmeans_reference(const Dataset& fit, const Dataset& data, int64_t codes,
                                 const std::string& cache_file, Console& console) {
  const double start = now_seconds();
  require(fit.cols() == data.cols(), ErrorKind::Data, "k-means reference: its data have ",
          fit.cols(), " features, the evaluated ", data.cols(), "; name other data with --reference");
  KmeansReference result{.codes = codes, .fitted_rows = fit.rows(), .iterations = kReferenceIterations};
  const std::string made_from =
      fmt::format("k-means++ seed 0, {} Lloyd iterations, {} codes, rows {}", kReferenceIterations,
                  codes, fingerprint(fit));
  std::optional<Tensor> centres = cached_centres(cache_file, made_from, codes, fit.cols(),
                                                 fit.device(), &result.fit_error);
  result.from_cache = centres.has_value();
  if (!centres) {
    const Tensor rows = whole(fit);
    console.live("k-means reference: seeding", 0);
    KmeansResult fitted = kmeans(rows.view(), fit.device(),
                                 {.clusters = codes,
                                  .iterations = kReferenceIterations,
                                  .seed = 0,
                                  .progress = [&](int done, int of) {
                                    console.live(fmt::format("k-means reference: iteration {}/{}",
                                                             done, of), kPlainSeconds);
                                  }});
    console.clear_live();
    centres = fitted.centres;
    result.fit_error = fitted.mean_sq_dist / static_cast<double>(fit.cols());
    try {
      keep_centres(cache_file, made_from, *centres, result.fit_error);
    } catch (const Error& error) {  // a run folder may be read-only
      console.warning(std::string("the k-means reference is not kept: ") + error.what());
    }
  }
  double distance = 0;
  lloyd_iteration(whole(data).view(), *centres, &distance, false);
  result.error = distance / static_cast<double>(data.cols());
  result.seconds = now_seconds() - start;
  return result;
}

void write_reconstruction_grid(const std::string& path, TrainedModel& trained, const Dataset& data,
                               int64_t columns, int64_t pairs) {
  require(data.row_shape().size() == 2, ErrorKind::Data, path, ": rows of shape ",
          shape_text(data.row_shape()), " are not gray images; a grid needs [height, width]");
  const int64_t height = data.row_shape()[0], width = data.row_shape()[1];
  const int64_t shown = std::min(data.rows(), columns * pairs);
  pairs = (shown + columns - 1) / columns;
  const Tensor x = data.rows_at(0, shown);
  std::vector<float> originals = x.to_host();
  std::vector<float> decoded = trained.model->forward({}, Var(x)).reconstruction.value().to_host();
  for (std::vector<float>* values : {&originals, &decoded})
    trained.normalizer.undo(*values, data.cols());
  // Numbers that are no share of white are stretched: the least is black, the greatest white.
  const auto [least, greatest] = std::minmax_element(originals.begin(), originals.end());
  const bool shares = *least >= 0 && *greatest <= 1;
  const float black = shares ? 0 : *least, white = shares ? 1 : *greatest;
  constexpr int64_t kGap = 2;
  const int64_t band = 2 * height + kGap, full_width = columns * (width + kGap) + kGap;
  const int64_t full_height = pairs * (band + 3 * kGap) + kGap;
  std::vector<uint8_t> pixels(static_cast<size_t>(full_width * full_height), 48);
  const auto draw = [&](const std::vector<float>& values, int64_t image, int64_t top, int64_t left) {
    for (int64_t r = 0; r < height; ++r)
      for (int64_t c = 0; c < width; ++c) {
        const float value =
            (values[static_cast<size_t>((image * height + r) * width + c)] - black) /
            (white - black);
        pixels[static_cast<size_t>((top + r) * full_width + left + c)] =
            static_cast<uint8_t>(std::clamp(value, 0.0f, 1.0f) * 255 + 0.5f);
      }
  };
  for (int64_t i = 0; i < shown; ++i) {
    const int64_t top = kGap + i / columns * (band + 3 * kGap), left = kGap + i % columns * (width + kGap);
    draw(originals, i, top, left);
    draw(decoded, i, top + height + kGap, left);
  }
  write_png(path, static_cast<int>(full_width), static_cast<int>(full_height), 1, pixels);
}

}  // namespace tessera
