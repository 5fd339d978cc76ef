#include "lathe/passes/canonical/inline_loop.h"

#include <gtest/gtest.h>

#include "lathe/tests/passes/graph_builder.h"
#include "lathe/tests/passes/run_pass.h"
#include "lathe/tests/passes/text_model.h"

namespace lathe::passes {
namespace {

PassReport Inline(ir::Model& model) { return RunPass(model, "inline-loop"); }

// A Loop over x with these operands for trip count and condition, and this condition from the body.
std::unique_ptr<ir::Model> LoopOf(std::string_view count, std::string_view condition,
                                  std::string_view next = "%go", int opset = 17) {
  // The analyser loses sight of the unique_ptr that is returned.
  // NOLINTNEXTLINE(clang-analyzer-cplusplus.NewDeleteLeaks)
  return ParseText(fmt::format(R"((%x : f32[2], %m : i64[], %flag : bool[]) {{
    init %none : i64[] = i64[] {{0}}
    init %one : i64[1] = i64[1] {{1}}
    init %five : i64[] = i64[] {{5}}
    init %true : bool[] = bool[] {{1}}
    init %false : bool[] = bool[] {{0}}
    %y, %s = Loop({}, {}, %x) {{body = graph "b"(%i : i64[], %go : bool[], %v : f32[2]) {{
      init %stop : bool[] = bool[] {{0}}
      %f = Cast(%i) {{to = 1}} : f32[]
      %w = Add(%v, %f) : f32[2]
      %same = Identity({})
      return %same, %w, %w
    }}}} name "loop"
    return %y, %s
  }})",
                               count, condition, next),
                   opset);
}

TEST(InlineLoop, OneTripIsTheBody) {
  const auto model = LoopOf("%one", "%true");
  const PassReport report = Inline(*model);
  EXPECT_EQ(Statistic(report, "inlined"), 1);
  EXPECT_EQ(Listing(model->graph()),
            "f = Cast(i1)\ny = Add(x, f)\nsame = Identity(go1)\ns = Unsqueeze(y, axes)\n"
            "return y, s\n");
  EXPECT_EQ(ConstantText(*model, "i1"), "i64[] 0");
  EXPECT_EQ(ConstantText(*model, "go1"), "bool[] 1");
  EXPECT_EQ(ConstantText(*model, "axes"), "i64[1] 0");
  ASSERT_EQ(report.remarks.size(), 1u);
  EXPECT_EQ(report.remarks[0].message, "runs once; replaced by its 3 nodes");
}

TEST(InlineLoop, AxesWereAnAttribute) {
  const auto model = LoopOf("%one", "%true", "%go", 11);
  EXPECT_TRUE(Inline(*model).changed);
  const ir::Node& unsqueeze = *model->graph().last_node();
  EXPECT_EQ(unsqueeze.num_inputs(), 1u);
  EXPECT_EQ(unsqueeze.IntsAttribute("axes"), (std::vector<int64_t>{0}));
}

TEST(InlineLoop, NoTripGivesWhatWasGiven) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"%none", "%flag"}, {"%m", "%false"}, {"_", "%false"}, {"%none", "_"}};
  for (const auto& [count, condition] : cases) {
    SCOPED_TRACE(count);
    const auto model = LoopOf(count, condition);
    const PassReport report = Inline(*model);
    EXPECT_EQ(Statistic(report, "removed"), 1);
    EXPECT_EQ(Listing(model->graph()), "y = Identity(x)\ns = Identity(s1)\nreturn y, s\n");
    EXPECT_EQ(ConstantText(*model, "s1"), "f32[0,2]");
  }
}

TEST(InlineLoop, WhichLoopsRunOnce) {
  EXPECT_TRUE(Inline(*LoopOf("%one", "_")).changed);
  EXPECT_TRUE(Inline(*LoopOf("%five", "%true", "%stop")).changed);
  EXPECT_TRUE(Inline(*LoopOf("_", "%true", "%stop")).changed);
}

TEST(InlineLoop, WhichLoopsStay) {
  EXPECT_FALSE(Inline(*LoopOf("%m", "%true")).changed);
  EXPECT_FALSE(Inline(*LoopOf("%five", "%true")).changed);
  EXPECT_FALSE(Inline(*LoopOf("%one", "%flag")).changed);
  EXPECT_FALSE(Inline(*LoopOf("%m", "%true", "%stop")).changed);
  // What the body says does not matter without a condition.
  EXPECT_FALSE(Inline(*LoopOf("%five", "_", "%stop")).changed);
}

TEST(InlineLoop, AnEmptyResultOfUnknownExtentsStays) {
  const auto model = ParseText(R"((%x : f32[2]) {
    init %none : i64[] = i64[] {0}
    %y, %s = Loop(%none, _, %x) {body = graph "b"(%i : i64[], %go : bool[], %v : f32[2]) {
      %w = Neg(%v)
      return %go, %v, %w
    }} name "loop"
    return %y, %s
  })");
  const PassReport report = Inline(*model);
  EXPECT_FALSE(report.changed);
  ASSERT_EQ(report.remarks.size(), 1u);
  EXPECT_EQ(report.remarks[0].message,
            "stays although its trips are known: type or extents of its empty result 's' are not "
            "known");
}

TEST(InlineLoop, ALoopInALoopThatCapturesItsVariables) {
  const auto model = ParseText(R"((%x : f32[2], %m : i64[]) {
    init %one : i64[] = i64[] {1}
    init %true : bool[] = bool[] {1}
    %y = Loop(%m, %true, %x) {body = graph "b"(%i : i64[], %go : bool[], %v : f32[2]) {
      %u = Loop(%one, %true, %v) {body = graph "c"(%j : i64[], %go2 : bool[], %w : f32[2]) {
        %a = Add(%w, %v)
        return %go2, %a
      }}
      return %go, %u
    }}
    return %y
  })");
  EXPECT_EQ(Statistic(Inline(*model), "inlined"), 1);
  EXPECT_EQ(Listing(model->graph()),
            "y = Loop(m, true, x)\n  a = Add(v, v)\n  return go, a\nreturn y\n");
}

}  // namespace
}  // namespace lathe::passes
