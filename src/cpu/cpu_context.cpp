#include "cpu/cpu_context.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <new>

#include "tessera/device.h"
#include "tessera/error.h"

namespace tessera {

CpuContext::CpuContext() : CpuContext(default_threads()) {}
CpuContext::CpuContext(int threads) : Context({DeviceType::Cpu, 0}), pool_(threads) {}

namespace {
// Rows of a wide matrix lie a page apart, and a step's memory has more pages of 4 KiB than a TLB has
// entries. Large blocks ask for pages of 2 MiB; a system that has none to give keeps to small ones.
constexpr size_t kSmallAlignment = 256, kLargePage = size_t{2} << 20;
}  // namespace

void* CpuContext::do_allocate(size_t bytes) {
  const size_t alignment = bytes >= 2 * kLargePage ? kLargePage : kSmallAlignment;
  const size_t rounded = (bytes + kSmallAlignment) / alignment * alignment + alignment;
  void* data = std::aligned_alloc(alignment, rounded);
  require(data != nullptr, ErrorKind::Memory, "cpu: ", bytes,
          " bytes were asked for and the machine has no such block; use a smaller batch");
  if (alignment == kLargePage) madvise(data, rounded, MADV_HUGEPAGE);
  return data;
}
void CpuContext::do_free(void* data) noexcept { std::free(data); }
void CpuContext::do_copy_from_host(void* to, const void* host, size_t bytes) {
  if (bytes > 0) std::memcpy(to, host, bytes);  // an empty vector's address may be null
}
void CpuContext::do_copy_to_host(void* host, const void* from, size_t bytes) {
  if (bytes > 0) std::memcpy(host, from, bytes);
}
void CpuContext::do_fill_bytes(void* data, int value, size_t bytes) {
  std::memset(data, value, bytes);
}

namespace {
class Rerun final : public CapturedStep::Replay {
 public:
  Rerun(Context& context, std::function<void()> body, StepCounts plan)
      : context_(context), body_(std::move(body)), plan_(plan) {}
  void run() override { check_repeats(plan_, context_.run(Context::Mode::Captured, body_)); }

 private:
  Context& context_;
  std::function<void()> body_;
  StepCounts plan_;
};
}  // namespace

std::unique_ptr<CapturedStep::Replay> CpuContext::do_record(std::function<void()> body,
                                                            StepCounts plan) {
  return std::make_unique<Rerun>(*this, std::move(body), plan);
}

}  // namespace tessera
