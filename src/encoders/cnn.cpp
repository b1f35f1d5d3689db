// InitialCNNEncoder and TemporalCNNEncoder: the same network along two axes or one.
#include "encoders.h"

namespace tessera::inline TESSERA_PRECISION::encoders {
namespace {

constexpr int64_t kGridDim = 28, kSeriesDim = 64;

class CnnEncoder final : public Encoder {
 public:
  CnnEncoder(const EncoderParams& params, const FamilyShape& shape, GridAxes axes, int64_t dim,
             const EncoderPlace& place)
      : axes_(axes),
        output_{shape.name, numbered("cnn_", dim)},
        cnn_(place, axes, axes == GridAxes::Grid ? shape.channels : shape.series_features, dim,
             params.use_final_batchnorm) {}

  Var encode(const Pass& pass, const FamilyBatch& batch) override {
    return cnn_.forward(pass, axes_ == GridAxes::Grid ? batch.grids : batch.series);
  }
  std::vector<EncodedFamily> outputs() const override { return {output_}; }
  void add_buffers(std::vector<NamedTensor>& buffers) override { cnn_.add_buffers(buffers); }

 private:
  GridAxes axes_;
  EncodedFamily output_;
  CnnEmbedding cnn_;
};

std::unique_ptr<Encoder> make_cnn(const EncoderParams& params, const FamilyShape& shape,
                                  GridAxes axes, const EncoderPlace& place) {
  const int64_t dim = params.embedding_dim.value_or(axes == GridAxes::Grid ? kGridDim : kSeriesDim);
  require_size(shape, "embedding_dim", dim);
  return std::make_unique<CnnEncoder>(params, shape, axes, dim, place);
}

}  // namespace

std::unique_ptr<Encoder> make_initial_cnn(const EncoderParams& params, const FamilyShape& shape,
                                          const EncoderPlace& place) {
  return make_cnn(params, shape, GridAxes::Grid, place);
}

std::unique_ptr<Encoder> make_temporal_cnn(const EncoderParams& params, const FamilyShape& shape,
                                           const EncoderPlace& place) {
  return make_cnn(params, shape, GridAxes::Series, place);
}

}  // namespace tessera::inline TESSERA_PRECISION::encoders
