#include <limits>

#include <gtest/gtest.h>

#include "lathe/tests/passes/canonical/no_op_case.h"

namespace lathe::passes {
namespace {

using ir::ElementType;

class LayoutNoOps : public testing::TestWithParam<NoOpCase> {};

TEST_P(LayoutNoOps, GoOrStay) { GoesOrStays(GetParam()); }

constexpr NoOpCase kReshape[] = {
    {"ReshapeByZeros", "eliminate-nop-reshape", true,
     [](Net& net) {
       return net.One("Reshape", {net.x, net.Integers({0, 0, 0, 0})});
     }},
    {"ReshapeWithOneInferred", "eliminate-nop-reshape", true,
     [](Net& net) {
       return net.One("Reshape", {net.x, net.Integers({2, -1, 1, 5})});
     }},
    {"ReshapeWithTheSymbolGuessed", "eliminate-nop-reshape", false,
     [](Net& net) {
       return net.One("Reshape", {net.x, net.Integers({2, 7, 1, 5})});
     }},
    {"ReshapeSwapsExtents", "eliminate-nop-reshape", false,
     [](Net& net) {
       return net.One("Reshape", {net.x, net.Integers({2, -1, 5, 1})});
     }},
    {"ReshapeToAnotherRank", "eliminate-nop-reshape", false,
     [](Net& net) {
       return net.One("Reshape", {net.x, net.Integers({0, 0, 5})});
     }},
    {"ReshapeToZeroExtent", "eliminate-nop-reshape", false,
     [](Net& net) {
       return net.One("Reshape", {net.x, net.Integers({2, 0, 1, 5})}, {{"allowzero", int64_t{1}}});
     }},
    {"ReshapeToOwnShape", "eliminate-nop-reshape", true,
     [](Net& net) {
       return net.One("Reshape", {net.x, net.Op("Shape", "s", {net.x})});
     }},
    {"ReshapeToPartOfOwnShape", "eliminate-nop-reshape", false,
     [](Net& net) {
       ir::Value* shape = net.Op("Shape", "s", {net.x}, {{"start", int64_t{1}}});
       return net.One("Reshape", {net.x, shape});
     }},
    {"SqueezeOfOneAxis", "eliminate-nop-reshape", false,
     [](Net& net) {
       return net.One("Squeeze", {net.x, net.Integers({2})});
     }},
    {"UnsqueezeOfNoAxis", "eliminate-nop-reshape", true,
     [](Net& net) {
       return net.One("Unsqueeze", {net.x, net.Integers({})});
     }},
    {"UnsqueezeOfOneAxis", "eliminate-nop-reshape", false,
     [](Net& net) {
       return net.One("Unsqueeze", {net.x, net.Integers({0})});
     }},
    {"FlattenOfRankFour", "eliminate-nop-reshape", false,
     [](Net& net) { return net.One("Flatten", {net.x}); }},
    {"FlattenOfRankTwo", "eliminate-nop-reshape", true,
     [](Net& net) {
       return net.One("Flatten", {net.Input("m", {3, 4})});
     }},
    {"FlattenOfRankTwoBeforeTheFirstAxis", "eliminate-nop-reshape", false,
     [](Net& net) {
       return net.One("Flatten", {net.Input("m", {3, 4})}, {{"axis", int64_t{0}}});
     }},
};

constexpr NoOpCase kExpand[] = {
    {"ExpandToOnes", "eliminate-nop-expand", true,
     [](Net& net) {
       return net.One("Expand", {net.x, net.Integers({1, 1})});
     }},
    {"ExpandToOwnExtents", "eliminate-nop-expand", true,
     [](Net& net) {
       return net.One("Expand", {net.x, net.Integers({2, 1, 1, 5})});
     }},
    {"ExpandOfAnAxis", "eliminate-nop-expand", false,
     [](Net& net) {
       return net.One("Expand", {net.x, net.Integers({3, 1})});
     }},
    {"ExpandToMoreAxes", "eliminate-nop-expand", false,
     [](Net& net) {
       return net.One("Expand", {net.x, net.Integers({1, 1, 1, 1, 1})});
     }},
    {"ExpandOfUnknownRank", "eliminate-nop-expand", false,
     [](Net& net) {
       net.rewriter().SetType(*net.x, net.model().Intern(ir::Type::Tensor(ElementType::kFloat32)));
       return net.One("Expand", {net.x, net.Integers({1, 1})});
     }},
    {"TileByOnes", "eliminate-nop-expand", true,
     [](Net& net) {
       return net.One("Tile", {net.x, net.Integers({1, 1, 1, 1})});
     }},
    {"TileByTwo", "eliminate-nop-expand", false,
     [](Net& net) {
       return net.One("Tile", {net.x, net.Integers({1, 1, 2, 1})});
     }},
};

constexpr NoOpCase kTranspose[] = {
    {"TransposeToSamePlaces", "eliminate-nop-transpose", true,
     [](Net& net) {
       return net.One("Transpose", {net.x}, {{"perm", Ints{0, 1, 2, 3}}});
     }},
    {"TransposeOfTwoAxes", "eliminate-nop-transpose", false,
     [](Net& net) {
       return net.One("Transpose", {net.x}, {{"perm", Ints{0, 1, 3, 2}}});
     }},
    {"TransposeWithoutPermutation", "eliminate-nop-transpose", false,
     [](Net& net) { return net.One("Transpose", {net.x}); }},
    {"TransposeOfOneAxis", "eliminate-nop-transpose", true,
     [](Net& net) { return net.One("Transpose", {net.Input("m", {3})}); }},
    {"TransposeOfOnes", "eliminate-nop-transpose", true,
     [](Net& net) {
       return net.One("Transpose", {net.Input("m", {1, 1, 3})}, {{"perm", Ints{1, 0, 2}}});
     }},
    {"TransposeOfEqualExtents", "eliminate-nop-transpose", false,
     [](Net& net) {
       return net.One("Transpose", {net.Input("m", {3, 3})}, {{"perm", Ints{1, 0}}});
     }},
};

constexpr NoOpCase kPad[] = {
    {"PadByNothing", "eliminate-nop-pad", true,
     [](Net& net) {
       return net.One("Pad", {net.x, net.Integers(Ints(8, 0))});
     }},
    {"PadByOne", "eliminate-nop-pad", false,
     [](Net& net) {
       return net.One("Pad", {net.x, net.Integers({0, 0, 0, 0, 0, 0, 0, 1})});
     }},
    {"PadByTheUnknown", "eliminate-nop-pad", false,
     [](Net& net) {
       ir::Value* x = net.x;
       ir::Value* pads = net.Op("Shape", "s", {x});
       return net.One("Pad", {x, net.Op("Concat", "p", {pads, pads}, {{"axis", int64_t{0}}})});
     }},
    {"PadAttributesByNothing", "eliminate-nop-pad", true,
     [](Net& net) {
       net.SetOpset(9);
       return net.One("Pad", {net.x}, {{"pads", Ints(8, 0)}});
     }},
};

constexpr int64_t kMost = std::numeric_limits<int64_t>::max();

constexpr NoOpCase kSlice[] = {
    {"SliceToTheEnd", "eliminate-nop-slice", true,
     [](Net& net) {
       return net.One("Slice", {net.x, net.Integers({0, 0}), net.Integers({kMost, 2147483647})});
     }},
    {"SliceOfKnownExtents", "eliminate-nop-slice", true,
     [](Net& net) {
       return net.One("Slice", {net.x, net.Integers({-2, 0}), net.Integers({2, 5}),
                                net.Integers({0, -1}), net.Integers({1, 1})});
     }},
    {"SliceWithoutTheFirst", "eliminate-nop-slice", false,
     [](Net& net) {
       return net.One("Slice", {net.x, net.Integers({1}), net.Integers({kMost})});
     }},
    {"SliceWithoutTheLast", "eliminate-nop-slice", false,
     [](Net& net) {
       return net.One("Slice", {net.x, net.Integers({0}), net.Integers({-1}), net.Integers({3})});
     }},
    {"SliceOfUnknownExtent", "eliminate-nop-slice", false,
     [](Net& net) {
       return net.One("Slice", {net.x, net.Integers({0}), net.Integers({7}), net.Integers({1})});
     }},
    {"SliceWithStepTwo", "eliminate-nop-slice", false,
     [](Net& net) {
       return net.One("Slice", {net.x, net.Integers({0}), net.Integers({kMost}), net.Integers({3}),
                                net.Integers({2})});
     }},
    {"SliceBackwards", "eliminate-nop-slice", false,
     [](Net& net) {
       return net.One("Slice", {net.x, net.Integers({-1}), net.Integers({-kMost}),
                                net.Integers({0}), net.Integers({-1})});
     }},
    {"SliceOfOneBackwards", "eliminate-nop-slice", true,
     [](Net& net) {
       return net.One("Slice", {net.Input("m", {1, 3}), net.Integers({-1}), net.Integers({-kMost}),
                                net.Integers({0}), net.Integers({-1})});
     }},
    {"SliceOfOneBackwardsToTheLast", "eliminate-nop-slice", false,
     [](Net& net) {
       return net.One("Slice", {net.Input("m", {1, 3}), net.Integers({-1}), net.Integers({-1}),
                                net.Integers({0}), net.Integers({-1})});
     }},
    {"SliceAttributesToTheEnd", "eliminate-nop-slice", true,
     [](Net& net) {
       net.SetOpset(9);
       return net.One("Slice", {net.x},
                      {{"starts", Ints{0}}, {"ends", Ints{kMost}}, {"axes", Ints{1}}});
     }},
};

constexpr NoOpCase kConcat[] = {
    {"ConcatOfOne", "eliminate-nop-concat", true,
     [](Net& net) {
       return net.One("Concat", {net.x}, {{"axis", int64_t{1}}});
     }},
    {"ConcatOfTwo", "eliminate-nop-concat", false,
     [](Net& net) {
       return net.One("Concat", {net.x, net.x}, {{"axis", int64_t{1}}});
     }},
    {"SplitIntoOne", "eliminate-nop-concat", true,
     [](Net& net) {
       return net.One("Split", {net.x}, {{"num_outputs", int64_t{1}}});
     }},
    {"SplitIntoTwo", "eliminate-nop-concat", false,
     [](Net& net) {
       return net.Node("Split", "v", {net.x}, {{"num_outputs", int64_t{2}}}, 2)->output();
     }},
};

ir::Value* Resize(Net& net, const std::vector<float>& scales, const std::string& coordinates) {
  return net.One("Resize", {net.x, nullptr, net.Floats(scales)},
                 {{"coordinate_transformation_mode", coordinates}});
}

constexpr NoOpCase kResize[] = {
    {"ResizeByOne", "eliminate-nop-resize", true,
     [](Net& net) {
       return Resize(net, {1, 1, 1, 1}, "half_pixel");
     }},
    {"ResizeByALittle", "eliminate-nop-resize", false,
     [](Net& net) {
       return Resize(net, {1, 1, 1, 1.1f}, "half_pixel");
     }},
    {"ResizeOfACrop", "eliminate-nop-resize", false,
     [](Net& net) {
       return Resize(net, {1, 1, 1, 1}, "tf_crop_and_resize");
     }},
    {"ResizeHalfAnElementOff", "eliminate-nop-resize", false,
     [](Net& net) {
       return Resize(net, {1, 1, 1, 1}, "tf_half_pixel_for_nn");
     }},
    {"ResizeToOwnSizes", "eliminate-nop-resize", true,
     [](Net& net) {
       return net.One("Resize", {net.Input("m", {2, 3}), nullptr, nullptr, net.Integers({2, 3})});
     }},
    {"ResizeToOtherSizes", "eliminate-nop-resize", false,
     [](Net& net) {
       return net.One("Resize", {net.Input("m", {2, 3}), nullptr, nullptr, net.Integers({2, 4})});
     }},
    {"ResizeOfOperatorSet10", "eliminate-nop-resize", true,
     [](Net& net) {
       net.SetOpset(10);
       return net.One("Resize", {net.x, net.Floats({1, 1, 1, 1})});
     }},
    {"UpsampleByOne", "eliminate-nop-resize", true,
     [](Net& net) {
       net.SetOpset(9);
       return net.One("Upsample", {net.x, net.Floats({1, 1, 1, 1})});
     }},
    {"BlocksOfOne", "eliminate-nop-resize", true,
     [](Net& net) {
       return net.One("DepthToSpace", {net.x}, {{"blocksize", int64_t{1}}});
     }},
    {"BlocksOfTwo", "eliminate-nop-resize", false,
     [](Net& net) {
       return net.One("DepthToSpace", {net.x}, {{"blocksize", int64_t{2}}});
     }},
};

INSTANTIATE_TEST_SUITE_P(Reshape, LayoutNoOps, testing::ValuesIn(kReshape), NameOf);
INSTANTIATE_TEST_SUITE_P(Expand, LayoutNoOps, testing::ValuesIn(kExpand), NameOf);
INSTANTIATE_TEST_SUITE_P(Transpose, LayoutNoOps, testing::ValuesIn(kTranspose), NameOf);
INSTANTIATE_TEST_SUITE_P(Pad, LayoutNoOps, testing::ValuesIn(kPad), NameOf);
INSTANTIATE_TEST_SUITE_P(Slice, LayoutNoOps, testing::ValuesIn(kSlice), NameOf);
INSTANTIATE_TEST_SUITE_P(Concat, LayoutNoOps, testing::ValuesIn(kConcat), NameOf);
INSTANTIATE_TEST_SUITE_P(Resize, LayoutNoOps, testing::ValuesIn(kResize), NameOf);

}  // namespace
}  // namespace lathe::passes
