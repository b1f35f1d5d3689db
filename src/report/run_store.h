#pragma once

#include <cstdio>
#include <memory>
#include <optional>

#include "tessera/experiment.h"

namespace tessera {

/// Finished runs of one experiment in a file, a line each, written when they come. The first line
/// says of what settings they are.
class RunStore {
 public:
  /// Opens <folder>/runs.jsonl, made where it is missing. Keeps its runs where they are of the same
  /// experiment and `fresh` is false; a line cut off by a crash is dropped.
  /// Throws Error (Data) where folder or file cannot be written.
  RunStore(const std::string& folder, const LabExperiment& experiment, bool fresh);

  const std::vector<LabRun>& found() const { return found_; }
  /// The file held runs of other settings, which are gone now.
  bool replaced_others() const { return replaced_; }
  void append(const LabRun& run);

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };

  std::string path_;
  std::vector<LabRun> found_;
  bool replaced_ = false;
  std::unique_ptr<std::FILE, Close> file_;
};

}  // namespace tessera
