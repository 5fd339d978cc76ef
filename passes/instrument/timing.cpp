#include "lathe/passes/instrument/timing.h"

#include <algorithm>
#include <ctime>
#include <fstream>

namespace lathe::passes {
namespace {

double CpuSeconds() {
  timespec time{};
  if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) != 0) return 0;
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

// Bytes.
std::optional<int64_t> PeakMemory() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    int64_t kilobytes = 0;
    if (word == "VmHWM:" && status >> kilobytes) return kilobytes * 1024;
  }
  return std::nullopt;
}

// Where it cannot, peaks are those since the process began.
void ForgetPeakMemory() { std::ofstream("/proc/self/clear_refs") << "5"; }

}  // namespace

TimingNode& Timing::Innermost() {
  TimingNode* node = &root_;
  for (size_t depth = 1; depth < open_.size(); ++depth) node = &node->children.back();
  return *node;
}

void Timing::Start(std::string_view position, std::string_view name) {
  Begin begin;
  TimingNode node{.position = std::string(position), .name = std::string(name)};
  if (count_allocations_) begin.allocations = count_allocations_();
  begin.cpu = CpuSeconds();
  begin.wall = std::chrono::steady_clock::now();
  if (open_.empty()) {
    root_ = std::move(node);
  } else {
    node.start = std::chrono::duration<double>(begin.wall - open_.front().wall).count();
    Innermost().children.push_back(std::move(node));
  }
  open_.push_back(begin);
}

void Timing::End() {
  const auto wall = std::chrono::steady_clock::now();
  const double cpu = CpuSeconds();
  const Begin& begin = open_.back();
  TimingNode& node = Innermost();
  node.wall = std::chrono::duration<double>(wall - begin.wall).count();
  node.cpu = cpu - begin.cpu;
  if (count_allocations_) {
    const AllocationCount now = count_allocations_();
    node.allocations = {now.count - begin.allocations.count, now.bytes - begin.allocations.bytes};
  }
  if (node.children.empty()) {
    node.peak_memory = PeakMemory();
  } else {
    // Passes made the system forget what was before them.
    for (const TimingNode& child : node.children) {
      node.peak_memory = std::max(node.peak_memory, child.peak_memory);
    }
  }
  open_.pop_back();
}

Status Timing::RunStarts(const ir::Model& /*model*/) {
  open_.clear();
  Start("", "pipeline");
  return OkStatus();
}

void Timing::GroupStarts(const GroupPoint& point) { Start(point.position, point.name); }

void Timing::GroupEnds(const GroupPoint& /*point*/) { End(); }

Status Timing::BeforePass(const PassPoint& point) {
  ForgetPeakMemory();
  Start(point.position, point.pass.name);
  return OkStatus();
}

Status Timing::AfterPass(const PassPoint& /*point*/, const PassReport& /*report*/) {
  End();
  return OkStatus();
}

Status Timing::RunEnds(const PipelineReport& /*report*/, const Status& /*outcome*/) {
  while (!open_.empty()) End();
  return OkStatus();
}

}  // namespace lathe::passes
