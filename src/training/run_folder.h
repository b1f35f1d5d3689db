#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "tessera/config.h"
#include "tessera/error.h"

namespace tessera {

/// The files of one run (decisions D3).
class RunFolder {
 public:
  /// Makes the folder and holds it: no second training writes to it meanwhile. Throws Error (Data)
  /// where either fails.
  explicit RunFolder(const std::string& path);
  ~RunFolder();
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const;
  bool holds_a_run() const;  ///< a checkpoint or metrics lie in it
  void clear();              ///< removes what an earlier run left

  void write_config(const Config& config) const;
  /// Appends one line to metrics.jsonl and keeps it for history.json.
  void append_metrics(const nlohmann::ordered_json& line);
  /// Forgets what a resumed run makes again: metrics beyond `epoch` and step checkpoints beyond
  /// `step`; and files that a killed process left half written.
  void forget_after(uint64_t epoch, uint64_t step);
  /// history.json: {"<metric>": [value of each epoch, ...]}.
  void write_history() const;
  /// Keeps the newest `keep` step_<n>.safetensors.
  void prune_step_checkpoints(int keep) const;
  std::string step_checkpoint(uint64_t step) const;

 private:
  void keep_metrics_until(uint64_t epoch);
  void remove_unfinished() const;  // checkpoints that a killed process was writing
  std::vector<std::filesystem::path> entries() const;

  std::string path_;
  int lock_ = -1;  // the folder, opened; the system frees it however the process ends
  std::vector<std::string> lines_;
};

}  // namespace tessera
