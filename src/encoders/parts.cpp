#include "encoders.h"
#include "tessera/error.h"

namespace tessera::inline TESSERA_PRECISION::encoders {

std::vector<std::string> numbered(std::string_view prefix, int64_t count) {
  std::vector<std::string> names;
  for (int64_t i = 0; i < count; ++i) names.push_back(std::string(prefix) + std::to_string(i));
  return names;
}

void require_size(const FamilyShape& shape, std::string_view key, int64_t value) {
  require(value >= 1, ErrorKind::Config, "families.", shape.name, ".encoder_params.", key, " is ",
          value, "; use 1 or more");
}

void require_sizes(const FamilyShape& shape, std::string_view key,
                   const std::vector<int64_t>& values) {
  for (const int64_t value : values) require_size(shape, key, value);
}

std::unique_ptr<Sequential> make_layers(const MlpLayers& layers, int64_t in,
                                        const EncoderPlace& place, const std::string& name) {
  auto mlp = std::make_unique<Sequential>();
  int64_t width = in;
  int layer = 0;
  const auto linear = [&](int64_t out) {
    const std::string here = name + "/" + std::to_string(layer++);
    mlp->append(std::make_unique<Linear>(place.group, here + "/linear", width, out, place.seed));
    if (layers.batch_norm)
      mlp->append(std::make_unique<BatchNorm>(place.group, here + "/norm", out, place.device));
    width = out;
  };
  const auto rate = static_cast<real>(layers.dropout);
  uint32_t dropout = place.first_dropout;
  for (const int64_t size : layers.hidden) {
    linear(size);
    if (layers.op == UnaryOp::Relu) {
      mlp->append(std::make_unique<ReluDropout>(rate, dropout++));
    } else {
      mlp->append(std::make_unique<Activation>(layers.op));
      mlp->append(std::make_unique<Dropout>(rate, dropout++));
    }
  }
  linear(layers.out);
  return mlp;
}

CnnEmbedding::CnnEmbedding(const EncoderPlace& place, GridAxes axes, int64_t channels, int64_t dim,
                           bool normalized)
    : backbone_(place.group, place.prefix + "/cnn/backbone", axes, channels, place.device,
                place.seed),
      head_(make_head(place.group, place.prefix + "/cnn/head", ResNet3::kWidths.back(), dim,
                      normalized, place.device, place.seed)) {}

Var CnnEmbedding::forward(const Pass& pass, const GridVar& x) {
  return head_->forward(pass, backbone_.forward(pass, x));
}

void CnnEmbedding::add_buffers(std::vector<NamedTensor>& buffers) {
  backbone_.add_buffers(buffers);
  head_->add_buffers(buffers);
}

}  // namespace tessera::inline TESSERA_PRECISION::encoders
