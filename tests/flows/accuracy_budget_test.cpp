#include <gtest/gtest.h>

#include "lathe/flows/auto_calibrate.h"

namespace lathe::flows {
namespace {

TEST(AccuracyBudget, LastBitsDoNotDecide) {
  const AccuracyBudget budget{.allowed = 0.01};
  EXPECT_GT(0.9 - 0.89, 0.01);
  EXPECT_TRUE(budget.Meets(0.9, 0.89));
  EXPECT_FALSE(budget.Meets(0.9, 0.8899));
  EXPECT_TRUE(budget.Meets(0.9, 0.95));
  const AccuracyBudget none{};
  EXPECT_TRUE(none.Meets(0.5, 0.5));
  EXPECT_FALSE(none.Meets(0.5, 0.499999));
}

TEST(AccuracyBudget, LowerMayBeBetter) {
  const AccuracyBudget budget{.allowed = 0.5, .lower_is_better = true};
  EXPECT_EQ(budget.Loss(2, 3), 1);
  EXPECT_TRUE(budget.Meets(2, 2.5));
  EXPECT_FALSE(budget.Meets(2, 2.6));
  EXPECT_TRUE(budget.Meets(2, 0));
}

TEST(AccuracyBudget, TheBestCandidate) {
  const AccuracyBudget budget{.allowed = 0.1};
  // Within the budget the fewest float layers count, not the value.
  EXPECT_EQ(ChooseCandidate({{0, 0.5}, {4, 0.99}, {2, 0.92}, {1, 0.6}}, 1.0, budget), 2u);
  // Where none is within it, the value does.
  EXPECT_EQ(ChooseCandidate({{0, 0.5}, {4, 0.7}, {6, 0.7}, {7, 0.6}}, 1.0, budget), 1u);
  EXPECT_EQ(ChooseCandidate({{0, 0.5}}, 1.0, budget), 0u);
}

}  // namespace
}  // namespace lathe::flows
