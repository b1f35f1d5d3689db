#include <charconv>
#include <cstdlib>
#include <optional>

#include "scheduler.h"

namespace simt {
namespace {
std::optional<Schedule>& chosen() {
  static std::optional<Schedule> schedule;
  return schedule;
}
}  // namespace

Schedule parse_schedule(std::string_view text) {
  using Order = Schedule::Order;
  if (text == "inorder") return {Order::InOrder};
  if (text == "reverse") return {Order::Reverse};
  if (text == "warp") return {Order::Warp};
  constexpr std::string_view kPriority = "priority:";
  if (text.starts_with(kPriority)) {
    Schedule schedule{Order::Priority};
    const char* end = text.data() + text.size();
    const auto [stop, status] = std::from_chars(text.data() + kPriority.size(), end, schedule.seed);
    if (status == std::errc() && stop == end) return schedule;
  }
  throw Error("simt: schedule " + std::string(text) +
              " is not known; use inorder, reverse, warp or priority:<seed>");
}

void set_schedule(Schedule schedule) { chosen() = schedule; }

Schedule schedule() {
  if (!chosen()) {
    const char* text = std::getenv("TESSERA_SIMT_SCHEDULE");
    chosen() = text != nullptr ? parse_schedule(text) : Schedule{};
  }
  return *chosen();
}

void run(const LaunchShape& shape, const std::function<void()>& thread) {
  Scheduler::instance().run(shape, thread, schedule());
}
void sync_threads(const Site& site) { Scheduler::instance().sync_threads(site); }
uint64_t warp_collective(WarpOp op, unsigned mask, uint64_t value, int argument, const Site& site) {
  return Scheduler::instance().warp_collective(op, mask, value, argument, site);
}
void fence() { Scheduler::instance().fence(); }
bool before_atomic() { return Scheduler::instance().before_atomic(); }

}  // namespace simt
