#include "lathe/support/thread_pool.h"

#include <algorithm>
#include <exception>

namespace lathe {

ThreadPool::ThreadPool(int threads) {
  const int wanted =
      threads > 0 ? threads : static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  for (int i = 1; i < wanted; ++i) workers_.emplace_back([this, i] { Work(i); });
}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  start_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::ParallelFor(size_t count, const std::function<void(size_t i, int thread)>& body) {
  if (workers_.empty() || count < 2) {
    for (size_t i = 0; i < count; ++i) body(i, 0);
    return;
  }
  std::exception_ptr failure;
  const std::function<void(size_t, int)> guarded = [&](size_t i, int thread) {
    try {
      body(i, thread);
    } catch (...) {
      // Thrown in a worker it would end the process.
      const std::lock_guard lock(mutex_);
      if (!failure) failure = std::current_exception();
    }
  };
  {
    const std::lock_guard lock(mutex_);
    body_ = &guarded;
    count_ = count;
    next_ = 0;
    busy_ = workers_.size();
    ++round_;
  }
  start_.notify_all();
  TakeItems(0);
  {
    std::unique_lock lock(mutex_);
    done_.wait(lock, [this] { return busy_ == 0; });
  }
  if (failure) std::rethrow_exception(failure);
}

void ThreadPool::TakeItems(int thread) {
  for (;;) {
    size_t item = 0;
    {
      const std::lock_guard lock(mutex_);
      if (next_ == count_) return;
      item = next_++;
    }
    (*body_)(item, thread);
  }
}

void ThreadPool::Work(int thread) {
  size_t seen = 0;
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      start_.wait(lock, [&] { return stop_ || round_ != seen; });
      if (stop_) return;
      seen = round_;
    }
    TakeItems(thread);
    const std::lock_guard lock(mutex_);
    if (--busy_ == 0) done_.notify_one();
  }
}

}  // namespace lathe
