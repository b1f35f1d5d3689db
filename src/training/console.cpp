#include "tessera/console.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>

#include <fmt/format.h>

namespace tessera {
namespace {
constexpr double kLiveInterval = 0.1;  // seconds
constexpr const char* kEraseLine = "\r\033[K";

int terminal_width() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}
}  // namespace

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::string duration_text(double seconds) {
  const auto whole = static_cast<int64_t>(seconds + 0.5);
  if (whole >= 3600)
    return fmt::format("{}h {:02}m {:02}s", whole / 3600, whole / 60 % 60, whole % 60);
  if (whole >= 60) return fmt::format("{}m {:02}s", whole / 60, whole % 60);
  return fmt::format("{}s", whole);
}

Console::Console(Verbosity verbosity)
    : verbosity_(verbosity), terminal_(isatty(STDERR_FILENO) == 1) {
  // Without colour nothing but text, spaces and carriage returns is sent: "dumb" knows no escapes.
  const char *no_color = std::getenv("NO_COLOR"), *kind = std::getenv("TERM");
  color_ = terminal_ && (no_color == nullptr || *no_color == '\0') &&
           (kind == nullptr || std::string_view(kind) != "dumb");
  last_plain_ = now_seconds();
}

void Console::line(std::string_view text) {
  if (is_quiet()) return;
  clear_live();
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fputc('\n', stdout);
  std::fflush(stdout);
}

void Console::detail(std::string_view text) {
  if (verbosity_ == Verbosity::Verbose) line(text);
}

void Console::warning(std::string_view text) {
  if (verbosity_ == Verbosity::Silent) return;
  clear_live();
  fmt::print(stderr, "{}warning:{} {}\n", color_ ? "\033[33m" : "", color_ ? "\033[0m" : "", text);
}

void Console::live(std::string_view text, double plain_seconds) {
  if (is_quiet()) return;
  const double now = now_seconds();
  if (!terminal_) {
    if (plain_seconds <= 0 || now - last_plain_ < plain_seconds) return;
    last_plain_ = now;
    line(text);
    return;
  }
  if (now - last_ < kLiveInterval) return;
  last_ = now;
  const auto width = static_cast<size_t>(terminal_width() - 1);
  const std::string_view shown = text.substr(0, width);
  if (color_)
    fmt::print(stderr, "{}\033[36m{}\033[0m", kEraseLine, shown);
  else
    fmt::print(stderr, "\r{:<{}}", shown, width);
  std::fflush(stderr);
  shown_ = true;
}

void Console::clear_live() {
  if (!shown_) return;
  if (color_)
    std::fputs(kEraseLine, stderr);
  else
    fmt::print(stderr, "\r{:<{}}\r", "", terminal_width() - 1);
  std::fflush(stderr);
  shown_ = false;
}

}  // namespace tessera
