#include "tessera/models/dense_vq_vae.h"

namespace tessera::inline TESSERA_PRECISION {
namespace {

ModelPair build_vq_vae(const Options& options, ParameterGroup& group, uint64_t seed) {
  return build_dense(DenseOptions::from(options), group, seed);
}

struct Row {
  std::string_view name;
  ModelPair (*build)(const Options&, ParameterGroup&, uint64_t seed);
};
constexpr Row kModels[] = {
    {"vq_vae", build_vq_vae},
    {"dense", build_vq_vae},
};

}  // namespace

ModelPair build(std::string_view name, const Options& options, ParameterGroup& group,
                uint64_t seed) {
  std::string known;
  for (const Row& row : kModels) {
    if (row.name == name) return row.build(options, group, seed);
    known += (known.empty() ? "" : ", ") + std::string(row.name);
  }
  fail(ErrorKind::Config, "model ", name, " is not known; use one of ", known);
}

std::vector<std::string_view> model_names() {
  std::vector<std::string_view> names;
  for (const Row& row : kModels) names.push_back(row.name);
  return names;
}

}  // namespace tessera::inline TESSERA_PRECISION
