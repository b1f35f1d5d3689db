#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "commands/commands.h"
#include "tessera/checkpoint.h"
#include "tessera/files.h"
#include "tessera/metrics.h"

namespace tessera::tools {
namespace {

/// The category of each feature: where its column stands, or as learned.
std::vector<int32_t> category_of_features(const TrainedModel& trained) {
  if (LearnedAssignment* learned = trained.model->learned()) return learned->hard();
  std::vector<int32_t> own;
  for (size_t k = 0; k < trained.features.categories.size(); ++k)
    own.insert(own.end(), static_cast<size_t>(trained.features.categories[k].features),
               static_cast<int32_t>(k));
  return own;
}

/// What learning made of the categories that training began with.
void print_learned(const TrainedModel& trained) {
  LearnedAssignment& learned = *trained.model->learned();
  const std::vector<LearnedCategory> features = learned_categories(trained.features, learned);
  const auto moved = std::ranges::count_if(
      features, [](const LearnedCategory& one) { return one.before != one.now; });
  fmt::print("learned categories\n  temperature {:.4g}; {} of {} features are in another category "
             "than at the start\n", learned.temperature(), moved, features.size());
  for (const LearnedCategory& one : features)
    if (one.before != one.now)
      fmt::print("  {}: {} -> {} (share {:.3f})\n", one.feature, one.before, one.now,
                 *std::ranges::max_element(one.shares));
  fmt::print("\n");
}

/// Categories, their features and the use of their codebooks.
void print_categories(const TrainedModel& trained) {
  const std::vector<int64_t> counts = trained.model->quantizer().usage().to_host();
  const auto& groups = trained.model->quantizer().table().groups();
  const size_t levels = groups.size() / trained.features.categories.size();
  const std::vector<int32_t> own = category_of_features(trained);
  size_t code = 0, q = 0;
  int32_t k = 0;
  fmt::print("categories\n");
  for (const ColumnCategory& category : trained.features.categories) {
    fmt::print("  {}\n", category.name);
    for (size_t l = 0; l < levels; ++l, ++q) {
      const auto size = static_cast<size_t>(groups[q].codebook_size);
      const CodeUse use = code_use(std::span(counts).subspan(code, size));
      fmt::print("    level {}: {} codes of width {}, {} used, perplexity {:.1f}\n", l, size,
                 groups[q].dim, use.used, use.perplexity);
      code += size;
    }
    for (size_t i = 0; i < own.size(); ++i)
      if (own[i] == k) fmt::print("    {}\n", trained.features.names[i]);
    ++k;
  }
  if (!trained.features.cleaning.removed.empty()) fmt::print("removed by cleaning\n");
  for (const RemovedFeature& feature : trained.features.cleaning.removed)
    fmt::print("  {}: {}\n", feature.name, feature.reason);
  fmt::print("\n");
}

}  // namespace

int run_inspect(const std::string& path) {
  const TrainedModel model = load_model(path, Device{});
  const SafetensorsFile file(model.path);
  fmt::print("{}\n", model.path);
  for (const char* key : {"tessera_version", "format", "created"})
    if (const auto found = file.metadata().find(key); found != file.metadata().end())
      fmt::print("  {:<16} {}\n", key, found->second);
  fmt::print("  {:<16} {}\n  {:<16} {} finished\n  {:<16} {}\n  {:<16} {:08x}\n\n", "step", model.step,
             "epochs", model.epoch, "normalization", model.normalizer.kind, "contents", model.crc);
  if (const FamilyEncoders* encoders = model.model->encoders())
    fmt::print("encoders\n{}\n\n", fmt::join(describe_encoders(*encoders), "\n"));
  if (!model.features.empty()) print_categories(model);
  if (model.model->learned()) print_learned(model);
  fmt::print("tensors\n");
  for (const std::string& name : file.names())
    fmt::print("  {:<34} {:<4} {}\n", name, to_string(file.info(name).dtype),
               shape_text(file.info(name).shape));
  const CodeUse use = code_use(model.model->quantizer().usage().to_host());
  fmt::print("\ncodes used in the epoch under way or, at its start, the last one\n"
             "  {}/{} = {:.1f}%, perplexity {:.1f}\n\nconfig\n", use.used, use.total,
             100 * use.utilization, use.perplexity);
  const std::string yaml = to_yaml(model.config);
  for (size_t begin = 0; begin < yaml.size();) {
    const size_t end = std::min(yaml.find('\n', begin), yaml.size());
    fmt::print("  {}\n", yaml.substr(begin, end - begin));
    begin = end + 1;
  }
  return 0;
}

}  // namespace tessera::tools
