#include "encoders.h"
#include "tessera/error.h"

namespace tessera::inline TESSERA_PRECISION::encoders {
namespace {

class MLPEncoder final : public Encoder {
 public:
  MLPEncoder(const FamilyShape& shape, const MlpLayers& layers, const EncoderPlace& place)
      : output_{shape.name, numbered("mlp_", layers.out)},
        layers_(make_layers(layers, shape.columns, place, place.prefix + "/mlp")) {}

  Var encode(const Pass& pass, const FamilyBatch& batch) override {
    return layers_->forward(pass, batch.columns);
  }
  std::vector<EncodedFamily> outputs() const override { return {output_}; }
  void add_buffers(std::vector<NamedTensor>& buffers) override { layers_->add_buffers(buffers); }

 private:
  EncodedFamily output_;
  std::unique_ptr<Sequential> layers_;
};

}  // namespace

std::unique_ptr<Encoder> make_mlp(const EncoderParams& params, const FamilyShape& shape,
                                  const EncoderPlace& place) {
  require_sizes(shape, "hidden_dims", params.hidden_dims);
  require_size(shape, "output_dim", params.output_dim);
  require(params.dropout >= 0 && params.dropout < 1, ErrorKind::Config, "families.", shape.name,
          ".encoder_params.dropout is ", params.dropout, "; use 0 or more and less than 1");
  const std::string& op = params.activation;
  require(op == "relu" || op == "gelu" || op == "tanh", ErrorKind::Config, "families.", shape.name,
          ".encoder_params.activation is ", op, "; use relu, gelu or tanh");
  return std::make_unique<MLPEncoder>(shape,
                                      MlpLayers{.hidden = params.hidden_dims,
                                                .out = params.output_dim,
                                                .op = activation_named(op),
                                                .dropout = params.dropout,
                                                .batch_norm = params.batch_norm},
                                      place);
}

}  // namespace tessera::inline TESSERA_PRECISION::encoders
