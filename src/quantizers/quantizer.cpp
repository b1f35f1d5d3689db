#include "tessera/quantizer.h"

#include <algorithm>
#include <numeric>

#include "core/context.h"
#include "quantizers/registry.h"
#include "tessera/kernels/vq_update.h"
#include "tessera/kmeans.h"

namespace tessera::inline TESSERA_PRECISION {
namespace {
constexpr int64_t kMaxInitRows = 65536;
constexpr int kInitIterations = 10;

int64_t codes_in(const VqTable& table) {
  int64_t codes = 0;
  for (const kernels::VqGroup& group : table.groups())
    codes = std::max<int64_t>(codes, group.code_begin + group.codebook_size);
  return codes;
}
}  // namespace

VqTable one_codebook(int64_t codebook_size, int64_t dim, Device device) {
  std::vector<kernels::VqGroup> groups = {{.dim = static_cast<int32_t>(dim),
                                           .codebook_size = static_cast<int32_t>(codebook_size)}};
  kernels::VqGroup::pack(groups);
  return {groups, device};
}

Quantizer::Quantizer(VqTable table, const QuantizerOptions& options, Device device)
    : table_(std::move(table)),
      options_(options),
      device_(device),
      counts_(Tensor::zeros(1, codes_in(table_), device, Lifetime::Persistent)),
      batch_counts_(Tensor::zeros(1, codes_in(table_), device, Lifetime::Persistent)),
      usage_(codes_in(table_), device, Lifetime::Persistent),
      resets_(1, device, Lifetime::Persistent),
      nonfinite_(1, device, Lifetime::Persistent) {
  estimator_named(options_.estimator);  // refuses an unknown name now
  usage_.zero();
  resets_.zero();
  nonfinite_.zero();
}

QuantizerOutput Quantizer::forward(const Pass& pass, const Var& latents) {
  NearestCodes nearest = nearest_codes(table_, latents, codebooks_on(pass), &nonfinite_);
  const Var passed =
      estimator_named(options_.estimator)(table_, latents, nearest.quantized.value());
  return {nearest.codes, nearest.quantized, passed};
}

Tensor Quantizer::lookup(const Buffer<int32_t>& codes, int64_t rows) {
  int64_t columns = 0;
  for (const kernels::VqGroup& group : table_.groups()) columns += group.dim;
  Tensor quantized = Tensor::empty(rows, columns, device_);
  on_device(device_, [&](auto& context) {
    kernels::vq_lookup(context, {.groups = table_.view(),
                                 .codes = {codes.data(), rows, table_.size(), table_.size()},
                                 .codebooks = codebooks().flat(),
                                 .quantized = quantized.mutable_view()});
  });
  return quantized;
}

/// First codebook of group g, [K, D], and its starting counts.
Tensor Quantizer::initial_codebooks(int64_t g, const Tensor& latents, std::vector<real>& counts) {
  const kernels::VqGroup& group = table_.groups()[g];
  const int64_t size = group.codebook_size, rows = std::min(latents.rows(), std::max(kMaxInitRows, size));
  counts.assign(size, real(options_.batch_rows) / real(size));
  if (options_.codebook_init != "kmeans") {
    const bool normal = options_.codebook_init == "normal";
    require(normal || options_.codebook_init == "uniform", ErrorKind::Config, "codebook_init ",
            options_.codebook_init, " is not known; use kmeans, normal or uniform");
    const std::string name = "codebook/" + std::to_string(g);
    std::vector<real> values(size * group.dim);
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = normal ? initial_normal(options_.seed, name, static_cast<int64_t>(i))
                         : initial_uniform(options_.seed, name, static_cast<int64_t>(i),
                                           1.0 / static_cast<double>(size));
    return Tensor::from_host(size, group.dim, values, device_);
  }
  const MatrixView<const real> all = latents.view();
  const KmeansResult result = kmeans({all.data + group.latent_begin, rows, group.dim, all.ld},
                                     device_,
                                     {.clusters = size,
                                      .iterations = kInitIterations,
                                      .seed = options_.seed,
                                      .stream_step = static_cast<uint64_t>(g)});
  for (int64_t k = 0; k < size; ++k)
    counts[k] = std::max(result.counts[k], real(1)) * real(options_.batch_rows) / real(rows);
  return result.centres;
}

void Quantizer::initialize(const Tensor& latents) {
  std::vector<real> books = codebooks().to_host(), all_counts = counts_.to_host(), counts;
  for (int64_t g = 0; g < table_.size(); ++g) {
    const kernels::VqGroup& group = table_.groups()[g];
    const std::vector<real> values = initial_codebooks(g, latents, counts).to_host();
    std::copy(values.begin(), values.end(), books.begin() + group.codebook_begin);
    std::copy(counts.begin(), counts.end(), all_counts.begin() + group.code_begin);
  }
  codebooks().write(books);
  counts_.write(all_counts);
}

void Quantizer::count_batch(const QuantizerOutput& output, const Tensor& latents,
                            Tensor* batch_sums) {
  on_device(device_, [&](auto& context) {
    kernels::vq_code_sums(
        context, {.groups = table_.view(),
                  .codes = {output.codes.data(), latents.rows(), table_.size(), table_.size()},
                  .rows = latents.view(),
                  .counts = batch_counts_.mutable_flat(),
                  .sums = batch_sums ? batch_sums->mutable_flat() : VectorView<real>{},
                  .usage = usage_.mutable_view()});
  });
}

void Quantizer::reset_dead_codes(const Tensor& latents, const TrainingState& state,
                                 const DeadCodeOptions& options,
                                 const CodeStatistics& statistics) {
  on_device(device_, [&](auto& context) {
    kernels::vq_reset_dead_codes(
        context, {.groups = table_.view(),
                  .latents = latents.view(),
                  .counts = counts_.mutable_flat(),
                  .sums = statistics.sums,
                  .first_moment = statistics.first_moment,
                  .second_moment = statistics.second_moment,
                  .codebooks = codebooks().mutable_flat(),
                  .resets = resets_.mutable_view(),
                  .state = state.get(),
                  .interval = options.interval,
                  .threshold = options.threshold,
                  .max_fraction = options.max_fraction});
  });
}

void Quantizer::add_buffers(std::vector<NamedTensor>& buffers) {
  buffers.push_back({"quantizer/codebook", codebooks()});
  buffers.push_back({"quantizer/ema_counts", counts_});
}

}  // namespace tessera::inline TESSERA_PRECISION
