#include "lathe/eval/evaluate.h"

#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lathe/ir/rewriter.h"

namespace lathe::eval {
namespace {

using ir::ElementType;
using ir::PlainAttribute;
using ir::Tensor;
using ::testing::ElementsAre;
using Attributes = std::vector<std::pair<std::string, PlainAttribute>>;

class Evaluator : public ::testing::Test {
 protected:
  explicit Evaluator(int64_t opset = 17) { SetOpset(opset); }
  void SetOpset(int64_t opset) { ir::Rewriter(model_).MutableInfo().opset_imports = {{"", opset}}; }
  StatusOr<std::vector<Tensor>> Run(std::string_view op, const std::vector<Tensor>& inputs,
                                    Attributes attributes = {}, size_t outputs = 1) {
    ir::NodeSpec spec;
    spec.op = op;
    spec.name = "n";
    spec.attributes = std::move(attributes);
    spec.outputs.assign(outputs, "");
    const ir::Node& node =
        ir::Rewriter(model_).CreateNode(model_.graph(), nullptr, std::move(spec));
    return Evaluate(node, inputs, options_);
  }
  Tensor Value(std::string_view op, const std::vector<Tensor>& inputs, Attributes attributes = {}) {
    const auto results = Run(op, inputs, std::move(attributes));
    EXPECT_TRUE(results.ok()) << op << FormatError(results.status());
    return results.ok() ? (*results)[0] : Tensor::Scalar<float>(0);
  }
  std::string Error(std::string_view op, const std::vector<Tensor>& inputs,
                    Attributes attributes = {}) {
    const auto results = Run(op, inputs, std::move(attributes));
    return results.ok()
               ? "no error"
               : std::string(results.status().message().data(), results.status().message().size());
  }
  static Tensor Floats(std::vector<float> values) {
    return Tensor::Of<float>({static_cast<int64_t>(values.size())}, values);
  }
  static Tensor Ints(std::vector<int64_t> values) {
    return Tensor::Of<int64_t>({static_cast<int64_t>(values.size())}, values);
  }
  template <typename T>
  static std::vector<T> Elements(const Tensor& tensor) {
    auto values = tensor.Values<T>();
    EXPECT_TRUE(values.ok()) << values.status();
    return values.ok() ? *std::move(values) : std::vector<T>{};
  }
  static Tensor Counting(std::vector<int64_t> dims) {
    int64_t count = 1;
    for (const int64_t dim : dims) count *= dim;
    std::vector<int64_t> values(static_cast<size_t>(count));
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<int64_t>(i);
    return Tensor::Of<int64_t>(std::move(dims), values);
  }

