// A fixed set of threads that share loops.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace lathe {

class ThreadPool {
 public:
  // `threads` in all, the caller of ParallelFor included; 0: as many as the machine has.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int num_threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls body(i, thread) for every i in [0, count), thread in [0, num_threads()), and returns when
  // all calls have. Which thread takes which i is not fixed, so a result must not depend on it. Not
  // reentrant. An exception of a body is thrown again when all calls are done.
  void ParallelFor(size_t count, const std::function<void(size_t i, int thread)>& body);

 private:
  void Work(int thread);
  void TakeItems(int thread);

  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable start_;
  std::condition_variable done_;
  const std::function<void(size_t, int)>* body_ = nullptr;
  size_t count_ = 0;
  size_t next_ = 0;
  size_t busy_ = 0;
  size_t round_ = 0;
  bool stop_ = false;
};

}  // namespace lathe
