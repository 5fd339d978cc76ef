#include "lathe/passes/instrument/timing.h"

#include <memory>

#include "lathe/tests/passes/instrument/observed_run.h"

namespace lathe::passes {
namespace {

using TimingTest = ObservedRun;

// "pipeline(1 idle, 2 phase(2.1 add-relu))"
std::string Outline(const TimingNode& node) {
  std::string text = node.position + (node.position.empty() ? "" : " ") + node.name;
  for (const TimingNode& child : node.children) {
    text += (&child == &node.children.front() ? "(" : ", ") + Outline(child);
  }
  return text + (node.children.empty() ? "" : ")");
}

TEST_F(TimingTest, IsATreeOfGroupsAndPasses) {
  Timing timing;
  EXPECT_EQ(Run("idle,phase{name=p}(add-relu,fixpoint{max=2}(busy))", {&timing}), "");
  EXPECT_EQ(Outline(timing.tree()),
            "pipeline(1 idle, 2 p(2.1 add-relu, 2.2#1 fixpoint(2.2#1.1 busy), 2.2#2 "
            "fixpoint(2.2#2.1 busy)))");
  const TimingNode& p = timing.tree().children[1];
  EXPECT_GE(p.start, timing.tree().children[0].start + timing.tree().children[0].wall);
  EXPECT_GE(p.wall, p.children[0].wall + p.children[1].wall + p.children[2].wall);
  EXPECT_LE(p.start + p.wall, timing.tree().wall);
  EXPECT_FALSE(p.allocations);
}

TEST_F(TimingTest, MeasuresTimeAllocationsAndMemory) {
  Add(Sample("working", [](PassContext&) -> StatusOr<bool> {
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(30);
    volatile int64_t spins = 0;
    while (std::chrono::steady_clock::now() < end) spins = spins + 1;
    return false;
  }));
  Add(Sample("hoarding", [](PassContext&) -> StatusOr<bool> {
    // Touched, or the system would not give it.
    const std::vector<char> memory(200'000'000, 1);
    return memory.back() == 2;
  }));
  int64_t count = 0;
  Timing timing([&] { return AllocationCount{++count, 100 * count}; });
  EXPECT_EQ(Run("working,hoarding,idle", {&timing}), "");
  const std::vector<TimingNode>& passes = timing.tree().children;
  EXPECT_GE(passes[0].wall, 0.03);
  EXPECT_GT(passes[0].cpu, 0.001);
  ASSERT_TRUE(passes[0].allocations);
  EXPECT_EQ(passes[0].allocations->count, 1);
  EXPECT_EQ(passes[0].allocations->bytes, 100);
  EXPECT_EQ(timing.tree().allocations->count, 7);
  ASSERT_TRUE(passes[1].peak_memory);
  EXPECT_GT(*passes[1].peak_memory, 200'000'000);
  EXPECT_GE(timing.tree().peak_memory, passes[1].peak_memory);
}

TEST_F(TimingTest, WhatAFailureCutOffEndsWithTheRun) {
  Timing timing;
  EXPECT_EQ(Run("phase(failing),idle", {&timing}), "pass failing: no luck");
  EXPECT_EQ(Outline(timing.tree()), "pipeline(1 phase(1.1 failing))");
  EXPECT_GT(timing.tree().children[0].children[0].wall, 0);
  // And another run begins anew.
  EXPECT_EQ(Run("idle", {&timing}), "");
  EXPECT_EQ(Outline(timing.tree()), "pipeline(1 idle)");
}

}  // namespace
}  // namespace lathe::passes
