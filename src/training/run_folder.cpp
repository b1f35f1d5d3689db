#include "training/run_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
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

/// Whether FileWriter made this name for a checkpoint or an event file.
bool is_unfinished(const std::string& name) {
  const size_t at = name.rfind(".tmp.");
  if (at == std::string::npos) return false;
  const std::string target = name.substr(0, at);
  return name.find_first_not_of("0123456789", at + 5) == std::string::npos &&
         (target.ends_with(".safetensors") || is_event_file(target));
}

/// The numbers of a metrics line under the names of their charts.
std::vector<Scalar> scalars_of(const nlohmann::ordered_json& line) {
  std::vector<Scalar> scalars;
  for (const auto& [key, value] : line.items()) {
    if (!value.is_number() || key == "epoch" || key == "step") continue;
    std::string tag = key;
    for (const std::string group : {"train_", "validation_"})
      if (tag.starts_with(group)) tag[group.size() - 1] = '/';
    scalars.emplace_back(tag, value.get<double>());
  }
  return scalars;
}
}  // namespace

RunFolder::RunFolder(const std::string& path) : path_(path) {
  std::error_code error;
  fs::create_directories(path, error);
  require(!error && fs::is_directory(path), ErrorKind::Data, path,
          ": the run folder cannot be made (", error ? error.message() : "a file is in the way",
          "); choose another with --output");
  lock_ = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  // File systems without locks (some network ones) say something else than EWOULDBLOCK.
  const bool taken = lock_ >= 0 && ::flock(lock_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  if (taken) ::close(lock_);
  require(!taken, ErrorKind::Data, path,
          ": another training is writing to this run folder; wait for its end, or choose another "
          "with --output");
}

RunFolder::~RunFolder() {
  if (lock_ >= 0) ::close(lock_);
}

std::string RunFolder::file(const std::string& name) const { return (fs::path(path_) / name).string(); }

bool RunFolder::holds_a_run() const {
  const std::vector<fs::path> all = entries();
  return std::any_of(all.begin(), all.end(), [](const fs::path& entry) {
    const std::string name = entry.filename().string();
    return name == kMetrics || name == "last.safetensors" || step_in_name(name) > 0;
  });
}

void RunFolder::clear() {
  std::error_code error;
  for (const fs::path& entry : entries())
    if (is_event_file(entry.filename().string())) fs::remove(entry, error);
  for (const char* name : {kMetrics, "history.json", "last.safetensors", "best.safetensors"})
    fs::remove(file(name), error);
  prune_step_checkpoints(0);
  remove_unfinished();
}

void RunFolder::forget_after(uint64_t epoch, uint64_t step) {
  keep_metrics_until(epoch);
  remove_unfinished();
  std::error_code error;
  for (const fs::path& entry : entries()) {
    const std::string name = entry.filename().string();
    if (step_in_name(name) > step) fs::remove(entry, error);
    if (is_event_file(name)) keep_events_until(entry.string(), step);
  }
}

void RunFolder::remove_unfinished() const {
  std::error_code error;
  for (const fs::path& entry : entries())
    if (is_unfinished(entry.filename().string())) fs::remove(entry, error);
}

// Listed first: what is removed while a folder is read may hide what comes after it.
std::vector<fs::path> RunFolder::entries() const {
  std::vector<fs::path> all;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(path_, error))
    all.push_back(entry.path());
  return all;
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
  if (events_ == nullptr) events_ = std::make_unique<EventFile>(path_);
  events_->add(line.at("step").get<uint64_t>(), scalars_of(line));
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
  using nlohmann::ordered_json;
  ordered_json history, train = ordered_json::array(), validation = train, lines = train;
  ordered_json last_validation, final_metrics = ordered_json::object();
  for (const std::string& text : lines_) {
    const auto line = ordered_json::parse(text);
    for (const auto& [key, value] : line.items()) history[key].push_back(value);
    const ordered_json found = line.value("validation_total", ordered_json());
    if (!found.is_null()) last_validation = found;
    train.push_back(line.value("train_total", ordered_json()));
    validation.push_back(last_validation);
    lines.push_back(line);
  }
  if (!lines.empty())
    for (const auto& [key, value] : lines.back().items())
      if (value.is_number()) final_metrics[key] = value;
  history["train_loss"] = std::move(train);
  history["val_loss"] = std::move(validation);
  history["metrics"] = std::move(lines);
  history["final_metrics"] = std::move(final_metrics);
  write_file(file("history.json"), history.dump(1) + "\n");
}

void RunFolder::prune_step_checkpoints(int64_t keep) const {
  std::vector<std::pair<uint64_t, fs::path>> found;
  for (const fs::path& entry : entries())
    if (const uint64_t step = step_in_name(entry.filename().string()); step > 0)
      found.emplace_back(step, entry);
  std::error_code error;
  std::sort(found.rbegin(), found.rend());
  for (size_t i = static_cast<size_t>(keep); i < found.size(); ++i) fs::remove(found[i].second, error);
}

std::string RunFolder::step_checkpoint(uint64_t step) const {
  return file("step_" + std::to_string(step) + ".safetensors");
}

}  // namespace tessera
