#include <bit>
#include <cstdio>
#include <string_view>

#include "cuda_runtime.h"
#include "scheduler.h"

namespace simt {
namespace {
std::string hex(unsigned mask) {
  char text[16];
  std::snprintf(text, sizeof text, "0x%08x", mask);
  return text;
}
const char* name(WarpOp op) {
  switch (op) {
    case WarpOp::Sync:
      return "__syncwarp";
    case WarpOp::Shfl:
      return "__shfl_sync";
    case WarpOp::ShflXor:
      return "__shfl_xor_sync";
    case WarpOp::ShflDown:
      return "__shfl_down_sync";
    case WarpOp::Ballot:
      return "__ballot_sync";
  }
  return "";
}
std::string describe(const Collective& group) {
  return std::string(name(group.op)) + " at " + to_string(group.site) + " with mask " +
         hex(group.mask);
}
}  // namespace

bool same(const Site& a, const Site& b) {
  if (a.line() != b.line() || a.column() != b.column()) return false;
  // By hand: this is called for every lane, and ThreadSanitizer follows strcmp.
  const char *left = a.file_name(), *right = b.file_name();
  if (left == right) return true;
  while (*left != 0 && *left == *right) ++left, ++right;
  return *left == *right;
}

std::string to_string(const Site& site) {
  std::string_view file = site.file_name();
  if (const size_t slash = file.rfind('/'); slash != file.npos) file.remove_prefix(slash + 1);
  return std::string(file) + ":" + std::to_string(site.line()) + ":" +
         std::to_string(site.column());
}

void Scheduler::fail(const std::string& message) const {
  throw Error("simt: " + message + " [block " + std::to_string(blockIdx.x) + " thread " +
              std::to_string(running_) + ", warp " + std::to_string(running_ / kWarpSize) +
              " lane " + std::to_string(running_ % kWarpSize) + "]");
}

/// Why no thread of the block can run although some have not finished.
std::string Scheduler::deadlock() const {
  const std::string where = " [block " + std::to_string(blockIdx.x) + "]";
  for (size_t w = 0; w < warps_.size(); ++w) {
    const Warp& warp = warps_[w];
    if (warp.num_open == 0) continue;
    const Collective& group = warp.open[0];
    const unsigned missing = group.mask & ~group.arrived;
    const int lane = std::countr_zero(missing);
    std::string reason = "has returned";
    for (const Collective& other : warp.collectives())
      if (other.arrived & (1u << lane)) reason = "waits in " + describe(other);
    if (warp.at_barrier & (1u << lane))
      reason = "waits at __syncthreads, " + to_string(barrier_site_);
    return "simt: " + describe(group) + " waits for lanes " + hex(missing) + " of warp " +
           std::to_string(w) + "; lane " + std::to_string(lane) + " " + reason + where;
  }
  return "simt: " + std::to_string(waiting_) + " of " + std::to_string(shape_.threads) +
         " threads wait at __syncthreads, " + to_string(barrier_site_) + "; the others returned" +
         where;
}

uint64_t Scheduler::warp_collective(WarpOp op, unsigned mask, uint64_t value, int argument,
                                    const Site& site) {
  Warp& warp = running_warp();
  const int lane = running_ % kWarpSize;
  const Collective mine{op, mask, 0, site};
  if ((mask & running_bit()) == 0) fail(describe(mine) + " is called by a lane outside the mask");
  warp.value[lane] = value;
  warp.argument[lane] = argument;
  int i = 0;
  while (i < warp.num_open &&
         !(warp.open[i].op == op && warp.open[i].mask == mask && same(warp.open[i].site, site)))
    ++i;
  if (i == warp.num_open) {
    for (const Collective& other : warp.collectives())
      if (other.arrived & mask) fail(describe(mine) + ": a lane of it waits in " + describe(other));
    warp.open[warp.num_open++] = mine;
  }
  warp.open[i].arrived |= running_bit();
  if (warp.open[i].arrived == mask) {
    const Collective group = warp.open[i];
    warp.open[i] = warp.open[--warp.num_open];
    perform(warp, group);
    if (op == WarpOp::Sync) races_.join_lanes(running_ / kWarpSize, mask);
    warp.ready |= mask;
  }
  leave();
  return warp.value[lane];
}

/// Replaces the values of the lanes in the mask by their results.
void Scheduler::perform(Warp& warp, const Collective& group) {
  uint64_t result[kWarpSize] = {};
  unsigned ballot = 0;
  for (int lane = 0; lane < kWarpSize; ++lane)
    if ((group.mask >> lane & 1) && warp.value[lane] != 0) ballot |= 1u << lane;
  for (int lane = 0; lane < kWarpSize; ++lane) {
    if ((group.mask >> lane & 1) == 0) continue;
    int from = lane;
    if (group.op == WarpOp::Shfl) from = warp.argument[lane] & (kWarpSize - 1);
    if (group.op == WarpOp::ShflXor) from = lane ^ warp.argument[lane];
    if (group.op == WarpOp::ShflDown) from = lane + warp.argument[lane];
    if (from < 0 || from >= kWarpSize) from = lane;
    if ((group.mask >> from & 1) == 0)
      fail(describe(group) + ": lane " + std::to_string(lane) + " reads lane " +
           std::to_string(from) + ", which is not in the mask");
    result[lane] = group.op == WarpOp::Ballot ? ballot : warp.value[from];
  }
  for (int lane = 0; lane < kWarpSize; ++lane)
    if (group.mask >> lane & 1) warp.value[lane] = result[lane];
}

}  // namespace simt
