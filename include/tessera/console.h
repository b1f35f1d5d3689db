#pragma once

#include <string>
#include <string_view>

namespace tessera {

/// Silent: not even warnings, of a run inside another that says what there is to say.
enum class Verbosity { Silent, Quiet, Normal, Verbose };

/// What a person sees while a command works: permanent lines on standard output and, where standard
/// error is a terminal, one live line below them. Honours NO_COLOR.
class Console {
 public:
  explicit Console(Verbosity verbosity = Verbosity::Normal);
  ~Console() { clear_live(); }

  bool is_terminal() const { return terminal_; }
  Verbosity verbosity() const { return verbosity_; }

  void line(std::string_view text);     ///< not when quiet
  void detail(std::string_view text);   ///< only when verbose
  void warning(std::string_view text);  ///< on standard error, unless silent
  /// Shows `text` as the live line, at most ten times a second. Nothing unless on a terminal;
  /// elsewhere the same text appears as a plain line every `plain_seconds` (0: never).
  void live(std::string_view text, double plain_seconds = 0);
  void clear_live();

 private:
  bool is_quiet() const { return verbosity_ < Verbosity::Normal; }

  Verbosity verbosity_;
  bool terminal_, color_;
  bool shown_ = false;
  double last_ = 0, last_plain_ = 0;
};

/// "1h 02m 03s", "2m 05s", "7s".
std::string duration_text(double seconds);
/// Seconds on a clock that only moves forward.
double now_seconds();

}  // namespace tessera
