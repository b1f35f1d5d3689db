#include "core/context.h"
#include "quantizers/registry.h"
#include "tessera/kernels/vq_update.h"

namespace tessera::inline TESSERA_PRECISION {
namespace {

int64_t flat_size(const VqTable& table) {
  std::vector<kernels::VqGroup> groups(table.groups().begin(), table.groups().end());
  return kernels::VqGroup::pack(groups).codebooks;
}

/// Codebooks as running averages of the latents assigned to them (kernels/vq_update.h).
class EmaQuantizer final : public Quantizer {
 public:
  EmaQuantizer(VqTable table, const QuantizerOptions& options, Device device)
      : Quantizer(std::move(table), options, device),
        codebooks_(Tensor::zeros(1, flat_size(table_), device, Lifetime::Persistent)),
        sums_(Tensor::zeros(1, flat_size(table_), device, Lifetime::Persistent)),
        batch_sums_(Tensor::zeros(1, flat_size(table_), device, Lifetime::Persistent)) {}

  Tensor& codebooks() override { return codebooks_; }

  void initialize(const Tensor& latents) override {
    Quantizer::initialize(latents);
    const std::vector<real> books = codebooks_.to_host(), counts = counts_.to_host();
    std::vector<real> sums(books.size());
    for (const kernels::VqGroup& group : table_.groups())
      for (int64_t i = 0; i < int64_t{group.codebook_size} * group.dim; ++i)
        sums[group.codebook_begin + i] =
            counts[group.code_begin + i / group.dim] * books[group.codebook_begin + i];
    sums_.write(sums);
  }

  void update(const QuantizerOutput& output, const Tensor& latents,
              const TrainingState& state) override {
    count_batch(output, latents, &batch_sums_);
    on_device(device_, [&](auto& context) {
      kernels::vq_ema_update(context, {.groups = table_.view(),
                                       .batch_counts = batch_counts_.flat(),
                                       .batch_sums = batch_sums_.flat(),
                                       .counts = counts_.mutable_flat(),
                                       .sums = sums_.mutable_flat(),
                                       .codebooks = codebooks_.mutable_flat(),
                                       .decay = real(options_.ema_decay),
                                       .epsilon = real(options_.ema_epsilon)});
    });
    if (options_.dead_code.enabled) replace_dead_codes(latents, state, options_.dead_code);
  }

  void replace_dead_codes(const Tensor& latents, const TrainingState& state,
                          const DeadCodeOptions& options) override {
    reset_dead_codes(latents, state, options,
                     {.sums = sums_.mutable_flat(), .first_moment = {}, .second_moment = {}});
  }

  void add_buffers(std::vector<NamedTensor>& buffers) override {
    Quantizer::add_buffers(buffers);
    buffers.push_back({"quantizer/ema_sums", sums_});
  }

  Var codebooks_on(const Pass&) override { return Var(codebooks_); }

 private:
  Tensor codebooks_, sums_, batch_sums_;
};

}  // namespace

std::unique_ptr<Quantizer> make_ema(VqTable table, const QuantizerOptions& options, ParameterGroup&,
                                    Device device) {
  return std::make_unique<EmaQuantizer>(std::move(table), options, device);
}

}  // namespace tessera::inline TESSERA_PRECISION
