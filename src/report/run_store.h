#pragma once

#include <vector>

#include "report/line_store.h"
#include "tessera/experiment.h"

namespace tessera {

/// Finished runs of one experiment of the lab.
class RunStore {
 public:
  /// As LineStore.
  RunStore(const std::string& folder, const LabExperiment& experiment, bool fresh);

  const std::vector<LabRun>& found() const { return found_; }
  const LineStore& lines() const { return lines_; }
  void append(const LabRun& run);

 private:
  std::vector<LabRun> found_;
  LineStore lines_;
};

}  // namespace tessera
