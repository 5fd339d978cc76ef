// Operators that select elements or put them together again, and change nothing.
#include <gtest/gtest.h>

#include "lathe/tests/passes/canonical/no_op_case.h"

namespace lathe::passes {
namespace {

class SelectionNoOps : public testing::TestWithParam<NoOpCase> {};

TEST_P(SelectionNoOps, GoOrStay) { GoesOrStays(GetParam()); }

ir::Value* Gather(Net& net, const Ints& indices, int64_t axis) {
  return net.One("Gather", {net.Input("m", {2, 3}), net.Integers(indices)}, {{"axis", axis}});
}

constexpr NoOpCase kGather[] = {
    {"GatherOfAll", "eliminate-nop-gather", true,
     [](Net& net) {
       return Gather(net, {0, 1, 2}, 1);
     }},
    {"GatherOfAllFromTheBack", "eliminate-nop-gather", true,
     [](Net& net) {
       return Gather(net, {0, -2, -1}, -1);
     }},
    {"GatherInAnotherOrder", "eliminate-nop-gather", false,
     [](Net& net) {
       return Gather(net, {0, 2, 1}, 1);
     }},
    {"GatherOfSome", "eliminate-nop-gather", false,
     [](Net& net) {
       return Gather(net, {0, 1}, 1);
     }},
    {"GatherOfUnknownExtent", "eliminate-nop-gather", false,
     [](Net& net) {
       return net.One("Gather", {net.x, net.Integers({0, 1})}, {{"axis", int64_t{1}}});
     }},
    {"GatherByAMatrix", "eliminate-nop-gather", false,
     [](Net& net) {
       return net.One("Gather", {net.Input("m", {2, 3}), net.Const<int64_t>({1, 3}, Ints{0, 1, 2})},
                      {{"axis", int64_t{1}}});
     }},
    {"GatherByAScalar", "eliminate-nop-gather", false,
     [](Net& net) {
       return net.One("Gather", {net.Input("m", {1, 3}), net.Const<int64_t>({}, Ints{0})});
     }},
};

ir::Value* Element(Net& net, int64_t position) {
  ir::Value* other = net.x;
  ir::Value* last = net.Input("m", {3});
  ir::Value* sequence = net.Op("SequenceConstruct", "s", {other, last});
  return net.One("SequenceAt", {sequence, net.Const<int64_t>({}, Ints{position})});
}

constexpr NoOpCase kSequence[] = {
    {"ElementOfAKnownSequence", "eliminate-nop-sequence", true,
     [](Net& net) { return Element(net, 1); }},
    {"ElementFromTheBack", "eliminate-nop-sequence", true,
     [](Net& net) { return Element(net, -1); }},
    {"ElementOutOfRange", "eliminate-nop-sequence", false,
     [](Net& net) { return Element(net, -3); }},
    {"ElementOfAnInsertedSequence", "eliminate-nop-sequence", false,
     [](Net& net) {
       ir::Value* empty = net.Op("SequenceEmpty", "e", {});
       ir::Value* sequence = net.Op("SequenceInsert", "s", {empty, net.x});
       return net.One("SequenceAt", {sequence, net.Const<int64_t>({}, Ints{0})});
     }},
    {"OptionalThatIsThere", "eliminate-nop-sequence", true,
     [](Net& net) { return net.One("OptionalGetElement", {net.Op("Optional", "o", {net.x})}); }},
    {"OptionalThatIsATensor", "eliminate-nop-sequence", true,
     [](Net& net) { return net.One("OptionalGetElement", {net.x}); }},
    {"OptionalOfUnknownType", "eliminate-nop-sequence", false,
     [](Net& net) {
       net.rewriter().SetType(*net.x, net.model().unknown_type());
       return net.One("OptionalGetElement", {net.x});
     }},
};

ir::Value* Rejoined(Net& net, int64_t split_axis, int64_t concat_axis, bool in_order) {
  ir::Node* split =
      net.Node("Split", "s", {net.x}, {{"axis", split_axis}, {"num_outputs", int64_t{2}}}, 2);
  std::vector<ir::Value*> parts = {split->output(0), split->output(1)};
  if (!in_order) std::swap(parts[0], parts[1]);
  return net.One("Concat", parts, {{"axis", concat_axis}});
}

constexpr NoOpCase kRejoined[] = {
    {"PartsInOrder", "eliminate-nop-concat", true,
     [](Net& net) { return Rejoined(net, 3, 3, true); }},
    {"PartsAlongOneAxisNamedTwice", "eliminate-nop-concat", true,
     [](Net& net) { return Rejoined(net, -1, 3, true); }},
    {"PartsInAnotherOrder", "eliminate-nop-concat", false,
     [](Net& net) { return Rejoined(net, 3, 3, false); }},
    {"PartsAlongAnotherAxis", "eliminate-nop-concat", false,
     [](Net& net) { return Rejoined(net, 3, 1, true); }},
    {"NotAllParts", "eliminate-nop-concat", false,
     [](Net& net) {
       ir::Node* split =
           net.Node("Split", "s", {net.x}, {{"axis", int64_t{3}}, {"num_outputs", int64_t{3}}}, 3);
       return net.One("Concat", {split->output(0), split->output(1)}, {{"axis", int64_t{3}}});
     }},
};

ir::Value* Slice(Net& net, const Ints& start, const Ints& end, const Ints& axis, const Ints& step) {
  return net.One("Slice", {net.x, net.Integers(start), net.Integers(end), net.Integers(axis),
                           net.Integers(step)});
}

constexpr NoOpCase kSlice[] = {
    {"EverySecondOfOne", "eliminate-nop-slice", true,
     [](Net& net) { return Slice(net, {0}, {5}, {2}, {2}); }},
    {"EverySecondOfMore", "eliminate-nop-slice", false,
     [](Net& net) { return Slice(net, {0}, {5}, {3}, {2}); }},
    {"EverySecondOfTheUnknown", "eliminate-nop-slice", false,
     [](Net& net) { return Slice(net, {0}, {2147483647}, {1}, {2}); }},
    {"FromFarInFront", "eliminate-nop-slice", true,
     [](Net& net) { return Slice(net, {-2147483647}, {2147483647}, {1}, {1}); }},
    {"FromTheBackOfTheUnknown", "eliminate-nop-slice", false,
     [](Net& net) { return Slice(net, {-5}, {2147483647}, {1}, {1}); }},
};

ir::Value* Einsum(Net& net, const std::string& equation) {
  return net.One("Einsum", {net.x}, {{"equation", equation}});
}

constexpr NoOpCase kEinsum[] = {
    {"EinsumToSamePlaces", "eliminate-nop-transpose", true,
     [](Net& net) { return Einsum(net, "nchw -> nchw"); }},
    {"EinsumInAlphabeticalOrder", "eliminate-nop-transpose", true,
     [](Net& net) { return Einsum(net, "abij"); }},
    {"EinsumInAnotherOrder", "eliminate-nop-transpose", false,
     [](Net& net) { return Einsum(net, "nchw"); }},
    {"EinsumThatTransposes", "eliminate-nop-transpose", false,
     [](Net& net) { return Einsum(net, "abij->abji"); }},
    {"EinsumThatSums", "eliminate-nop-transpose", false,
     [](Net& net) { return Einsum(net, "nchw->nch"); }},
    {"EinsumOfADiagonal", "eliminate-nop-transpose", false,
     [](Net& net) {
       return net.One("Einsum", {net.Input("m", {3, 3})}, {{"equation", std::string("ii->ii")}});
     }},
};

ir::Value* ResizeRows(Net& net, const Ints& sizes) {
  return net.One("Resize", {net.x, nullptr, nullptr, net.Integers(sizes)}, {{"axes", Ints{-1, 2}}});
}

constexpr NoOpCase kOwnExtents[] = {
    {"ResizeOfSomeAxesToOwnSizes", "eliminate-nop-resize", true,
     [](Net& net) {
       return ResizeRows(net, {5, 1});
     }},
    {"ResizeOfSomeAxesToOtherSizes", "eliminate-nop-resize", false,
     [](Net& net) {
       return ResizeRows(net, {1, 5});
     }},
    {"ReshapeThatInfersBesideNoZero", "eliminate-nop-reshape", true,
     [](Net& net) {
       return net.One("Reshape", {net.x, net.Integers({2, -1, 1, 5})}, {{"allowzero", int64_t{1}}});
     }},
};

INSTANTIATE_TEST_SUITE_P(Gather, SelectionNoOps, testing::ValuesIn(kGather), NameOf);
INSTANTIATE_TEST_SUITE_P(Sequence, SelectionNoOps, testing::ValuesIn(kSequence), NameOf);
INSTANTIATE_TEST_SUITE_P(Rejoined, SelectionNoOps, testing::ValuesIn(kRejoined), NameOf);
INSTANTIATE_TEST_SUITE_P(Slice, SelectionNoOps, testing::ValuesIn(kSlice), NameOf);
INSTANTIATE_TEST_SUITE_P(Einsum, SelectionNoOps, testing::ValuesIn(kEinsum), NameOf);
INSTANTIATE_TEST_SUITE_P(OwnExtents, SelectionNoOps, testing::ValuesIn(kOwnExtents), NameOf);

}  // namespace
}  // namespace lathe::passes
