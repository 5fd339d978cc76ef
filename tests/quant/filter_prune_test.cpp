#include "lathe/quant/filter_prune.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lathe::quant {
namespace {

using testing::DoubleEq;
using testing::ElementsAre;

TEST(FilterPrune, Norms) {
  const std::vector<float> rows = {3, 4, 0, 1, 6, 8};
  EXPECT_THAT(FilterNorms(rows, WeightLayout::AlongAxis(1, 3, 2)),
              ElementsAre(DoubleEq(2.5), DoubleEq(0.5), DoubleEq(5)));
  // The same as columns.
  const std::vector<float> columns = {3, 0, 6, 4, 1, 8};
  EXPECT_THAT(FilterNorms(columns, WeightLayout::AlongAxis(2, 3, 1)),
              ElementsAre(DoubleEq(2.5), DoubleEq(0.5), DoubleEq(5)));
}

// The table of the reference's 8.4.
TEST(FilterPrune, Counts) {
  const auto count = [](int64_t channels, double ratio, bool aligned, int64_t group) {
    return CountPrunedFilters({channels, ratio, aligned, group});
  };
  EXPECT_EQ(count(40, 0.5, true, 1), 8);
  EXPECT_EQ(count(40, 0.5, false, 1), 20);
  EXPECT_EQ(count(48, 0.5, true, 1), 16);
  EXPECT_EQ(count(32, 0.5, true, 1), 16);
  EXPECT_EQ(count(24, 0.5, true, 1), 8);
  EXPECT_EQ(count(8, 0.5, true, 1), 0);
  EXPECT_EQ(count(64, 0.99, true, 1), 48);
  EXPECT_EQ(count(100, 0.2, true, 1), 20);
  EXPECT_EQ(count(160, 0.3, true, 2), 48);
  EXPECT_EQ(count(18, 0.25, false, 1), 4);
  EXPECT_EQ(count(10, 0.25, false, 1), 2);
  EXPECT_EQ(count(5, 0.95, false, 1), 4);
  EXPECT_EQ(count(12, 0.95, false, 4), 8);
}

// The worked example of the same section.
TEST(FilterPrune, Choice) {
  const std::vector<double> norms = {5,  3,   8,  1,  9,  2,  7,  4,  6,  10,
                                     11, 0.5, 12, 13, 14, 15, 16, 17, 18, 19};
  const auto choose = [&](bool aligned, int64_t group) {
    return ChoosePrunedFilters(norms, CountPrunedFilters({20, 0.25, aligned, group}), group);
  };
  EXPECT_THAT(choose(false, 1), ElementsAre(1, 3, 5, 7, 11));
  EXPECT_THAT(choose(true, 1), ElementsAre(1, 3, 5, 11));
  EXPECT_THAT(choose(false, 2), ElementsAre(1, 3, 5, 10, 11, 12));
  EXPECT_THAT(choose(true, 2), ElementsAre(3, 5, 10, 11));
}

TEST(FilterPrune, OfEqualsTheFirst) {
  const std::vector<double> norms(8, 1.0);
  EXPECT_THAT(ChoosePrunedFilters(norms, 4, 2), ElementsAre(0, 1, 4, 5));
  EXPECT_THAT(ChoosePrunedFilters(norms, 0, 1), ElementsAre());
}

}  // namespace
}  // namespace lathe::quant
