#include "encoders.h"

namespace tessera::inline TESSERA_PRECISION::encoders {
namespace {

constexpr int64_t kDefaultDim = 64;

class TemporalCNNEncoder final : public Encoder {
 public:
  TemporalCNNEncoder(const EncoderParams& params, const FamilyShape& shape, int64_t dim,
                     const EncoderPlace& place)
      : output_{shape.name, numbered("cnn_", dim)},
        cnn_(place, GridAxes::Series, shape.series_features, dim, params.use_final_batchnorm) {}

  Var encode(const Pass& pass, const FamilyBatch& batch) override {
    return cnn_.forward(pass, batch.series);
  }
  std::vector<EncodedFamily> outputs() const override { return {output_}; }
  void add_buffers(std::vector<NamedTensor>& buffers) override { cnn_.add_buffers(buffers); }

 private:
  EncodedFamily output_;
  CnnEmbedding cnn_;
};

}  // namespace

std::unique_ptr<Encoder> make_temporal_cnn(const EncoderParams& params, const FamilyShape& shape,
                                           const EncoderPlace& place) {
  const int64_t dim = params.embedding_dim.value_or(kDefaultDim);
  require_size(shape, "embedding_dim", dim);
  return std::make_unique<TemporalCNNEncoder>(params, shape, dim, place);
}

}  // namespace tessera::inline TESSERA_PRECISION::encoders
