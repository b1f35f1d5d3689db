#include <algorithm>

#include "encoders.h"
#include "tessera/error.h"

namespace tessera::inline TESSERA_PRECISION {
namespace {

using MakeEncoder = std::unique_ptr<Encoder> (*)(const EncoderParams&, const FamilyShape&,
                                                 const EncoderPlace&);
struct Row {
  EncoderInfo info;
  MakeEncoder make;
};

/// One row an encoder, sorted by name.
const std::vector<Row>& rows() {
  static const std::vector<Row> all = {
      {{.name = "InitialCNNEncoder",
        .aliases = {"ic_cnn"},
        .params = {"trainable", "embedding_dim", "use_final_batchnorm", "pretrained_cnn_path"},
        .reads_grids = true},
       encoders::make_initial_cnn},
      {{.name = "InitialHybridEncoder",
        .aliases = {"initial_hybrid"},
        .params = {"trainable", "embedding_dim", "use_final_batchnorm", "encode_manual",
                   "manual_hidden_dims", "manual_output_dim", "pretrained_cnn_path"},
        .reads_columns = true,
        .reads_grids = true},
       encoders::make_initial_hybrid},
      {{.name = "MLPEncoder",
        .aliases = {"mlp"},
        .params = {"trainable", "hidden_dims", "output_dim", "dropout", "activation", "batch_norm"},
        .reads_columns = true},
       encoders::make_mlp},
      {{.name = "PyramidTemporalEncoder",
        .aliases = {},
        .params = {"trainable", "level_dims", "downsample_factors", "variable_length"},
        .reads_series = true},
       encoders::make_pyramid_temporal},
      {{.name = "TemporalCNNEncoder",
        .aliases = {"td_cnn"},
        .params = {"trainable", "embedding_dim", "use_final_batchnorm", "variable_length"},
        .reads_series = true},
       encoders::make_temporal_cnn},
      {{.name = "TemporalMeanEncoder",
        .aliases = {},
        .params = {"variable_length"},
        .reads_series = true},
       encoders::make_temporal_mean},
      {{.name = "identity", .aliases = {"IdentityEncoder"}, .params = {}, .reads_columns = true},
       encoders::make_identity},
  };
  return all;
}

const Row* find_row(std::string_view name) {
  for (const Row& row : rows())
    if (row.info.name == name || std::ranges::count(row.info.aliases, name) > 0) return &row;
  return nullptr;
}

std::string joined(const std::vector<std::string>& parts, const char* between) {
  std::string all;
  for (const std::string& part : parts) all += (all.empty() ? "" : between) + part;
  return all;
}

/// What a family has, in words.
std::string contents_of(const FamilyShape& shape) {
  std::vector<std::string> parts;
  if (shape.columns > 0) parts.push_back(std::to_string(shape.columns) + " columns");
  if (shape.channels > 0)
    parts.push_back("grids of " + std::to_string(shape.channels) + " x " +
                    std::to_string(shape.grid.height) + " x " + std::to_string(shape.grid.width));
  if (shape.series_features > 0)
    parts.push_back("series of " + std::to_string(shape.steps) + " steps and " +
                    std::to_string(shape.series_features) + " features");
  return parts.empty() ? "nothing" : joined(parts, ", ");
}

void require_inputs(const EncoderInfo& info, const FamilyShape& shape) {
  const auto require_part = [&](bool wanted, bool there, const char* what) {
    require(!wanted || there, ErrorKind::Data, "family ", shape.name, ": ", info.name, " reads ",
            what, "; the family has ", contents_of(shape), "; choose another encoder");
  };
  require_part(info.reads_columns, shape.columns > 0, "columns");
  require_part(info.reads_grids, shape.channels > 0, "grids");
  require_part(info.reads_series, shape.series_features > 0, "series");
}

/// An encoder that is not trained: its parameters are constants, its batch norms stay.
class FrozenEncoder final : public Encoder {
 public:
  explicit FrozenEncoder(std::unique_ptr<Encoder> encoder) : encoder_(std::move(encoder)) {}
  Var encode(const Pass& pass, const FamilyBatch& batch) override {
    return stop_gradient(encoder_->encode({.state = pass.state}, batch));
  }
  std::vector<EncodedFamily> outputs() const override { return encoder_->outputs(); }
  void add_buffers(std::vector<NamedTensor>& buffers) override { encoder_->add_buffers(buffers); }

 private:
  std::unique_ptr<Encoder> encoder_;
};

}  // namespace

int64_t Encoder::output_dim() const {
  int64_t columns = 0;
  for (const EncodedFamily& family : outputs())
    columns += static_cast<int64_t>(family.names.size());
  return columns;
}

std::unique_ptr<Encoder> make_encoder(std::string_view name, const EncoderParams& params,
                                      const FamilyShape& shape, const EncoderPlace& place) {
  const Row* row = find_row(name);
  require(row != nullptr, ErrorKind::Config, "families.", shape.name, ".encoder ", name,
          " is not known; use one of ", joined(encoder_names(), ", "));
  require_inputs(row->info, shape);
  std::unique_ptr<Encoder> encoder = row->make(params, shape, place);
  if (!params.trainable) return std::make_unique<FrozenEncoder>(std::move(encoder));
  return encoder;
}

const std::vector<EncoderInfo>& encoder_infos() {
  static const std::vector<EncoderInfo> infos = [] {
    std::vector<EncoderInfo> all;
    for (const Row& row : rows()) all.push_back(row.info);
    return all;
  }();
  return infos;
}

const EncoderInfo* find_encoder(std::string_view name) {
  const Row* row = find_row(name);
  return row != nullptr ? &row->info : nullptr;
}

std::vector<std::string> encoder_names() {
  std::vector<std::string> names;
  for (const Row& row : rows()) {
    names.emplace_back(row.info.name);
    names.insert(names.end(), row.info.aliases.begin(), row.info.aliases.end());
  }
  std::ranges::sort(names);
  return names;
}

}  // namespace tessera::inline TESSERA_PRECISION
