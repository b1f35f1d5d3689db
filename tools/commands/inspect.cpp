#include <fmt/format.h>

#include "commands/commands.h"
#include "tessera/checkpoint.h"
#include "tessera/files.h"
#include "tessera/metrics.h"

namespace tessera::tools {
namespace {

/// Categories, their features and the use of their codebooks.
void print_categories(const TrainedModel& trained) {
  const std::vector<int64_t> counts = trained.model->quantizer().usage().to_host();
  const auto& groups = trained.model->quantizer().table().groups();
  const size_t levels = groups.size() / trained.features.categories.size();
  size_t name = 0, code = 0, q = 0;
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
    for (int64_t i = 0; i < category.features; ++i, ++name)
      fmt::print("    {}\n", trained.features.names[name]);
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
  if (!model.features.empty()) print_categories(model);
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
