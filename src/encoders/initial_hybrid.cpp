#include "encoders.h"

namespace tessera::inline TESSERA_PRECISION::encoders {
namespace {

constexpr int64_t kDefaultDim = 28;

std::vector<std::string> output_names(const EncoderParams& params, const FamilyShape& shape,
                                      int64_t dim) {
  std::vector<std::string> names =
      params.encode_manual ? numbered("manual_", params.manual_output_dim) : shape.column_names;
  const std::vector<std::string> cnn = numbered("cnn_", dim);
  names.insert(names.end(), cnn.begin(), cnn.end());
  return names;
}

/// The columns beside what the CNN makes of the grids.
class InitialHybridEncoder final : public Encoder {
 public:
  InitialHybridEncoder(const EncoderParams& params, const FamilyShape& shape, int64_t dim,
                       const EncoderPlace& place)
      : output_{shape.name, output_names(params, shape, dim)},
        cnn_(place, GridAxes::Grid, shape.channels, dim, params.use_final_batchnorm) {
    if (params.encode_manual)
      manual_ = make_layers({.hidden = params.manual_hidden_dims, .out = params.manual_output_dim},
                            shape.columns, place, place.prefix + "/manual");
  }

  Var encode(const Pass& pass, const FamilyBatch& batch) override {
    const Var manual = manual_ ? manual_->forward(pass, batch.columns) : batch.columns;
    return concatenate_columns({manual, cnn_.forward(pass, batch.grids)});
  }
  std::vector<EncodedFamily> outputs() const override { return {output_}; }
  void add_buffers(std::vector<NamedTensor>& buffers) override {
    cnn_.add_buffers(buffers);
    if (manual_) manual_->add_buffers(buffers);
  }

 private:
  EncodedFamily output_;
  CnnEmbedding cnn_;
  std::unique_ptr<Sequential> manual_;  // null: the columns as they are
};

}  // namespace

std::unique_ptr<Encoder> make_initial_hybrid(const EncoderParams& params, const FamilyShape& shape,
                                             const EncoderPlace& place) {
  const int64_t dim = params.embedding_dim.value_or(kDefaultDim);
  require_size(shape, "embedding_dim", dim);
  if (params.encode_manual) {
    require_sizes(shape, "manual_hidden_dims", params.manual_hidden_dims);
    require_size(shape, "manual_output_dim", params.manual_output_dim);
  }
  return std::make_unique<InitialHybridEncoder>(params, shape, dim, place);
}

}  // namespace tessera::inline TESSERA_PRECISION::encoders
