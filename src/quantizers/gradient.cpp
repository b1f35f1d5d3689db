#include "core/context.h"
#include "quantizers/registry.h"
#include "tessera/kernels/vq_update.h"

namespace tessera::inline TESSERA_PRECISION {
namespace {

/// Codebooks as parameters: the codebook loss moves them, by the group's own rate. Running counts
/// serve the dead-code rule alone.
class GradientQuantizer final : public Quantizer {
 public:
  GradientQuantizer(VqTable table, const QuantizerOptions& options, ParameterGroup& group,
                    Device device)
      : Quantizer(std::move(table), options, device), group_(group) {
    std::vector<kernels::VqGroup> groups(table_.groups().begin(), table_.groups().end());
    const int64_t size = kernels::VqGroup::pack(groups).codebooks;
    codebook_ = group.declare({"codebook", 1, size, [](int64_t) { return real(0); }});
  }

  Tensor& codebooks() override { return group_[codebook_].value; }

  void update(const QuantizerOutput& output, const Tensor& latents,
              const TrainingState& state) override {
    count_batch(output, latents, nullptr);
    on_device(device_, [&](auto& context) {
      kernels::vq_count_update(context, {.batch_counts = batch_counts_.flat(),
                                         .counts = counts_.mutable_flat(),
                                         .decay = real(options_.ema_decay)});
    });
    if (options_.dead_code.enabled) replace_dead_codes(latents, state, options_.dead_code);
  }

  void replace_dead_codes(const Tensor& latents, const TrainingState& state,
                          const DeadCodeOptions& options) override {
    reset_dead_codes(latents, state, options,
                     {.sums = {},
                      .first_moment = group_.first_moment_of(codebook_),
                      .second_moment = group_.second_moment_of(codebook_)});
  }

  Var codebooks_on(const Pass& pass) override { return pass.parameter(group_[codebook_]); }

 private:
  ParameterGroup& group_;
  size_t codebook_;
};

}  // namespace

std::unique_ptr<Quantizer> make_gradient(VqTable table, const QuantizerOptions& options,
                                         ParameterGroup& group, Device device) {
  return std::make_unique<GradientQuantizer>(std::move(table), options, group, device);
}

}  // namespace tessera::inline TESSERA_PRECISION
