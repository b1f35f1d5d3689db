#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <queue>
#include <thread>
#include <vector>

#include "tessera/device.h"
#include "training/interrupt.h"

namespace tessera {

/// Threads that take jobs one by one; the caller receives what they came to.
template <class Result>
class Workers {
 public:
  /// Jobs 0 to `jobs` - 1 are what `run` makes of these numbers, on the CPU side by side on the threads
  /// in use.
  Workers(size_t jobs, Device device, std::function<Result(size_t)> run)
      : jobs_(jobs), run_(std::move(run)) {
    const bool side_by_side = device.type == DeviceType::Cpu && jobs > 1;
    const int64_t count =
        side_by_side ? std::min<int64_t>(threads(), static_cast<int64_t>(jobs)) : 1;
    running_ = static_cast<int>(count);
    for (int64_t i = 0; i < count; ++i)
      threads_.emplace_back([this, side_by_side] { work(side_by_side); });
  }
  ~Workers() { stop(); }

  /// No job is begun any more; those under way end.
  void stop() { next_ = jobs_; }

  /// Waits for a result; nothing after the last, or after `seconds`. Throws what a job threw.
  std::optional<Result> next(double seconds) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::duration<double>(seconds),
                      [&] { return !done_.empty() || error_ || running_ == 0; });
    if (error_) std::rethrow_exception(error_);
    if (done_.empty()) return std::nullopt;
    Result result = std::move(done_.front());
    done_.pop();
    return result;
  }
  bool is_over() {
    const std::scoped_lock lock(mutex_);
    return running_ == 0 && done_.empty() && !error_;
  }

 private:
  void work(bool own_context) {
    try {
      std::optional<PrivateCpu> own;
      if (own_context) own.emplace();
      for (size_t i = next_.fetch_add(1); i < jobs_; i = next_.fetch_add(1)) {
        Result result = run_(i);
        const std::scoped_lock lock(mutex_);
        done_.push(std::move(result));
        changed_.notify_all();
      }
    } catch (...) {
      stop();
      const std::scoped_lock lock(mutex_);
      if (!error_) error_ = std::current_exception();
    }
    const std::scoped_lock lock(mutex_);
    --running_;
    changed_.notify_all();
  }

  size_t jobs_;
  std::function<Result(size_t)> run_;
  std::atomic<size_t> next_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::queue<Result> done_;
  std::exception_ptr error_;
  int running_ = 0;
  std::vector<std::jthread> threads_;  // last: they end before what they use
};

/// Runs the jobs and gives what each came to, in the order of their ends, to `take`, which the calling
/// thread runs. Returns whether a signal asked to end.
template <class Result>
bool run_jobs(size_t jobs, Device device, std::function<Result(size_t)> run,
              const std::function<void(Result)>& take) {
  if (jobs == 0) return false;
  const InterruptGuard interrupt;
  Workers<Result> workers(jobs, device, std::move(run));
  bool interrupted = false;
  while (!workers.is_over()) {
    if (interrupt.requested() && !interrupted) {
      interrupted = true;
      workers.stop();
    }
    if (std::optional<Result> result = workers.next(0.1)) take(std::move(*result));
  }
  return interrupted;
}

}  // namespace tessera
