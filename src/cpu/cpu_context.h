#pragma once

#include <algorithm>

#include "core/context_base.h"
#include "cpu/thread_pool.h"

namespace tessera {

/// The CPU: memory, and loops over the chunks of a job.
class CpuContext final : public Context {
 public:
  CpuContext();
  explicit CpuContext(int threads);

  /// Runs f(i) for i in [0, count) as one launch, any thread, any order.
  template <class F>
  void parallel_for(const char* name, int64_t count, F&& f) {
    enqueue(name, [&] { pool_.run(count, f); });
  }

  /// Runs f(begin, end) over [0, count) cut into pieces of `grain`, as one launch. Pieces depend on
  /// `count` and `grain` only, so per-piece results may be combined in order of begin / grain.
  template <class F>
  void parallel_ranges(const char* name, int64_t count, int64_t grain, F&& f) {
    enqueue(name, [&] {
      pool_.run((count + grain - 1) / grain,
                [&](int64_t i) { f(i * grain, std::min(count, (i + 1) * grain)); });
    });
  }

  /// The pool, for kernels that run several dependent loops inside one enqueue().
  ThreadPool& pool() { return pool_; }

 protected:
  void* do_allocate(size_t bytes) override;
  void do_free(void* data) noexcept override;
  void do_copy_from_host(void* to, const void* host, size_t bytes) override;
  void do_copy_to_host(void* host, const void* from, size_t bytes) override;
  void do_fill_bytes(void* data, int value, size_t bytes) override;
  void do_synchronize() override {}
  std::unique_ptr<CapturedStep::Replay> do_record(std::function<void()> body,
                                                  StepCounts plan) override;

 private:
  ThreadPool pool_;
};

}  // namespace tessera
