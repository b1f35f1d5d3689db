#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "report/event_file.h"
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
  /// Appends one line to metrics.jsonl, keeps it for history.json, and writes its numbers as an event
  /// at line["step"]: train_x as train/x, validation_x as validation/x.
  void append_metrics(const nlohmann::ordered_json& line);
  /// Forgets what a resumed run makes again: metrics beyond `epoch`, events and step checkpoints
  /// beyond `step`; and files that a killed process left half written.
  void forget_after(uint64_t epoch, uint64_t step);
  /// history.json: {"<metric>": [value of each epoch, ...]} and beside it
  ///   train_loss, val_loss  totals of each epoch; one without a validation repeats the last value
  ///   metrics               the line of each epoch
  ///   final_metrics         what the last line has measured
  void write_history() const;
  /// Keeps the newest `keep` step_<n>.safetensors.
  void prune_step_checkpoints(int64_t keep) const;
  std::string step_checkpoint(uint64_t step) const;

 private:
  void keep_metrics_until(uint64_t epoch);
  void remove_unfinished() const;  // checkpoints that a killed process was writing
  std::vector<std::filesystem::path> entries() const;

  std::string path_;
  int lock_ = -1;  // the folder, opened; the system frees it however the process ends
  std::vector<std::string> lines_;
  std::unique_ptr<EventFile> events_;  // once there is an event
};

}  // namespace tessera
