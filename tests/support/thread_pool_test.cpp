#include "lathe/support/thread_pool.h"

#include <atomic>
#include <new>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace lathe {
namespace {

TEST(ThreadPool, EveryItemOnceForAnyNumberOfThreads) {
  for (const int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.num_threads(), threads);
    for (int round = 0; round < 200; ++round) {
      std::vector<int> seen(97, 0);
      std::atomic<bool> bad_thread = false;
      pool.ParallelFor(seen.size(), [&](size_t i, int thread) {
        ++seen[i];
        if (thread < 0 || thread >= threads) bad_thread = true;
      });
      EXPECT_EQ(std::accumulate(seen.begin(), seen.end(), 0), 97);
      EXPECT_EQ(*std::min_element(seen.begin(), seen.end()), 1);
      EXPECT_FALSE(bad_thread);
    }
  }
}

TEST(ThreadPool, NothingToDo) {
  ThreadPool pool(3);
  int calls = 0;
  pool.ParallelFor(0, [&](size_t, int) { ++calls; });
  EXPECT_EQ(calls, 0);
}

TEST(ThreadPool, AnExceptionOfAnyThreadReachesTheCaller) {
  for (const int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    for (const size_t bad : {size_t{0}, size_t{50}, size_t{96}}) {
      const auto throwing = [&](size_t i, int) {
        if (i == bad) throw std::runtime_error("item " + std::to_string(i));
      };
      try {
        pool.ParallelFor(97, throwing);
        ADD_FAILURE() << "nothing was thrown";
      } catch (const std::runtime_error& error) {
        EXPECT_EQ(error.what(), "item " + std::to_string(bad));
      }
    }
    // The pool is as good as before.
    std::atomic<int> calls = 0;
    pool.ParallelFor(97, [&](size_t, int) { ++calls; });
    EXPECT_EQ(calls, 97);
  }
}

TEST(ThreadPool, AnExceptionOfEveryItemIsOneException) {
  ThreadPool pool(4);
  EXPECT_THROW(pool.ParallelFor(97, [](size_t, int) { throw std::bad_alloc(); }), std::bad_alloc);
}

}  // namespace
}  // namespace lathe
