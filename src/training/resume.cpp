#include "training/resume.h"

#include <algorithm>
#include <filesystem>

#include "tessera/checkpoint.h"
#include "training/category_pruning.h"

namespace tessera {
namespace {
namespace fs = std::filesystem;

/// The newest whole checkpoint of `folder`; nothing where there is none at all.
std::optional<std::string> newest_whole(const std::string& folder, Console& console) {
  std::vector<std::string> skipped;
  const std::optional<std::string> newest = newest_checkpoint(folder, skipped);
  for (const std::string& why : skipped) console.warning("skipped a checkpoint: " + why);
  require(newest || skipped.empty(), ErrorKind::Data, folder,
          ": none of its checkpoints is whole; start anew with --overwrite, or choose another "
          "folder with --output");
  return newest;
}

}  // namespace

std::optional<std::string> checkpoint_to_resume(const TrainOptions& options,
                                                const RunFolder& folder, Console& console) {
  if (options.resume == "auto") {
    const std::optional<std::string> newest = newest_whole(folder.path(), console);
    if (!newest) console.line("No checkpoint in " + folder.path() + "; starting anew");
    return newest;
  }
  const bool occupied = folder.holds_a_run();
  if (options.resume.empty()) {
    require(options.overwrite || !occupied, ErrorKind::Usage, folder.path(),
            ": already holds a run; go on with --resume auto, start anew with --overwrite, or "
            "choose another folder with --output");
    return {};
  }
  std::error_code error;
  const bool is_folder = fs::is_directory(options.resume, error);
  const std::string file = is_folder
                               ? newest_whole(options.resume, console).value_or(options.resume)
                               : options.resume;
  const std::string checkpoint = checkpoint_file(file);  // refuses what is not there
  const fs::path home = fs::absolute(checkpoint).parent_path();
  require(!occupied || fs::equivalent(home, folder.path(), error), ErrorKind::Usage, folder.path(),
          ": already holds another run than ", checkpoint,
          "; choose another folder with --output");
  return checkpoint;
}

void take_categories(const std::string& checkpoint, ModelFeatures& features, ModelConfig& model) {
  const CheckpointDescription saved = describe_checkpoint(checkpoint);
  if (features.assignment.empty() || saved.features.names != features.names ||
      saved.features.categories.size() >= features.categories.size() ||
      saved.features.categories.size() != saved.config.model.levels.size())
    return;
  std::vector<int32_t> kept;
  for (size_t k = 0; k < features.categories.size() && kept.size() < saved.features.categories.size();
       ++k)
    if (features.categories[k].name == saved.features.categories[kept.size()].name &&
        model.levels[k] == saved.config.model.levels[kept.size()])
      kept.push_back(static_cast<int32_t>(k));
  if (kept.size() != saved.features.categories.size()) return;
  int32_t begin = 0;
  for (const auto& [columns, count] : features.assignment) {
    const auto end = begin + static_cast<int32_t>(count);
    if (std::ranges::none_of(kept, [=](int32_t k) { return k >= begin && k < end; })) return;
    begin = end;
  }
  keep_categories(kept, features, model);
}

}  // namespace tessera
