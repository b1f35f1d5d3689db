#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tessera/encoder.h"
#include "tessera/grid_nn.h"

// What the encoders share, and how each is made. make_encoder has seen that the family has what the
// encoder reads.
namespace tessera::inline TESSERA_PRECISION::encoders {

std::unique_ptr<Encoder> make_identity(const EncoderParams&, const FamilyShape&,
                                       const EncoderPlace&);
std::unique_ptr<Encoder> make_mlp(const EncoderParams&, const FamilyShape&, const EncoderPlace&);
std::unique_ptr<Encoder> make_initial_cnn(const EncoderParams&, const FamilyShape&,
                                          const EncoderPlace&);
std::unique_ptr<Encoder> make_initial_hybrid(const EncoderParams&, const FamilyShape&,
                                             const EncoderPlace&);
std::unique_ptr<Encoder> make_temporal_cnn(const EncoderParams&, const FamilyShape&,
                                           const EncoderPlace&);
std::unique_ptr<Encoder> make_temporal_mean(const EncoderParams&, const FamilyShape&,
                                            const EncoderPlace&);
std::unique_ptr<Encoder> make_pyramid_temporal(const EncoderParams&, const FamilyShape&,
                                               const EncoderPlace&);

/// "<prefix>0", "<prefix>1", ...
std::vector<std::string> numbered(std::string_view prefix, int64_t count);

/// Throws Error (Config) naming the family and the key unless `value` is at least 1.
void require_size(const FamilyShape& shape, std::string_view key, int64_t value);
void require_sizes(const FamilyShape& shape, std::string_view key,
                   const std::vector<int64_t>& values);

/// Linear, batch norm, activation and dropout for each hidden size; Linear and batch norm at the end.
struct MlpLayers {
  std::vector<int64_t> hidden;
  int64_t out = 0;
  UnaryOp op = UnaryOp::Relu;
  double dropout = 0;
  bool batch_norm = true;
};
std::unique_ptr<Sequential> make_layers(const MlpLayers& layers, int64_t in,
                                        const EncoderPlace& place, const std::string& name);

/// ResNet3 and a head: the part that encoders of grids and of series have in common. Its parameters are
/// <prefix>/cnn/..., whichever encoder it is in.
class CnnEmbedding {
 public:
  CnnEmbedding(const EncoderPlace& place, GridAxes axes, int64_t channels, int64_t dim,
               bool normalized);
  /// [samples, dim].
  Var forward(const Pass& pass, const GridVar& x);
  void add_buffers(std::vector<NamedTensor>& buffers);

 private:
  ResNet3 backbone_;
  std::unique_ptr<Sequential> head_;
};

}  // namespace tessera::inline TESSERA_PRECISION::encoders
