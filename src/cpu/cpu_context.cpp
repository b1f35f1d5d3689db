#include "cpu/cpu_context.h"

#include <cstdlib>
#include <cstring>
#include <new>

#include "tessera/device.h"
#include "tessera/error.h"

namespace tessera {

CpuContext::CpuContext() : CpuContext(default_threads()) {}
CpuContext::CpuContext(int threads) : Context({DeviceType::Cpu, 0}), pool_(threads) {}

void* CpuContext::do_allocate(size_t bytes) {
  void* data = std::aligned_alloc(256, (bytes + 255) / 256 * 256 + 256);
  require(data != nullptr, ErrorKind::Memory, "cpu: ", bytes,
          " bytes were asked for and the machine has no such block; use a smaller batch");
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
