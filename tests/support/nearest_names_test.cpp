#include "lathe/support/nearest_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lathe {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Names = std::vector<std::string_view>;

TEST(NearestNames, NearestFirst) {
  const Names names = {"stem", "conv11", "conv2", "conv1x2"};
  EXPECT_THAT(NearestNames("conv1", names), ElementsAre("conv11", "conv2", "conv1x2"));
}

TEST(NearestNames, EquallyNearInTheOrderGiven) {
  const Names names = {"fc3", "fc1", "fc2"};
  EXPECT_THAT(NearestNames("fc", names), ElementsAre("fc3", "fc1", "fc2"));
  EXPECT_THAT(NearestNames("fc", names, 1), ElementsAre("fc3"));
}

TEST(NearestNames, CaseDoesNotCount) {
  EXPECT_THAT(NearestNames("CONV2D", Names{"Conv2d", "Conv3d"}), ElementsAre("Conv2d", "Conv3d"));
}

TEST(NearestNames, PartOfALongerName) {
  const Names names = {"/backbone/stage3/block2/conv1/Conv", "head"};
  EXPECT_THAT(NearestNames("conv1", names), ElementsAre("/backbone/stage3/block2/conv1/Conv"));
  EXPECT_THAT(NearestNames("model/the/long/path/to/head", names), ElementsAre("head"));
}

TEST(NearestNames, FarNamesAreNotNear) {
  EXPECT_THAT(NearestNames("conv1", Names{"linear", "pool", "ab"}), IsEmpty());
  EXPECT_THAT(NearestNames("a", Names{"b", "cd"}), IsEmpty());
  EXPECT_THAT(NearestNames("conv1", Names{}), IsEmpty());
}

TEST(NearestNames, NeverTheNameItselfNorOneTwice) {
  EXPECT_THAT(NearestNames("fc1", Names{"fc1", "fc2", "fc2"}), ElementsAre("fc2"));
}

TEST(NearestNames, HugeNamesCostLittle) {
  const std::string huge(1 << 20, 'x');
  const std::string other = huge + "y";
  const Names names(1000, other);
  EXPECT_EQ(NearestNames(huge, names).size(), 1u);
}

TEST(DidYouMean, ReadsAsASentence) {
  EXPECT_EQ(DidYouMean("fc", Names{"fc1"}), "did you mean 'fc1'?");
  EXPECT_EQ(DidYouMean("fc", Names{"fc1", "fc2"}), "did you mean 'fc1' or 'fc2'?");
  EXPECT_EQ(DidYouMean("fc", Names{"fc1", "fc2", "fc3", "fc4"}),
            "did you mean 'fc1', 'fc2' or 'fc3'?");
  EXPECT_EQ(DidYouMean("fc", Names{"convolution"}), "");
}

}  // namespace
}  // namespace lathe