  ir::Model model_;
  EvaluateOptions options_;
};

const float kNan = std::numeric_limits<float>::quiet_NaN();

TEST_F(Evaluator, ArithmeticBroadcasts) {
  const Tensor column = Tensor::Of<float>({2, 1}, {10, 20});
  const Tensor sum = Value("Add", {column, Floats({1, 2, 3})});
  EXPECT_THAT(sum.dims(), ElementsAre(2, 3));
  EXPECT_THAT(Elements<float>(sum), ElementsAre(11, 12, 13, 21, 22, 23));
  EXPECT_THAT(Elements<float>(Value("Sub", {Tensor::Scalar<float>(1), Floats({1, 2})})),
              ElementsAre(0, -1));
  EXPECT_EQ(
      Value("Mul", {Tensor::Of<float>({0, 1}, std::vector<float>()), Floats({1, 2})}).dims()[0], 0);
  EXPECT_EQ(Error("Add", {Floats({1, 2}), Floats({1, 2, 3})}),
            "Add: shapes [2] and [3] do not broadcast");
  EXPECT_EQ(Error("Add", {Floats({1}), Ints({1})}), "Add: operands are of types f32 and i64");
}

TEST_F(Evaluator, IntegersWrapAndDivideTowardsZero) {
  const Tensor least = Ints({INT64_MIN});
  EXPECT_THAT(Elements<int64_t>(Value("Sub", {least, Ints({1})})), ElementsAre(INT64_MAX));
  EXPECT_THAT(Elements<int64_t>(Value("Neg", {least})), ElementsAre(INT64_MIN));
  EXPECT_THAT(Elements<int64_t>(Value("Abs", {least})), ElementsAre(INT64_MIN));
  EXPECT_THAT(Elements<int64_t>(Value("Div", {least, Ints({-1})})), ElementsAre(INT64_MIN));
  EXPECT_THAT(Elements<int64_t>(Value("Div", {Ints({7, -7, 7}), Ints({2, 2, -2})})),
              ElementsAre(3, -3, -3));
  EXPECT_THAT(Elements<int64_t>(Value("Mod", {Ints({7, -7, 7}), Ints({3, 3, -3})})),
              ElementsAre(1, 2, -2));
  EXPECT_THAT(
      Elements<int64_t>(Value("Mod", {Ints({7, -7}), Ints({3, 3})}, {{"fmod", int64_t{1}}})),
      ElementsAre(1, -1));
  EXPECT_EQ(Error("Div", {Ints({1}), Ints({0})}), "Div: division of an integer by zero");
  EXPECT_EQ(Error("Mod", {Ints({1}), Ints({0})}), "Mod: division of an integer by zero");
  EXPECT_THAT(Elements<uint16_t>(Value(
                  "Mul", {Tensor::Of<uint16_t>({1}, {65535}), Tensor::Of<uint16_t>({1}, {65535})})),
              ElementsAre(1));
}

TEST_F(Evaluator, FloatsFollowIeee) {
  EXPECT_THAT(Elements<float>(Value("Round", {Floats({0.5f, 1.5f, 2.5f, -0.5f, 2.4f})})),
              ElementsAre(0, 2, 2, -0.0f, 2));
  EXPECT_THAT(Elements<float>(Value("Div", {Floats({1, -1}), Floats({0, 0})})),
              ElementsAre(INFINITY, -INFINITY));
  const auto smallest = Elements<float>(Value("Min", {Floats({1, kNan, 3}), Floats({2, 1, kNan})}));
  EXPECT_EQ(smallest[0], 1);
  EXPECT_TRUE(std::isnan(smallest[1]) && std::isnan(smallest[2]));
  EXPECT_THAT(Elements<float>(Value("Pow", {Floats({3, 4, 2}), Floats({2, .5f, -1})})),
              ElementsAre(9, 2, .5f));
  EXPECT_THAT(Elements<int64_t>(Value("Pow", {Ints({3, -2, 7}), Ints({4, 3, 0})})),
              ElementsAre(81, -8, 1));
  EXPECT_THAT(Elements<float>(Value("Max", {Floats({1, 9}), Floats({5}), Floats({2, 2})})),
              ElementsAre(5, 9));
}

TEST_F(Evaluator, HalvesAreComputedInFloatAndRoundedOnce) {
  const auto half = [](uint16_t bits) {
    return *Tensor::FromVector(ElementType::kFloat16, {1},
                               {static_cast<std::byte>(bits), static_cast<std::byte>(bits >> 8)});
  };
  // 2048 + 1 is a tie between 2048 and 2050; 2048 is even.
  const Tensor sum = Value("Add", {half(0x6800), half(0x3c00)});
  EXPECT_EQ(sum.element_type(), ElementType::kFloat16);
  EXPECT_EQ((*sum.ValuesAsFloat())[0], 2048);
}

TEST_F(Evaluator, ComparisonsAndLogic) {
  const Tensor less = Value("Less", {Floats({1, 2, kNan}), Floats({2, 2, 2})});
  EXPECT_EQ(less.element_type(), ElementType::kBool);
  EXPECT_THAT(*less.ValuesAsInt64(), ElementsAre(1, 0, 0));
  EXPECT_THAT(*Value("Not", {less}).ValuesAsInt64(), ElementsAre(0, 1, 1));
  EXPECT_THAT(*Value("GreaterOrEqual", {Ints({1, 2}), Ints({2, 2})}).ValuesAsInt64(),
              ElementsAre(0, 1));
  EXPECT_THAT(Elements<int64_t>(Value("Where", {less, Ints({1, 2, 3}), Ints({9})})),
              ElementsAre(1, 9, 9));
  EXPECT_EQ(Error("And", {Ints({1}), Ints({1})}), "And: elements of type i64 are not taken");
}

TEST_F(Evaluator, Casts) {
  const auto cast = [&](const Tensor& tensor, ElementType type) {
    return Value("Cast", {tensor}, {{"to", static_cast<int64_t>(type)}});
  };
  EXPECT_THAT(Elements<int8_t>(cast(Floats({1.9f, -1.9f, 127.5f}), ElementType::kInt8)),
              ElementsAre(1, -1, 127));
  EXPECT_THAT(Elements<int8_t>(cast(Ints({300, -129}), ElementType::kInt8)), ElementsAre(44, 127));
  EXPECT_THAT(*cast(Floats({0, -0.5f, kNan}), ElementType::kBool).ValuesAsInt64(),
              ElementsAre(0, 1, 1));
  EXPECT_EQ(Error("Cast", {Floats({128})}, {{"to", int64_t{3}}}),
            "Cast: the value 128 does not fit the type");
  EXPECT_EQ(Error("Cast", {Floats({kNan})}, {{"to", int64_t{7}}}),
            "Cast: the value nan does not fit the type");
  EXPECT_EQ(Error("Cast", {Floats({1})}, {{"to", int64_t{99}}}),
            "Cast: attribute 'to' names no element type");
  // Rounding to float first would make a tie of what is above one.
  const double above = 1 + 0x1p-11 + 0x1p-40;
  EXPECT_EQ((*cast(Tensor::Scalar<double>(above), ElementType::kFloat16).ValuesAsFloat())[0],
            1 + 0x1p-10f);
  EXPECT_EQ((*cast(Tensor::Scalar<double>(1 + 0x1p-11), ElementType::kFloat16).ValuesAsFloat())[0],
            1);
}

TEST_F(Evaluator, ShapeArithmetic) {
  const Tensor tensor = Counting({2, 3, 4});
  EXPECT_THAT(Elements<int64_t>(Value("Shape", {tensor})), ElementsAre(2, 3, 4));
  EXPECT_THAT(Elements<int64_t>(Value("Shape", {tensor}, {{"start", int64_t{-2}}})),
              ElementsAre(3, 4));
  EXPECT_THAT(Elements<int64_t>(Value("Shape", {tensor}, {{"end", int64_t{-1}}})),
              ElementsAre(2, 3));
  EXPECT_THAT(Elements<int64_t>(Value("Size", {tensor})), ElementsAre(24));
  EXPECT_THAT(
      Elements<int64_t>(Value("Range", {Tensor::Scalar<int64_t>(10), Tensor::Scalar<int64_t>(4),
                                        Tensor::Scalar<int64_t>(-3)})),
      ElementsAre(10, 7));
  EXPECT_THAT(Elements<float>(Value("ConstantOfShape", {Ints({2})}, {{"value", Floats({2.5f})}})),
              ElementsAre(2.5f, 2.5f));
  EXPECT_THAT(Elements<float>(Value("ConstantOfShape", {Ints({1})})), ElementsAre(0));
  EXPECT_THAT(Value("ConstantOfShape", {Ints({})}).dims(), ElementsAre());
}

TEST_F(Evaluator, Reshapes) {
  const Tensor tensor = Counting({2, 3, 4});
  const auto dims = [](const Tensor& t) {
    return std::vector<int64_t>(t.dims().begin(), t.dims().end());
  };
  EXPECT_THAT(dims(Value("Reshape", {tensor, Ints({0, -1})})), ElementsAre(2, 12));
  EXPECT_THAT(dims(Value("Flatten", {tensor}, {{"axis", int64_t{-1}}})), ElementsAre(6, 4));
  EXPECT_THAT(dims(Value("Flatten", {tensor}, {{"axis", int64_t{0}}})), ElementsAre(1, 24));
  EXPECT_THAT(dims(Value("Unsqueeze", {tensor, Ints({0, -1})})), ElementsAre(1, 2, 3, 4, 1));
  EXPECT_THAT(dims(Value("Squeeze", {Counting({1, 3, 1})})), ElementsAre(3));
  EXPECT_THAT(dims(Value("Squeeze", {Counting({1, 3, 1}), Ints({-1})})), ElementsAre(1, 3));
  EXPECT_EQ(Error("Squeeze", {tensor, Ints({0})}), "Squeeze: axis 0 has extent 2, not 1");
  EXPECT_EQ(Error("Reshape", {tensor, Ints({5, -1})}),
            "Reshape: shape [5,-1] does not divide the 24 elements of [2,3,4]");
  EXPECT_EQ(Error("Reshape", {tensor, Ints({-1, -1})}), "Reshape: shape [-1,-1] has -1 twice");
  SetOpset(11);
  EXPECT_THAT(dims(Value("Unsqueeze", {tensor}, {{"axes", std::vector<int64_t>{0}}})),
              ElementsAre(1, 2, 3, 4));
}

TEST_F(Evaluator, Moves) {
  const Tensor tensor = Counting({2, 3});
  const Tensor turned = Value("Transpose", {tensor});
  EXPECT_THAT(turned.dims(), ElementsAre(3, 2));
  EXPECT_THAT(Elements<int64_t>(turned), ElementsAre(0, 3, 1, 4, 2, 5));
  const Tensor joined = Value("Concat", {tensor, Counting({2, 1})}, {{"axis", int64_t{-1}}});
  EXPECT_THAT(joined.dims(), ElementsAre(2, 4));
  EXPECT_THAT(Elements<int64_t>(joined), ElementsAre(0, 1, 2, 0, 3, 4, 5, 1));
  EXPECT_EQ(Error("Concat", {tensor, Counting({3, 1})}, {{"axis", int64_t{1}}}),
            "Concat: [3,1] cannot be joined to [2,3] along axis 1");
  EXPECT_THAT(Elements<int64_t>(Value("Tile", {tensor, Ints({1, 2})})),
              ElementsAre(0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5));
  EXPECT_THAT(Elements<int64_t>(Value("Expand", {Counting({2, 1}), Ints({2, 1, 2})})),
              ElementsAre(0, 0, 1, 1, 0, 0, 1, 1));
  const Tensor picked =
      Value("Gather", {tensor, Tensor::Of<int64_t>({1, 2}, {-1, 0})}, {{"axis", int64_t{1}}});
  EXPECT_THAT(picked.dims(), ElementsAre(2, 1, 2));
  EXPECT_THAT(Elements<int64_t>(picked), ElementsAre(2, 0, 5, 3));
  EXPECT_EQ(Error("Gather", {tensor, Ints({2})}), "Gather: index 2 is outside extent 2 of axis 0");
  EXPECT_EQ(Value("Gather", {Ints({5, 6}), Tensor::Scalar<int64_t>(1)}).dims().size(), 0u);
}

TEST_F(Evaluator, Slices) {
  const Tensor tensor = Counting({5});
  const auto slice = [&](int64_t start, int64_t end, int64_t step) {
    return Elements<int64_t>(
        Value("Slice", {tensor, Ints({start}), Ints({end}), Ints({0}), Ints({step})}));
  };
  EXPECT_THAT(slice(1, 3, 1), ElementsAre(1, 2));
  EXPECT_THAT(slice(-2, INT64_MAX, 1), ElementsAre(3, 4));
  EXPECT_THAT(slice(0, 5, 2), ElementsAre(0, 2, 4));
  EXPECT_THAT(slice(-1, INT64_MIN, -1), ElementsAre(4, 3, 2, 1, 0));
  EXPECT_THAT(slice(INT64_MAX, INT64_MIN, -3), ElementsAre(4, 1));
  EXPECT_THAT(slice(0, 5, INT64_MAX), ElementsAre(0));
  EXPECT_THAT(slice(3, 1, 1), ElementsAre());
  EXPECT_EQ(Error("Slice", {tensor, Ints({0}), Ints({1}), Ints({0}), Ints({0})}),
            "Slice: a step is 0");
  SetOpset(9);
  EXPECT_THAT(Elements<int64_t>(Value("Slice", {Counting({2, 3})},
                                      {{"starts", std::vector<int64_t>{1}},
                                       {"ends", std::vector<int64_t>{9}},
                                       {"axes", std::vector<int64_t>{1}}})),
              ElementsAre(1, 2, 4, 5));
}

TEST_F(Evaluator, Splits) {
  const auto parts = [&](const std::vector<Tensor>& inputs, size_t outputs) {
    std::string text;
    const auto results = Run("Split", inputs, {}, outputs);
    if (!results.ok()) return FormatError(results.status());
    for (const Tensor& part : *results)
      text += fmt::format("[{}]", fmt::join(*part.Values<int64_t>(), ","));
    return text;
  };
  EXPECT_EQ(parts({Counting({4})}, 2), "[0,1][2,3]");
  EXPECT_EQ(parts({Counting({4}), Ints({1, 3})}, 2), "[0][1,2,3]");
  EXPECT_EQ(parts({Counting({4})}, 3),
            "node 'n2': Split: extent 4 does not split into 3 equal parts");
  EXPECT_EQ(parts({Counting({4}), Ints({1, 1})}, 2),
            "node 'n3': Split: parts [1,1] do not make up extent 4 in 2 outputs");
  SetOpset(18);
  EXPECT_EQ(parts({Counting({5})}, 2), "[0,1,2][3,4]");
}

TEST_F(Evaluator, Pads) {
  const Tensor tensor = Ints({1, 2, 3});
  const auto pad = [&](std::string mode, std::vector<int64_t> pads) {
    return Elements<int64_t>(Value("Pad", {tensor, Ints(std::move(pads))}, {{"mode", mode}}));
  };
  EXPECT_THAT(pad("constant", {1, 2}), ElementsAre(0, 1, 2, 3, 0, 0));
  EXPECT_THAT(pad("constant", {-1, 0}), ElementsAre(2, 3));
  EXPECT_THAT(pad("edge", {2, 1}), ElementsAre(1, 1, 1, 2, 3, 3));
  EXPECT_THAT(pad("reflect", {2, 2}), ElementsAre(3, 2, 1, 2, 3, 2, 1));
  EXPECT_THAT(pad("wrap", {1, 1}), ElementsAre(3, 1, 2, 3, 1));
  EXPECT_THAT(Elements<int64_t>(Value("Pad", {tensor, Ints({0, 1}), Ints({7})})),
              ElementsAre(1, 2, 3, 7));
  EXPECT_EQ(Error("Pad", {tensor, Ints({-2, -2})}), "Pad: extent -1 is negative");
}

TEST_F(Evaluator, Reductions) {
  const Tensor tensor = Tensor::Of<float>({2, 3}, {1, 2, 3, 4, 5, 7});
  EXPECT_THAT(Elements<float>(Value("ReduceSum", {tensor, Ints({1})})), ElementsAre(6, 16));
  EXPECT_THAT(Value("ReduceSum", {tensor, Ints({1})}).dims(), ElementsAre(2, 1));
  EXPECT_THAT(Elements<float>(Value("ReduceMean", {tensor},
                                    {{"axes", std::vector<int64_t>{0}}, {"keepdims", int64_t{0}}})),
              ElementsAre(2.5f, 3.5f, 5));
  EXPECT_THAT(Elements<float>(Value("ReduceMax", {tensor})), ElementsAre(7));
  EXPECT_THAT(Elements<float>(Value("ReduceMin", {tensor})), ElementsAre(1));
  EXPECT_THAT(Elements<int64_t>(Value("ReduceProd", {Ints({2, 3, 4})})), ElementsAre(24));
  EXPECT_EQ(
      Elements<float>(Value("ReduceSum", {tensor}, {{"noop_with_empty_axes", int64_t{1}}})).size(),
      6u);
  EXPECT_THAT(Elements<int64_t>(Value("ArgMax", {tensor}, {{"axis", int64_t{1}}})),
              ElementsAre(2, 2));
  EXPECT_THAT(Elements<int64_t>(Value("ArgMin", {Ints({3, 1, 1})})), ElementsAre(1));
  EXPECT_THAT(
      Elements<int64_t>(Value("ArgMin", {Ints({3, 1, 1})}, {{"select_last_index", int64_t{1}}})),
      ElementsAre(2));
  EXPECT_EQ(Error("ReduceMax", {Floats({})}), "ReduceMax: nothing to reduce along an empty axis");
  EXPECT_EQ(Error("ReduceSum", {tensor, Ints({2})}),
            "ReduceSum: axis 2 is outside the 2 dimensions");
  EXPECT_EQ(Error("ReduceSum", {tensor, Ints({1, -1})}), "ReduceSum: axis 1 is twice there");
}

TEST_F(Evaluator, Quantisation) {
  const Tensor scale = Tensor::Scalar<float>(.5f);
  const Tensor zero = Tensor::Scalar<uint8_t>(128);
  EXPECT_THAT(
      *Value("QuantizeLinear", {Floats({0, .25f, .75f, 1000, -1000}), scale, zero}).ValuesAsInt64(),
      ElementsAre(128, 128, 130, 255, 0));
  EXPECT_THAT(
      Elements<float>(Value("DequantizeLinear", {Tensor::Of<uint8_t>({2}, {0, 129}), scale, zero})),
      ElementsAre(-64, .5f));
  EXPECT_THAT(Elements<float>(Value("DequantizeLinear",
                                    {Tensor::Of<int8_t>({2, 2}, {1, 2, 3, 4}), Floats({1, 10})},
                                    {{"axis", int64_t{0}}})),
              ElementsAre(1, 2, 30, 40));
  EXPECT_EQ(Error("QuantizeLinear", {Floats({kNan}), scale, zero}),
            "QuantizeLinear: NaN has no quantised value");
}

TEST_F(Evaluator, ShapesMadeToDefeatLimits) {
  const int64_t huge = int64_t{1} << 40;
  const Tensor empty = Tensor::Of<float>({0, huge}, std::vector<float>{});
  const std::string refusal = "empty tensors of extents like [0,1099511627776] are not evaluated";
  EXPECT_EQ(Error("Neg", {empty}), "Neg: " + refusal);
  EXPECT_EQ(Error("Slice", {empty, Ints({0}), Ints({1})}), "Slice: " + refusal);
  const Tensor none = Tensor::Of<float>({0, 1}, std::vector<float>{});
  EXPECT_EQ(Error("Expand", {none, Ints({0, huge})}), "Expand: " + refusal);
  EXPECT_EQ(Error("Reshape", {none, Ints({0, huge})}), "Reshape: " + refusal);
  EXPECT_EQ(Error("ConstantOfShape", {Ints({0, huge})}), "ConstantOfShape: " + refusal);
  std::vector<int64_t> axes(2000);
  for (size_t i = 0; i < axes.size(); ++i) axes[i] = static_cast<int64_t>(i);
  EXPECT_EQ(Error("Unsqueeze", {Tensor::Scalar<float>(1), Ints(axes)}),
            "Unsqueeze: tensors of 2000 dimensions are not evaluated, at most 1024 are");
  EXPECT_EQ(Error("Reshape", {Tensor::Scalar<float>(1), Ints(std::vector<int64_t>(2000, 1))}),
            "Reshape: tensors of 2000 dimensions are not evaluated, at most 1024 are");
  options_.max_result_bytes = 3;
  EXPECT_EQ(Run("Neg", {Floats({1})}).status().code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(Evaluator, WhatIsUnknownOrTooLarge) {
  const auto unknown = Run("Conv", {});
  EXPECT_EQ(FormatError(unknown.status()), "node 'n': operator Conv is not evaluated");
  EXPECT_EQ(unknown.status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(Error("Add", {Floats({1})}), "Add: input 1 is missing");
  EXPECT_EQ(Error("Add", {}), "Add: input 0 is missing");
  options_.max_result_bytes = 100;
  EXPECT_EQ(Error("ConstantOfShape", {Ints({1 << 20, 1 << 20})}),
            "ConstantOfShape: the result would take 4398046511104 bytes, 100 are allowed");
  EXPECT_EQ(Error("Expand", {Floats({1}), Ints({26})}),
            "Expand: the result would take 104 bytes, 100 are allowed");
  EXPECT_EQ(Error("Expand", {Floats({1}), Ints({1LL << 62, 4})}),
            "Expand: shape has more elements than an int64 counts");
  EXPECT_EQ(Error("Tile", {Floats({1, 2}), Ints({INT64_MAX})}),
            "Tile: repeats [9223372036854775807] are not valid");
  EXPECT_EQ(Error("ConstantOfShape", {Ints({-1})}), "ConstantOfShape: extent -1 is negative");
}

}  // namespace
}  // namespace lathe::eval
