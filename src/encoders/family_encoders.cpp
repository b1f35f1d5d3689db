#include "tessera/family_encoders.h"

#include <unordered_set>

#include "tessera/error.h"

namespace tessera::inline TESSERA_PRECISION {
namespace {

constexpr uint32_t kDropoutsOfEncoders = 100000;  // beyond those of the tokenizer itself
constexpr uint32_t kDropoutsPerEncoder = 1000;

Tensor constant_row(int64_t cols, real value, Device device) {
  return Tensor::from_host(1, cols, std::vector<real>(static_cast<size_t>(cols), value), device);
}

}  // namespace

FamilyEncoders::FamilyEncoders(const std::vector<FamilySpec>& families, int64_t width,
                               std::vector<int32_t> order, ParameterGroup& group, Device device,
                               uint64_t seed)
    : specs_(families) {
  TESSERA_CHECK(!specs_.empty(), "FamilyEncoders: no families");
  std::unordered_set<std::string> seen;
  for (size_t f = 0; f < specs_.size(); ++f) {
    const FamilySpec& spec = specs_[f];
    const EncoderPlace place = {
        .group = group,
        .prefix = "encoders/" + spec.shape.name,
        .device = device,
        .seed = seed,
        .first_dropout = kDropoutsOfEncoders + static_cast<uint32_t>(f) * kDropoutsPerEncoder};
    encoders_.push_back(make_encoder(spec.encoder, spec.params, spec.shape, place));
    columns_.push_back(spec.columns.empty() ? ColumnSelection()
                                            : ColumnSelection(spec.columns, width, device));
    const EncoderInfo* info = find_encoder(spec.encoder);
    const int64_t given = info->name == "InitialHybridEncoder" && !spec.params.encode_manual
                              ? spec.shape.columns
                              : 0;  // these pass as they are
    int64_t column = 0;
    for (const EncodedFamily& made : encoders_.back()->outputs())
      for (const std::string& name : made.names) {
        names_.push_back(made.name + '/' + name);
        families_of_.push_back(made.name);
        require(seen.insert(names_.back()).second, ErrorKind::Data, "family ", spec.shape.name,
                ": another family gives ", names_.back(), " too; rename one of the two");
        encoded_.push_back(info->name != "identity" && column++ >= given);
      }
  }
  if (!order.empty()) order_ = ColumnSelection(std::move(order), output_columns(), device);
  const int64_t outputs = output_columns();
  normalizer_ = {constant_row(outputs, 0, device), constant_row(outputs, 1, device)};
  gain_ = constant_row(outputs, 1, device);
  shift_ = constant_row(outputs, 0, device);
}

FamilyBatch FamilyEncoders::batch_of(size_t family, const EncoderBatch& batch) const {
  const FamilySpec& spec = specs_[family];
  FamilyBatch result;
  if (!spec.columns.empty()) result.columns = take_columns(batch.columns, columns_[family]);
  result.grids = batch.grids;
  if (family < batch.series.size()) result.series = batch.series[family];
  return result;
}

Var FamilyEncoders::outputs(const Pass& pass, const EncoderBatch& batch) const {
  std::vector<Var> parts;
  for (size_t f = 0; f < encoders_.size(); ++f)
    parts.push_back(encoders_[f]->encode(pass, batch_of(f, batch)));
  return concatenate_columns(parts);
}

Var FamilyEncoders::features(const Pass& pass, const EncoderBatch& batch) const {
  const Var normalised =
      batch_norm(outputs(pass, batch), Var(gain_), Var(shift_), normalizer_, 0, 0, false);
  return order_.size() == 0 ? normalised : take_columns(normalised, order_);
}

void FamilyEncoders::set_normalizer(std::span<const real> mean, std::span<const real> scale) {
  std::vector<real> variance;
  for (const real s : scale) variance.push_back(1 / (s * s));
  normalizer_.mean.write(mean);
  normalizer_.variance.write(variance);
}

void FamilyEncoders::add_buffers(std::vector<NamedTensor>& buffers) {
  for (const auto& encoder : encoders_) encoder->add_buffers(buffers);
  buffers.push_back({"encoders/normalizer/mean", normalizer_.mean});
  buffers.push_back({"encoders/normalizer/variance", normalizer_.variance});
}

}  // namespace tessera::inline TESSERA_PRECISION
