#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace tessera {

/// Threads that share the chunks of one job at a time; the caller works too.
/// Which thread runs which chunk is not fixed, so a job's result must not depend on it.
class ThreadPool {
 public:
  explicit ThreadPool(int threads) { resize(threads); }
  ~ThreadPool() { stop(); }
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }
  void resize(int threads);

  /// Calls f(chunk) once for every chunk in [0, chunks) and returns when all are done.
  /// The first exception is thrown again here; the other chunks still run. A call from inside a
  /// chunk runs its chunks on the calling thread.
  void run(int64_t chunks, const std::function<void(int64_t)>& f);

 private:
  struct Job;
  void work(int64_t seen);
  void stop();

  std::vector<std::jthread> workers_;
  std::mutex one_job_;
  std::atomic<int64_t> round_ = 0;  // counts jobs; workers wait for it to change
  std::atomic<Job*> job_ = nullptr;
  std::atomic<int> inside_ = 0;  // workers that may still touch the job
  std::atomic<bool> stopping_ = false;
};

}  // namespace tessera
