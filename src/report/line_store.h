#pragma once

#include <cstdio>
#include <functional>
#include <memory>
#include <string>

namespace tessera {

/// What an experiment has finished, in a file, a line each, written when it comes. The first line says
/// of what settings they are.
class LineStore {
 public:
  /// Opens <folder>/runs.jsonl, made where it is missing. Keeps its lines where the first one is
  /// `header` and `fresh` is false, up to the first that `take` refuses: a crash may cut off the last.
  /// Throws Error (Data) where folder or file cannot be written.
  LineStore(const std::string& folder, const std::string& header, bool fresh,
            const std::function<bool(const std::string& line)>& take);

  /// The file held lines of other settings, which are gone now.
  bool replaced_others() const { return replaced_; }
  void append(const std::string& line);

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };

  std::string path_;
  bool replaced_ = false;
  std::unique_ptr<std::FILE, Close> file_;
};

class Console;
/// Says what was found in the folder: whether runs of other settings are gone, how many runs are used.
void say_found(const LineStore& store, size_t used, Console& console);

}  // namespace tessera
