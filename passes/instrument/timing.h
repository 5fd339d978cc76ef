// Where the time and memory of a run went: a tree of groups and passes.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "lathe/passes/core/observer.h"

namespace lathe::passes {

// What a process has allocated since it began.
struct AllocationCount {
  int64_t count = 0;
  int64_t bytes = 0;
};

struct TimingNode {
  // As in PassReport; empty for the root.
  std::string position;
  // Of the pass or group; "pipeline" for the root.
  std::string name;
  // Since the run began, seconds of wall time.
  double start = 0;
  // Wall time, and CPU time of all threads of the process, seconds.
  double wall = 0;
  double cpu = 0;
  // Empty when nobody counts. Of all threads.
  std::optional<AllocationCount> allocations;
  // The process's largest resident set meanwhile, bytes. Empty when the system does not say; a
  // system that cannot forget earlier peaks gives the largest since the process began.
  std::optional<int64_t> peak_memory;
  std::vector<TimingNode> children;
};

class Timing : public PassObserver {
 public:
  // `count_allocations`: empty when nobody counts. As the last observer it measures passes alone.
  // On Linux it makes the system forget the process's earlier peak of memory before each pass.
  explicit Timing(std::function<AllocationCount()> count_allocations = {})
      : count_allocations_(std::move(count_allocations)) {}

  // The root. What had not ended when a run failed ended with it.
  const TimingNode& tree() const { return root_; }

  Status RunStarts(const ir::Model& model) override;
  void GroupStarts(const GroupPoint& point) override;
  void GroupEnds(const GroupPoint& point) override;
  Status BeforePass(const PassPoint& point) override;
  Status AfterPass(const PassPoint& point, const PassReport& report) override;
  Status RunEnds(const PipelineReport& report, const Status& outcome) override;

 private:
  // The clocks when a node began.
  struct Begin {
    std::chrono::steady_clock::time_point wall;
    double cpu = 0;
    AllocationCount allocations;
  };

  void Start(std::string_view position, std::string_view name);
  void End();
  TimingNode& Innermost();

  std::function<AllocationCount()> count_allocations_;
  TimingNode root_;
  // One a node that has not ended, the root first.
  std::vector<Begin> open_;
};

}  // namespace lathe::passes
