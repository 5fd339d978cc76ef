// What observers of one run share: threads and their working memory.
#pragma once

#include <span>
#include <vector>

#include "lathe/quant/ifmr.h"
#include "lathe/support/status.h"
#include "lathe/support/thread_pool.h"

namespace lathe::flows {

class ObserverContext {
 public:
  explicit ObserverContext(int threads)
      : pool_(threads), scratch_(static_cast<size_t>(pool_.num_threads())) {}
  ThreadPool& pool() { return pool_; }
  quant::IfmrScratch& scratch(int thread) { return scratch_[static_cast<size_t>(thread)]; }

  // Shows all values to one observer, by all threads. Errors: what the observer finds.
  Status Observe(quant::IfmrObserver& observer, std::span<const float> values);

 private:
  ThreadPool pool_;
  std::vector<quant::IfmrScratch> scratch_;
};

// The first that is not OK, or OK.
Status FirstError(std::span<const Status> statuses);

}  // namespace lathe::flows
