#include "cpu/thread_pool.h"

#include <exception>

namespace tessera {
namespace {
thread_local bool inside_job = false;

// Steps launch a job every few microseconds; waking a sleeping thread costs as much as many of
// them. So waiters look for this many rounds before they sleep.
constexpr int kSpins = 4000;

template <class T>
void wait_while(const std::atomic<T>& value, T old) {
  for (int spin = 0; spin < kSpins; ++spin) {
    if (value.load(std::memory_order_acquire) != old) return;
    __builtin_ia32_pause();
  }
  while (value.load(std::memory_order_acquire) == old) value.wait(old, std::memory_order_acquire);
}

void run_here(int64_t chunks, const std::function<void(int64_t)>& f) {
  std::exception_ptr error;
  for (int64_t i = 0; i < chunks; ++i) {
    try {
      f(i);
    } catch (...) {
      if (!error) error = std::current_exception();
    }
  }
  if (error) std::rethrow_exception(error);
}
}  // namespace

struct ThreadPool::Job {
  const std::function<void(int64_t)>& f;
  const int64_t chunks;
  std::atomic<int64_t> next = 0;
  std::atomic<bool> failed = false;
  std::exception_ptr error;

  void take() {
    inside_job = true;
    for (int64_t i = next.fetch_add(1); i < chunks; i = next.fetch_add(1)) {
      try {
        f(i);
      } catch (...) {
        if (!failed.exchange(true)) error = std::current_exception();
      }
    }
    inside_job = false;
  }
};

void ThreadPool::resize(int threads) {
  if (threads == static_cast<int>(workers_.size()) + 1) return;
  stop();
  stopping_ = false;
  const int64_t seen = round_.load();
  for (int i = 1; i < threads; ++i) workers_.emplace_back([this, seen] { work(seen); });
}

void ThreadPool::stop() {
  stopping_ = true;
  round_.fetch_add(1, std::memory_order_release);
  round_.notify_all();
  workers_.clear();
}

void ThreadPool::work(int64_t seen) {
  while (true) {
    wait_while(round_, seen);
    seen = round_.load(std::memory_order_acquire);
    if (stopping_.load()) return;  // after `seen`: a stop later than this look changes the round
    // Announce before looking: run() withdraws the job, then waits until nobody is inside.
    inside_.fetch_add(1);
    if (Job* job = job_.load()) job->take();
    inside_.fetch_sub(1);
    inside_.notify_all();
  }
}

void ThreadPool::run(int64_t chunks, const std::function<void(int64_t)>& f) {
  if (chunks <= 0) return;
  if (inside_job || chunks == 1 || workers_.empty()) return run_here(chunks, f);
  std::scoped_lock lock(one_job_);
  Job job{.f = f, .chunks = chunks, .error = nullptr};
  job_.store(&job);
  round_.fetch_add(1, std::memory_order_release);
  round_.notify_all();
  job.take();
  job_.store(nullptr);
  for (int inside = inside_.load(); inside != 0; inside = inside_.load())
    wait_while(inside_, inside);
  if (job.error) std::rethrow_exception(job.error);
}

}  // namespace tessera
