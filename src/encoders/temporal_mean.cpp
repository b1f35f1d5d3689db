#include "encoders.h"
#include "tessera/error.h"

namespace tessera::inline TESSERA_PRECISION::encoders {
namespace {

class TemporalMeanEncoder final : public Encoder {
 public:
  explicit TemporalMeanEncoder(const FamilyShape& shape)
      : output_{shape.name, shape.series_names.empty() ? numbered("", shape.series_features)
                                                       : shape.series_names} {
    TESSERA_CHECK(output_dim() == shape.series_features, "TemporalMeanEncoder: ", output_dim(),
                  " names for ", shape.series_features, " features");
  }
  Var encode(const Pass&, const FamilyBatch& batch) override { return grid_mean(batch.series); }
  std::vector<EncodedFamily> outputs() const override { return {output_}; }

 private:
  EncodedFamily output_;
};

}  // namespace

std::unique_ptr<Encoder> make_temporal_mean(const EncoderParams&, const FamilyShape& shape,
                                            const EncoderPlace&) {
  return std::make_unique<TemporalMeanEncoder>(shape);
}

}  // namespace tessera::inline TESSERA_PRECISION::encoders
