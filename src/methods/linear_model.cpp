#include "methods/linear_model.h"

#include <algorithm>

#include "tessera/batch.h"
#include "tessera/metrics.h"
#include "tessera/quantizer.h"
#include "tessera/step.h"

namespace tessera::inline TESSERA_PRECISION {
namespace {

constexpr int64_t kRowsAtOnce = 4096;

Parameter parameter(const char* name, int64_t rows, int64_t cols, Device device) {
  return {name, Tensor::empty(rows, cols, device, Lifetime::Persistent),
          Tensor::zeros(rows, cols, device, Lifetime::Persistent)};
}

int64_t padded(int64_t values) { return (values + 3) / 4 * 4; }  // as VqGroup::pack

RowSource source_of(const Tensor& rows) {
  return {.bytes = nullptr,
          .values = rows.view().data,
          .rows = rows.rows(),
          .cols = rows.cols(),
          .scale = 1};
}

double value_of(const Var& scalar) { return double(scalar.value().to_host()[0]); }

}  // namespace

LinearModel::LinearModel(const SmallMatrix& encoder, const SmallMatrix& codebook, Device device)
    : encoder_(parameter("encoder", encoder.rows, encoder.cols, device)),
      codebook_(parameter("codebook", 1, padded(codebook.rows * codebook.cols), device)),
      table_(one_codebook(codebook.rows, codebook.cols, device)) {
  TESSERA_CHECK(encoder.rows == codebook.cols, "LinearModel: ", encoder.rows,
                " latent features, codes of ", codebook.cols);
  write_encoder(encoder);
  write_codebook(codebook);
}

LinearModel::LinearModel(const LabProblem& problem)
    : LinearModel(
          {problem.settings.latent_dim, problem.settings.data_dim, problem.encoder},
          {problem.settings.codebook_size, problem.settings.latent_dim, problem.start_codebook},
          problem.device) {}

SmallMatrix LinearModel::encoder_values() const {
  const std::vector<real> values = encoder_.value.to_host();
  return {encoder_.value.rows(), encoder_.value.cols(), {values.begin(), values.end()}};
}

SmallMatrix LinearModel::codebook_values() const {
  const kernels::VqGroup group = table_.groups()[0];
  const std::vector<real> values = codebook_.value.to_host();
  return {group.codebook_size,
          group.dim,
          {values.begin(), values.begin() + int64_t{group.codebook_size} * group.dim}};
}

void LinearModel::write_encoder(const SmallMatrix& encoder) {
  encoder_.value.write(std::vector<real>(encoder.values.begin(), encoder.values.end()));
}

void LinearModel::write_codebook(const SmallMatrix& codebook) {
  std::vector<real> values(codebook.values.begin(), codebook.values.end());
  values.resize(static_cast<size_t>(codebook_.value.size()));
  codebook_.value.write(values);
}

LabMetrics LinearModel::measure(const Tensor& rows) {
  std::vector<int64_t> counts(static_cast<size_t>(table_.groups()[0].codebook_size));
  LabMetrics metrics;
  for (int64_t first = 0; first < rows.rows(); first += kRowsAtOnce) {
    const int64_t count = std::min(kRowsAtOnce, rows.rows() - first);
    run_step(rows.device(), [&] {
      const Var x(gather_rows(source_of(rows), {}, first, count, rows.device()));
      const Var w(encoder_.value), z = linear(x, w, {});
      const NearestCodes nearest = nearest_codes(table_, z, Var(codebook_.value));
      const Var reconstruction = linear_transposed(nearest.quantized, w);
      const double weight = static_cast<double>(count) / static_cast<double>(rows.rows());
      metrics.recon_mse +=
          weight * static_cast<double>(x.cols()) * value_of(mean_squared_error(reconstruction, x));
      metrics.in_sub_dist += weight * static_cast<double>(z.cols()) *
                             value_of(mean_squared_error(nearest.quantized, z));
      for (const int32_t code : nearest.codes.to_host()) ++counts[static_cast<size_t>(code)];
    });
  }
  const CodeUse use = code_use(counts);
  metrics.usage_entropy = use.entropy_nats;
  metrics.dead_frac = static_cast<double>(use.dead) / static_cast<double>(use.total);
  return metrics;
}

Tensor LinearModel::latents(const Tensor& rows) {
  return linear(Var(rows), Var(encoder_.value), {}).value();
}

LabResult result_of(LinearModel& model, const LabProblem& problem) {
  return {.metrics = model.measure(problem.eval),
          .log = {},
          .encoder = model.encoder_values().values,
          .codebook = model.codebook_values().values};
}

}  // namespace tessera::inline TESSERA_PRECISION
