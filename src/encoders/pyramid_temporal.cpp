#include <map>

#include "encoders.h"
#include "tessera/error.h"

namespace tessera::inline TESSERA_PRECISION::encoders {
namespace {

/// Series at several rates through one ResNet3, a head for each rate. How long a level of a sample is
/// depends on that sample alone. The levels share batch statistics as they share weights.
class PyramidTemporalEncoder final : public Encoder {
 public:
  PyramidTemporalEncoder(const EncoderParams& params, const FamilyShape& shape,
                         const EncoderPlace& place)
      : family_(shape.name),
        dims_(params.level_dims),
        factors_(params.downsample_factors),
        shortest_(params.variable_length.min_pyramid_length),
        shortens_less_(params.variable_length.adaptive_pyramid),
        backbone_(place.group, place.prefix + "/backbone", GridAxes::Series, shape.series_features,
                  place.device, place.seed) {
    for (size_t level = 0; level < dims_.size(); ++level)
      heads_.push_back(make_head(place.group, place.prefix + "/head" + std::to_string(level),
                                 ResNet3::kWidths.back(), dims_[level], true, place.device,
                                 place.seed));
  }

  Var encode(const Pass& pass, const FamilyBatch& batch) override {
    if (!shortens_less_) check_lengths(batch.series.layout);
    const int64_t samples = batch.series.layout.count();
    const Var all =
        backbone_.forward(pass, series_pyramid(batch.series, levels_of(batch.series.layout)));
    std::vector<Var> levels;
    for (size_t level = 0; level < heads_.size(); ++level)
      levels.push_back(heads_[level]->forward(
          pass, slice_rows(all, static_cast<int64_t>(level) * samples, samples)));
    return concatenate_columns(levels);
  }

  std::vector<EncodedFamily> outputs() const override {
    std::vector<EncodedFamily> families;
    for (size_t level = 0; level < dims_.size(); ++level)
      families.push_back({family_ + "_p" + std::to_string(level), numbered("", dims_[level])});
    return families;
  }

  void add_buffers(std::vector<NamedTensor>& buffers) override {
    backbone_.add_buffers(buffers);
    for (const auto& head : heads_) head->add_buffers(buffers);
  }

 private:
  /// Kept for series of one length, so that a step which has run once can be captured.
  GridLayout levels_of(const GridLayout& layout) {
    if (!layout.is_uniform()) return pyramid_layout(layout, factors_, shortest_);
    const auto [at, is_new] = levels_.try_emplace({layout.count(), layout.size(0).width});
    if (is_new) at->second = pyramid_layout(layout, factors_, shortest_, Lifetime::Persistent);
    return at->second;
  }

  void check_lengths(const GridLayout& layout) const {
    for (int64_t sample = 0; sample < layout.count(); ++sample)
      for (const int64_t factor : factors_) {
        const int32_t steps = layout.size(sample).width;
        require(steps / factor >= shortest_, ErrorKind::Data, "family ", family_, ": a series of ",
                steps, " steps has ", steps / factor, " left at downsample factor ", factor,
                ", min_pyramid_length is ", shortest_,
                "; use longer series, or variable_length.adaptive_pyramid: true");
      }
  }

  std::string family_;
  std::vector<int64_t> dims_, factors_;
  int64_t shortest_;
  bool shortens_less_;
  std::map<std::pair<int64_t, int32_t>, GridLayout> levels_;  // by samples and steps
  ResNet3 backbone_;
  std::vector<std::unique_ptr<Sequential>> heads_;
};

}  // namespace

std::unique_ptr<Encoder> make_pyramid_temporal(const EncoderParams& params,
                                               const FamilyShape& shape,
                                               const EncoderPlace& place) {
  const size_t levels = params.level_dims.size();
  require(levels > 0 && levels == params.downsample_factors.size(), ErrorKind::Config, "families.",
          shape.name, ".encoder_params: level_dims has ", levels, " entries, downsample_factors ",
          params.downsample_factors.size(), "; give each level one of both");
  require_sizes(shape, "level_dims", params.level_dims);
  require_sizes(shape, "downsample_factors", params.downsample_factors);
  require_size(shape, "variable_length.min_pyramid_length",
               params.variable_length.min_pyramid_length);
  return std::make_unique<PyramidTemporalEncoder>(params, shape, place);
}

}  // namespace tessera::inline TESSERA_PRECISION::encoders
