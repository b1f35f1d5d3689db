#include "training/run_folder.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include <nlohmann/json.hpp>

#include "tessera/files/file_writer.h"

namespace tessera {
namespace {
namespace fs = std::filesystem;

constexpr const char* kMetrics = "metrics.jsonl";

/// The number in step_<n>.safetensors, or 0.
uint64_t step_in_name(const std::string& name) {
  if (!name.starts_with("step_") || !name.ends_with(".safetensors")) return 0;
  uint64_t step = 0;
  std::from_chars(name.data() + 5, name.data() + name.size(), step);
  return step;
}
}  // namespace

RunFolder::RunFolder(const std::string& path) : path_(path) {
  std::error_code error;
  fs::create_directories(path, error);
  require(!error && fs::is_directory(path), ErrorKind::Data, path,
          ": the run folder cannot be made (", error ? error.message() : "a file is in the way",
          "); choose another with --output");
}

std::string RunFolder::file(const std::string& name) const { return (fs::path(path_) / name).string(); }

bool RunFolder::holds_a_run() const {
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(path_, error)) {
    const std::string name = entry.path().filename().string();
    if (name == kMetrics || name == "last.safetensors" || step_in_name(name) > 0) return true;
  }
  return false;
}

void RunFolder::clear() {
  std::error_code error;
  for (const char* name : {kMetrics, "history.json", "last.safetensors", "best.safetensors"})
    fs::remove(file(name), error);
  prune_step_checkpoints(0);
}

void RunFolder::forget_after(uint64_t epoch, uint64_t step) {
  keep_metrics_until(epoch);
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(path_, error)) {
    const std::string name = entry.path().filename().string();
    const bool unfinished = name.find(".safetensors.tmp.") != std::string::npos;
    if (unfinished || step_in_name(name) > step) fs::remove(entry.path(), error);
  }
}

void RunFolder::write_config(const Config& config) const {
  write_file(file("config.resolved.yaml"), to_yaml(config));
}

void RunFolder::append_metrics(const nlohmann::ordered_json& line) {
  lines_.push_back(line.dump());
  const std::string path = file(kMetrics);
  std::FILE* out = std::fopen(path.c_str(), "a");
  const std::string text = lines_.back() + "\n";
  const bool written = out != nullptr && std::fwrite(text.data(), 1, text.size(), out) == text.size();
  const bool closed = out != nullptr && std::fclose(out) == 0;
  require(written && closed, ErrorKind::Data, path,
          ": a line could not be written; free disk space, then use --resume auto");
}

void RunFolder::keep_metrics_until(uint64_t epoch) {
  lines_.clear();
  std::ifstream in(file(kMetrics));
  std::string all;
  for (std::string line; std::getline(in, line);) {
    const auto json = nlohmann::json::parse(line, nullptr, false);
    if (!json.is_object() || json.value("epoch", uint64_t{0}) > epoch) continue;
    lines_.push_back(line);
    all += line + "\n";
  }
  write_file(file(kMetrics), all);
}

void RunFolder::write_history() const {
  nlohmann::ordered_json history;
  for (const std::string& text : lines_) {
    const auto line = nlohmann::ordered_json::parse(text);
    for (const auto& [key, value] : line.items()) history[key].push_back(value);
  }
  write_file(file("history.json"), history.dump(1) + "\n");
}

void RunFolder::prune_step_checkpoints(int keep) const {
  std::vector<std::pair<uint64_t, fs::path>> found;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(path_, error))
    if (const uint64_t step = step_in_name(entry.path().filename().string()); step > 0)
      found.emplace_back(step, entry.path());
  std::sort(found.rbegin(), found.rend());
  for (size_t i = static_cast<size_t>(keep); i < found.size(); ++i) fs::remove(found[i].second, error);
}

std::string RunFolder::step_checkpoint(uint64_t step) const {
  return file("step_" + std::to_string(step) + ".safetensors");
}

}  // namespace tessera
