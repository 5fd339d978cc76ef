#include "lathe/flows/rollback_search.h"

#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace lathe::flows {
namespace {

// A network that is good with `needed` layers float, and what was asked of it.
struct FakeNetwork {
  size_t layers = 0;
  size_t needed = 0;
  std::vector<size_t> asked;

  std::optional<size_t> Search() {
    asked.clear();
    const auto found = SearchRollback(layers, [this](size_t count) -> StatusOr<bool> {
      asked.push_back(count);
      return count >= needed;
    });
    EXPECT_TRUE(found.ok());
    return *found;
  }
};

TEST(RollbackSearch, FindsTheFewestFloatLayers) {
  for (size_t layers = 1; layers <= 70; ++layers) {
    for (size_t needed = 0; needed <= layers; ++needed) {
      FakeNetwork network{layers, needed, {}};
      const std::optional<size_t> found = network.Search();
      if (needed == layers) {
        EXPECT_EQ(found, std::nullopt);
      } else {
        EXPECT_EQ(found, needed);
      }
      const std::set<size_t> distinct(network.asked.begin(), network.asked.end());
      EXPECT_EQ(distinct.size(), network.asked.size());
      EXPECT_FALSE(distinct.contains(layers));
      EXPECT_LE(network.asked.size(), 8u);
    }
  }
}

// The reference's example: 4 layers, the trial with 2 fails, the one with 3 does not.
TEST(RollbackSearch, AsksInTheReferencesOrder) {
  FakeNetwork network{4, 3, {}};
  EXPECT_EQ(network.Search(), 3u);
  EXPECT_EQ(network.asked, (std::vector<size_t>{0, 2, 3}));
  network = {5, 1, {}};
  EXPECT_EQ(network.Search(), 1u);
  EXPECT_EQ(network.asked, (std::vector<size_t>{0, 3, 1}));
  network = {5, 0, {}};
  EXPECT_EQ(network.Search(), 0u);
  EXPECT_EQ(network.asked, (std::vector<size_t>{0}));
}

TEST(RollbackSearch, KeepsTheLastGoodOneWhereMoreFloatIsWorse) {
  const auto found = SearchRollback(7, [](size_t count) -> StatusOr<bool> { return count == 4; });
  EXPECT_EQ(*found, 4u);
}

TEST(RollbackSearch, AnErrorEndsIt) {
  const auto found = SearchRollback(7, [](size_t count) -> StatusOr<bool> {
    return count == 0 ? StatusOr<bool>(false) : InvalidInput("broken");
  });
  EXPECT_EQ(FormatError(found.status()), "broken");
}

}  // namespace
}  // namespace lathe::flows
