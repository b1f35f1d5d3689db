#include "quantizers/registry.h"

namespace tessera::inline TESSERA_PRECISION {
namespace {

struct QuantizerRow {
  std::string_view name;
  std::unique_ptr<Quantizer> (*make)(VqTable, const QuantizerOptions&, ParameterGroup&, Device);
};
constexpr QuantizerRow kQuantizers[] = {
    {"ema", make_ema},
    {"gradient", make_gradient},
};

struct EstimatorRow {
  std::string_view name;
  Estimator estimate;
};
constexpr EstimatorRow kEstimators[] = {
    {"straight_through", [](const VqTable&, const Var& latents,
                            const Tensor& quantized) { return straight_through(latents, quantized); }},
    {"rotation", rotation_trick},
};

template <class Row, size_t N>
const Row& find(const Row (&rows)[N], std::string_view what, std::string_view name) {
  std::string known;
  for (const Row& row : rows) {
    if (row.name == name) return row;
    known += (known.empty() ? "" : ", ") + std::string(row.name);
  }
  fail(ErrorKind::Config, what, " ", name, " is not known; use one of ", known);
}

template <class Row, size_t N>
std::vector<std::string_view> names(const Row (&rows)[N]) {
  std::vector<std::string_view> result;
  for (const Row& row : rows) result.push_back(row.name);
  return result;
}

}  // namespace

std::unique_ptr<Quantizer> make_quantizer(VqTable table, const QuantizerOptions& options,
                                          ParameterGroup& group, Device device) {
  return find(kQuantizers, "quantizer", options.kind)
      .make(std::move(table), options, group, device);
}
Estimator estimator_named(std::string_view name) {
  return find(kEstimators, "estimator", name).estimate;
}
std::vector<std::string_view> quantizer_names() { return names(kQuantizers); }
std::vector<std::string_view> estimator_names() { return names(kEstimators); }

}  // namespace tessera::inline TESSERA_PRECISION
