#include <limits>
#include <optional>

#include <gtest/gtest.h>

#include "lathe/tests/passes/canonical/no_op_case.h"

namespace lathe::passes {
namespace {

using ir::ElementType;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

class ClipNoOps : public testing::TestWithParam<NoOpCase> {};

TEST_P(ClipNoOps, GoOrStay) { GoesOrStays(GetParam()); }

constexpr NoOpCase kClip[] = {
    {"ClipWithoutBounds", "eliminate-nop-clip", true,
     [](Net& net) { return net.One("Clip", {net.x}); }},
    {"ClipToInfinity", "eliminate-nop-clip", true,
     [](Net& net) {
       return net.One("Clip", {net.x, net.Scalar(-kInfinity), net.Scalar(kInfinity)});
     }},
    {"ClipWithMinimum", "eliminate-nop-clip", false,
     [](Net& net) {
       return net.One("Clip", {net.x, net.Scalar(0)});
     }},
    {"ClipToTheLargestFloat", "eliminate-nop-clip", false,
     [](Net& net) {
       return net.One("Clip", {net.x, nullptr, net.Scalar(std::numeric_limits<float>::max())});
     }},
    {"ClipOfBytesToTheirRange", "eliminate-nop-clip", true,
     [](Net& net) {
       return net.One("Clip", {net.Typed(ElementType::kInt8, "i"), net.Const<int8_t>({}, {-128}),
                               net.Const<int8_t>({}, {127})});
     }},
    {"ClipBeforeOperatorSet11", "eliminate-nop-clip", false,
     [](Net& net) {
       net.SetOpset(10);
       return net.One("Clip", {net.x});
     }},
};

INSTANTIATE_TEST_SUITE_P(Clip, ClipNoOps, testing::ValuesIn(kClip), NameOf);

struct Bounds {
  std::optional<float> low;
  std::optional<float> high;
};

// Whether the second of two Clips goes.
bool SecondGoes(const Bounds& first, const Bounds& second, int64_t opset = 18) {
  Net net;
  net.SetOpset(opset);
  const auto clip = [&](const char* name, ir::Value* value, const Bounds& bounds) {
    if (opset < 11) {
      std::vector<std::pair<std::string, ir::PlainAttribute>> attributes;
      if (bounds.low) attributes.emplace_back("min", *bounds.low);
      if (bounds.high) attributes.emplace_back("max", *bounds.high);
      return net.Op("Clip", name, {value}, attributes);
    }
    return net.Op("Clip", name,
                  {value, bounds.low ? net.Scalar(*bounds.low) : nullptr,
                   bounds.high ? net.Scalar(*bounds.high) : nullptr});
  };
  ir::Value* inner = clip("a", net.x, first);
  ir::Value* y = net.Op("Erf", "y", {clip("v", inner, second)});
  net.Output(y);
  const bool changed = RunPass(net.model(), "eliminate-nop-clip").changed;
  EXPECT_EQ(changed, y->producer()->input(0) == inner);
  return changed;
}

TEST(ClipOfClip, GoesWhenItClipsNoMore) {
  EXPECT_TRUE(SecondGoes({0, 6}, {0, 6}));
  EXPECT_TRUE(SecondGoes({0, 6}, {-1, 7}));
  EXPECT_TRUE(SecondGoes({1, {}}, {0, {}}));
  EXPECT_TRUE(SecondGoes({0, 6}, {{}, 6}));
  EXPECT_TRUE(SecondGoes({0, 6}, {0, 6}, 10));
}

TEST(ClipOfClip, StaysWhenItMayClipMore) {
  EXPECT_FALSE(SecondGoes({0, 6}, {1, 6}));
  EXPECT_FALSE(SecondGoes({0, 6}, {0, 5}));
  EXPECT_FALSE(SecondGoes({{}, 6}, {0, 6}));
  EXPECT_FALSE(SecondGoes({0, 6}, {1, 6}, 10));
  // Bounds in the wrong order give the upper one.
  EXPECT_FALSE(SecondGoes({6, 0}, {5, 7}));
  // -0.0 would pass the first and perhaps not the second.
  EXPECT_FALSE(SecondGoes({-0.0f, {}}, {0.0f, {}}));
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_FALSE(SecondGoes({nan, {}}, {nan, {}}));
}

}  // namespace
}  // namespace lathe::passes
