#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tessera/encoder_params.h"
#include "tessera/grid_ops.h"
#include "tessera/nn.h"

namespace tessera::inline TESSERA_PRECISION {

/// What one family has for the samples of a batch; parts that it does not have are null.
struct FamilyBatch {
  Var columns = {};     ///< [samples, features], normalised
  GridVar grids = {};   ///< raw grids, channels last, normalised by channel
  GridVar series = {};  ///< raw series, a row a step, normalised by feature; lengths may differ
};

/// Sizes of what a family has; 0 where it lacks the part.
struct FamilyShape {
  std::string name;  ///< of the family: "initial"
  int64_t columns = 0;
  std::vector<std::string> column_names = {};  ///< of rank 2, without the family
  int64_t channels = 0;                        ///< of its grids
  GridSize grid = {0, 0};
  int64_t series_features = 0, steps = 0;      ///< of its series; steps that the longest has
  std::vector<std::string> series_names = {};  ///< of a step's features; empty: "0", "1", ...
  bool operator==(const FamilyShape&) const = default;
};

/// Columns that an encoder makes: a family of their own, so that clustering may keep them together.
struct EncodedFamily {
  std::string name;                ///< "initial", or "temporal_p0" for a level of a pyramid
  std::vector<std::string> names;  ///< of the columns, without the family
};

/// Turns what a family has into columns of the model, by parameters that are trained with it.
class Encoder {
 public:
  virtual ~Encoder() = default;
  /// [samples, output_dim()]; samples do not see one another but through batch statistics in training.
  virtual Var encode(const Pass& pass, const FamilyBatch& batch) = 0;
  virtual std::vector<EncodedFamily> outputs() const = 0;
  virtual void add_buffers(std::vector<NamedTensor>&) {}
  int64_t output_dim() const;
};

/// Where an encoder declares its parameters: `group`, as <prefix>/<layer>.
struct EncoderPlace {
  ParameterGroup& group;
  std::string prefix;
  Device device;
  uint64_t seed;
  uint32_t first_dropout = 0;  ///< index of its first dropout layer (kernels::kStreamDropout)
};

/// The encoder called `name`, by its key or an alias (encoder_names()).
/// Throws Error: Config for an unknown name, with the sorted list of names, and for parameters that do
/// not fit; Data, naming the family and what it has, where the family lacks what the encoder reads.
std::unique_ptr<Encoder> make_encoder(std::string_view name, const EncoderParams& params,
                                      const FamilyShape& shape, const EncoderPlace& place);

/// What is known of an encoder without making it.
struct EncoderInfo {
  std::string_view name;
  std::vector<std::string_view> aliases;
  std::vector<std::string_view> params;  ///< keys of EncoderParams that it looks at
  bool reads_columns = false, reads_grids = false, reads_series = false;
};
/// All encoders, sorted by name; identity, whose output is its columns, is one of them.
const std::vector<EncoderInfo>& encoder_infos();
/// By name or alias; null where there is none.
const EncoderInfo* find_encoder(std::string_view name);
std::vector<std::string> encoder_names();

}  // namespace tessera::inline TESSERA_PRECISION
