#include "lathe/ir/schema/infer_shapes.h"

#include <fstream>
#include <iostream>
#include <map>

#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>
#include <onnx/shape_inference/implementation.h>

#include "builder.h"
#include "lathe/frontends/onnx/import.h"
#include "lathe/ir/verifier.h"
#include "shared_models.h"

namespace lathe::ir {
namespace {

class InferShapesTest : public testing::Test {
 protected:
  InferShapesTest() { rewriter_.MutableInfo().opset_imports = {{"", 17}}; }

  Value& In(std::string_view name, ElementType type, Shape shape) {
    return rewriter_.AddGraphInput(graph_, model_.Intern(name),
                                   model_.Intern(Type::Tensor(type, std::move(shape))));
  }
  Value& Ints(const std::string& name, const std::vector<int64_t>& values) {
    return rewriter_.CreateInitializer(graph_, name,
                                       Tensor::Of({static_cast<int64_t>(values.size())}, values));
  }
  InferShapesResult Infer(const InferShapesOptions& options = {}) {
    auto result = InferShapes(rewriter_, options);
    EXPECT_TRUE(result.ok()) << FormatError(result.status());
    EXPECT_TRUE(VerifyModel(model_).ok());
    return result.ok() ? *result : InferShapesResult();
  }
  static std::string Show(const Value& value) {
    const Type& type = value.type();
    if (!type.is_tensor()) return "?";
    std::string text(ElementTypeName(type.element));
    if (!type.shape) return text;
    for (const Dim& dim : *type.shape) {
      text += dim.is_known()    ? fmt::format(" {}", dim.extent())
              : dim.is_symbol() ? " " + dim.symbol()
                                : " ?";
    }
    return text;
  }

  Model model_;
  Rewriter rewriter_{model_};
  Graph& graph_ = model_.graph();
  const Dim n_ = Dim::Symbol("N");
};

TEST_F(InferShapesTest, SymbolsStaySymbols) {
  Value& x = In("x", ElementType::kFloat32, {n_, Dim::Known(3), Dim::Known(8), Dim::Known(8)});
  Value& w = rewriter_.CreateInitializer(graph_, "w",
                                         Tensor::Of<float>({4, 3, 3, 3}, std::vector<float>(108)));
  Node& conv = Op(rewriter_, graph_, "Conv", "conv", {&x, &w});
  Node& relu = Op(rewriter_, graph_, "Relu", "relu", {conv.output()});
  const InferShapesResult result = Infer();
  EXPECT_EQ(Show(*conv.output()), "f32 N 4 6 6");
  EXPECT_EQ(Show(*relu.output()), "f32 N 4 6 6");
  EXPECT_EQ(result.changed, 2u);
  EXPECT_EQ(result.unknown, 0u);
  EXPECT_EQ(Infer().changed, 0u);
}

TEST_F(InferShapesTest, FollowsShapeArithmetic) {
  Value& x = In("x", ElementType::kFloat32, {n_, Dim::Known(3), Dim::Known(8)});
  Node& shape = Op(rewriter_, graph_, "Shape", "shape", {&x});
  Node& first = Op(rewriter_, graph_, "Gather", "first", {shape.output(), &Ints("zero", {0})});
  Node& joined = Op(rewriter_, graph_, "Concat", "joined", {first.output(), &Ints("rest", {-1})});
  rewriter_.SetAttribute(joined, "axis", int64_t{0});
  Node& reshape = Op(rewriter_, graph_, "Reshape", "reshape", {&x, joined.output()});
  Infer();
  EXPECT_EQ(Show(*reshape.output()), "f32 N ?");
}

// The type of a Shape's result is that of any other, its values are not.
TEST_F(InferShapesTest, EachShapeOfOneTypeIsFollowed) {
  Value& x = In("x", ElementType::kFloat32, {Dim::Known(2), Dim::Known(3)});
  for (const std::string name : {"first", "second"}) {
    Node& shape = Op(rewriter_, graph_, "Shape", name, {&x});
    Node& filled = Op(rewriter_, graph_, "ConstantOfShape", name + ".filled", {shape.output()});
    Infer();
    EXPECT_EQ(Show(*filled.output()), "f32 2 3") << name;
  }
}

TEST_F(InferShapesTest, KnownShapeArithmeticIsAConstant) {
  Value& x = In("x", ElementType::kFloat32, {Dim::Known(2), Dim::Known(3), Dim::Known(8)});
  Node& shape = Op(rewriter_, graph_, "Shape", "shape", {&x});
  Value& axes = Ints("axes", {0});
  Node& tail = Op(rewriter_, graph_, "Slice", "tail",
                  {shape.output(), &Ints("start", {1}), &Ints("end", {3}), &axes});
  Value& y = In("y", ElementType::kFloat32, {Dim::Known(1), Dim::Known(1)});
  Node& tile = Op(rewriter_, graph_, "Tile", "tile", {&y, tail.output()});
  Node& expand = Op(rewriter_, graph_, "Expand", "expand", {&y, tail.output()});
  Infer();
  EXPECT_EQ(Show(*tile.output()), "f32 3 8");
  EXPECT_EQ(Show(*expand.output()), "f32 3 8");
}

TEST_F(InferShapesTest, DefaultsDecideShapesBeforeIrVersion4) {
  Value& x = In("x", ElementType::kFloat32, {Dim::Known(2), Dim::Known(3)});
  Value& extents = In("extents", ElementType::kInt64, {Dim::Known(2)});
  rewriter_.SetDefault(extents, Tensor::Of<int64_t>({2}, std::vector<int64_t>{6, 1}));
  Node& reshape = Op(rewriter_, graph_, "Reshape", "reshape", {&x, &extents});
  Infer();
  EXPECT_EQ(Show(*reshape.output()), "f32 ? ?");
  rewriter_.MutableInfo().ir_version = 3;
  Infer();
  EXPECT_EQ(Show(*reshape.output()), "f32 6 1");
}

TEST_F(InferShapesTest, NarrowIntegersAccumulate) {
  struct Case {
    ElementType operand;
    const char* want;
  };
  for (const auto& [operand, want] :
       {Case{ElementType::kInt8, "i32 N 2"}, Case{ElementType::kInt16, "i32 N 2"},
        Case{ElementType::kInt32, "i32 N 2"}, Case{ElementType::kInt64, "i64 N 2"},
        Case{ElementType::kUint64, "u64 N 2"}, Case{ElementType::kFloat32, "f32 N 2"}}) {
    const std::string name(ElementTypeName(operand));
    Value& x = In(name + ".x", operand, {n_, Dim::Known(3)});
    Value& y = In(name + ".y", operand, {Dim::Known(3), Dim::Known(2)});
    Node& product = Op(rewriter_, graph_, "MatMul", name, {&x, &y});
    EXPECT_TRUE(Infer().conflicts.empty()) << name;
    EXPECT_EQ(Show(*product.output()), want);
  }
}

TEST_F(InferShapesTest, UnknownIsNoError) {
  Value& x = In("x", ElementType::kFloat32, {Dim::Known(2)});
  Node& strange = Op(rewriter_, graph_, "NoSuchOperator", "strange", {&x});
  Node& relu = Op(rewriter_, graph_, "Relu", "relu", {strange.output()});
  Node& conv = Op(rewriter_, graph_, "Conv", "conv", {strange.output(), strange.output()});
  const InferShapesResult result = Infer({.strict = true});
  EXPECT_EQ(Show(*relu.output()), "?");
  EXPECT_EQ(Show(*conv.output()), "?");
  EXPECT_EQ(result.unknown, 3u);
  EXPECT_TRUE(result.conflicts.empty());
}

TEST_F(InferShapesTest, ContradictionOfADeclaration) {
  Value& x = In("x", ElementType::kFloat32, {Dim::Known(2)});
  Node& relu = Op(rewriter_, graph_, "Relu", "relu", {&x});
  rewriter_.SetType(*relu.output(), F32(model_, {3}));
  const InferShapesResult result = Infer();
  ASSERT_EQ(result.conflicts.size(), 1u);
  EXPECT_EQ(result.conflicts[0].node, "relu");
  EXPECT_EQ(result.conflicts[0].message, "value 'relu.out': declared f32[3], inferred f32[2]");
  EXPECT_EQ(Show(*relu.output()), "f32 3");
  const auto strict = InferShapes(rewriter_, {.strict = true});
  EXPECT_EQ(FormatError(strict.status()),
            "node 'relu': value 'relu.out': declared f32[3], inferred f32[2]");
}

TEST_F(InferShapesTest, ContradictionInsideANode) {
  Value& x = In("x", ElementType::kFloat32, {Dim::Known(2), Dim::Known(3)});
  Value& y = In("y", ElementType::kFloat32, {Dim::Known(4), Dim::Known(5)});
  Node& product = Op(rewriter_, graph_, "MatMul", "product", {&x, &y});
  const InferShapesResult result = Infer();
  ASSERT_EQ(result.conflicts.size(), 1u);
  EXPECT_EQ(result.conflicts[0].node, "product");
  EXPECT_EQ(Show(*product.output()), "?");
  const auto strict = InferShapes(rewriter_, {.strict = true});
  EXPECT_EQ(GetContext(strict.status(), ErrorContext::kNode), "product");
}

TEST_F(InferShapesTest, DeclarationsAreRefined) {
  Value& x = In("x", ElementType::kFloat32, {Dim::Known(2), n_});
  Node& relu = Op(rewriter_, graph_, "Relu", "relu", {&x});
  rewriter_.SetType(*relu.output(), model_.Intern(Type::Tensor(ElementType::kFloat32,
                                                               Shape{Dim(), Dim::Symbol("M")})));
  Infer({.strict = true});
  EXPECT_EQ(Show(*relu.output()), "f32 2 M");
}

TEST_F(InferShapesTest, BranchesOfIf) {
  Value& condition = In("c", ElementType::kBool, {});
  Value& x = In("x", ElementType::kFloat32, {Dim::Known(2), Dim::Known(3)});
  Node& node = Op(rewriter_, graph_, "If", "if", {&condition});
  const Value* inner = nullptr;
  for (const std::string_view name : {"then_branch", "else_branch"}) {
    Graph& body = rewriter_.AddBody(node, model_.Intern(name), false);
    Node& relu = Op(rewriter_, body, "Relu", std::string(name), {&rewriter_.Capture(body, x)});
    rewriter_.AddGraphOutput(body, relu.output());
    inner = relu.output();
  }
  Infer({.strict = true});
  EXPECT_EQ(Show(*node.output()), "f32 2 3");
  EXPECT_EQ(Show(*inner), "f32 2 3");
}

TEST_F(InferShapesTest, UnknownBranchIsNoContradiction) {
  Value& condition = In("c", ElementType::kBool, {});
  Value& x = In("x", ElementType::kFloat32, {Dim::Known(2), Dim::Known(3)});
  Node& node = Op(rewriter_, graph_, "If", "if", {&condition});
  for (const std::string_view op : {"Relu", "Mystery"}) {
    Graph& body =
        rewriter_.AddBody(node, model_.Intern(op == "Relu" ? "then_branch" : "else_branch"), false);
    Node& inner = Op(rewriter_, body, std::string(op), "inner", {&rewriter_.Capture(body, x)});
    rewriter_.AddGraphOutput(body, inner.output());
  }
  Infer({.strict = true});
  EXPECT_EQ(Show(*node.output()), "?");
}

TEST_F(InferShapesTest, BodyOfLoop) {
  Value& count = In("count", ElementType::kInt64, {});
  Value& condition = In("c", ElementType::kBool, {});
  Value& x = In("x", ElementType::kFloat32, {Dim::Known(2), Dim::Known(3)});
  NodeSpec spec;
  spec.op = "Loop";
  spec.name = "loop";
  spec.inputs = {&count, &condition, &x};
  spec.outputs = {"last", "all"};
  Node& loop = rewriter_.CreateNode(graph_, nullptr, spec);
  Graph& body = rewriter_.AddBody(loop, model_.Intern("body"), false);
  rewriter_.AddGraphInput(body, model_.Intern("i"), model_.unknown_type());
  Value& go = rewriter_.AddGraphInput(body, model_.Intern("go"), model_.unknown_type());
  Value& state = rewriter_.AddGraphInput(body, model_.Intern("state"), F32(model_, {2, 3}));
  Node& relu = Op(rewriter_, body, "Relu", "relu", {&state});
  rewriter_.AddGraphOutput(body, &go);
  rewriter_.AddGraphOutput(body, relu.output());
  rewriter_.AddGraphOutput(body, relu.output());
  Infer({.strict = true});
  EXPECT_EQ(Show(*relu.output()), "f32 2 3");
  EXPECT_EQ(Show(*loop.output(1)), "f32 ? 2 3");
  EXPECT_EQ(Show(go), "bool");
}

TEST_F(InferShapesTest, LocalFunctionsAreInferredPerCall) {
  Function& function = rewriter_.AddFunction(model_.Intern("d"), model_.Intern("Twice"), {});
  rewriter_.SetFunctionInterface(function, {model_.Intern("axis")}, {}, {{"", 17}});
  Value& a = rewriter_.AddGraphInput(function.body(), model_.Intern("a"), model_.unknown_type());
  Node& concat = Op(rewriter_, function.body(), "Concat", "concat", {&a, &a});
  Attribute axis;
  axis.name = model_.Intern("axis");
  axis.reference = axis.name;
  axis.reference_kind = AttributeKind::kInt;
  rewriter_.AddAttribute(concat, std::move(axis));
  rewriter_.AddGraphOutput(function.body(), concat.output());

  Value& x = In("x", ElementType::kFloat32, {Dim::Known(2), Dim::Known(3)});
  std::vector<Node*> calls;
  for (const int64_t value : {0, 1}) {
    NodeSpec spec;
    spec.op = "Twice";
    spec.domain = "d";
    spec.inputs = {&x};
    spec.attributes = {{"axis", value}};
    calls.push_back(&rewriter_.CreateNode(graph_, nullptr, spec));
  }
  Infer({.strict = true});
  EXPECT_EQ(Show(*calls[0]->output()), "f32 4 3");
  EXPECT_EQ(Show(*calls[1]->output()), "f32 2 6");
  // The body itself is nobody's call.
  EXPECT_EQ(Show(*concat.output()), "?");
}

TEST_F(InferShapesTest, FunctionThatCallsItselfEnds) {
  Function& function = rewriter_.AddFunction(model_.Intern("d"), model_.Intern("F"), {});
  rewriter_.SetFunctionInterface(function, {}, {}, {{"", 17}});
  Value& a = rewriter_.AddGraphInput(function.body(), model_.Intern("a"), model_.unknown_type());
  NodeSpec spec;
  spec.op = "F";
  spec.domain = "d";
  spec.inputs = {&a};
  Node& inner = rewriter_.CreateNode(function.body(), nullptr, spec);
  Node& second = rewriter_.CreateNode(function.body(), nullptr, spec);
  rewriter_.AddGraphOutput(function.body(), inner.output());
  rewriter_.AddGraphOutput(function.body(), second.output());
  spec.inputs = {&In("x", ElementType::kFloat32, {})};
  Node& call = rewriter_.CreateNode(graph_, nullptr, spec);
  Infer({.strict = true});
  EXPECT_EQ(Show(*call.output()), "?");
}

TEST_F(InferShapesTest, DeployOperators) {
  Value& x = In("x", ElementType::kFloat32, {n_, Dim::Known(3), Dim::Known(8), Dim::Known(8)});
  Value& w = rewriter_.CreateInitializer(
      graph_, "w", Tensor::Of<int8_t>({4, 3, 3, 3}, std::vector<int8_t>(108)));
  Value& param = rewriter_.CreateInitializer(graph_, "param",
                                             Tensor::Of<uint64_t>({4}, std::vector<uint64_t>(4)));
  Node& quant = Op(rewriter_, graph_, "AscendQuant", "quant", {&x});
  rewriter_.SetAttribute(quant, "dst_type", std::string("INT8"));
  Node& conv = Op(rewriter_, graph_, "Conv", "conv", {quant.output(), &w});
  Node& dequant = Op(rewriter_, graph_, "AscendDequant", "dequant", {conv.output(), &param});
  Node& anti = Op(rewriter_, graph_, "AscendAntiQuant", "anti", {quant.output()});
  Node& wide = Op(rewriter_, graph_, "AscendQuant", "wide", {&x});
  rewriter_.SetAttribute(wide, "dst_type", std::string("INT16"));
  NodeSpec observe;
  observe.op = "Observe";
  observe.domain = "lathe";
  observe.inputs = {&x};
  observe.outputs = {};
  rewriter_.CreateNode(graph_, nullptr, observe);
  Infer({.strict = true});
  EXPECT_EQ(Show(*quant.output()), "i8 N 3 8 8");
  EXPECT_EQ(Show(*conv.output()), "i32 N 4 6 6");
  EXPECT_EQ(Show(*dequant.output()), "f32 N 4 6 6");
  EXPECT_EQ(Show(*anti.output()), "f32 N 3 8 8");
  EXPECT_EQ(Show(*wide.output()), "i16 N 3 8 8");
}

TEST_F(InferShapesTest, RecurrentDeployOperators) {
  Value& x = In("x", ElementType::kFloat32, {Dim::Known(5), n_, Dim::Known(7)});
  NodeSpec spec;
  spec.op = "BasicLSTMInplaceFillWindowCache";
  spec.inputs = {&x, &x, &x};
  spec.attributes = {{"hidden_size", int64_t{9}}};
  spec.outputs = {"Y", "Y_h", "Y_c"};
  Node& node = rewriter_.CreateNode(graph_, nullptr, spec);
  Infer({.strict = true});
  EXPECT_EQ(Show(*node.output(0)), "f32 5 1 N 9");
  EXPECT_EQ(Show(*node.output(2)), "f32 1 N 9");
}

TEST_F(InferShapesTest, ListsTypesWhenAsked) {
  Value& x = In("x", ElementType::kFloat32, {Dim::Known(2)});
  Node& relu = Op(rewriter_, graph_, "Relu", "relu", {&x});
  Node& last = Op(rewriter_, graph_, "Relu", "last", {relu.output()});
  rewriter_.AddGraphOutput(graph_, last.output());
  Infer();
  EXPECT_TRUE(graph_.value_info().empty());
  Infer({.list_types = true});
  Infer({.list_types = true});
  ASSERT_EQ(graph_.value_info().size(), 1u);
  EXPECT_EQ(graph_.value_info()[0].value, relu.output());
}

bool Accumulator(const Value& value) {
  return value.type().is_tensor() && value.type().element == ElementType::kInt32;
}

// Every extent and element type that `other` knows, ours has too.
bool AtLeast(const Type& ours, const onnx::TypeProto& other) {
  if (!other.has_tensor_type() || !ours.is_tensor()) return !other.has_tensor_type();
  const auto& tensor = other.tensor_type();
  if (tensor.elem_type() != static_cast<int32_t>(ours.element)) return tensor.elem_type() == 0;
  if (!tensor.has_shape()) return true;
  if (!ours.shape || static_cast<int>(ours.shape->size()) != tensor.shape().dim_size())
    return false;
  for (int i = 0; i < tensor.shape().dim_size(); ++i) {
    const auto& dim = tensor.shape().dim(i);
    const Dim& own = (*ours.shape)[static_cast<size_t>(i)];
    if (dim.has_dim_value() && (!own.is_known() || own.extent() != dim.dim_value())) return false;
  }
  return true;
}

TEST(InferShapesModels, KnowWhatOnnxKnows) {
  const auto paths = SharedModels();
  if (paths.empty()) GTEST_SKIP() << "no models: " << SharedFolder() << " is missing";
  size_t values = 0;
  for (const auto& path : paths) {
    SCOPED_TRACE(path);
    onnx::ModelProto message;
    std::ifstream stream(path, std::ios::binary);
    if (!message.ParseFromIstream(&stream)) continue;
    message.mutable_graph()->clear_value_info();
    const std::string bytes = message.SerializeAsString();
    frontends::ImportOptions options;
    options.external_data_folder = path.parent_path();
    auto model = frontends::ImportOnnxBytes(std::as_bytes(std::span(bytes)), path, options);
    ASSERT_TRUE(model.ok()) << FormatError(model.status());
    Rewriter rewriter(**model);
    const auto result = InferShapes(rewriter);
    ASSERT_TRUE(result.ok());
    onnx::shape_inference::InferShapes(message, onnx::OpSchemaRegistry::Instance(),
                                       onnx::ShapeInferenceOptions(false, 0, true));
    std::map<std::string, const Value*> ours;
    for (const Node& node : (*model)->graph().nodes()) {
      for (const Value* output : node.outputs()) {
        ours[std::string(output->name_text())] = output;
      }
    }
    for (const auto& info : message.graph().value_info()) {
      const auto it = ours.find(info.name());
      if (it == ours.end()) continue;
      ++values;
      // onnx takes what Conv makes of integers for integers of the same type.
      if (Accumulator(*it->second)) continue;
      EXPECT_TRUE(AtLeast(it->second->type(), info.type()))
          << info.name() << ": " << info.type().ShortDebugString();
    }
  }
  std::cout << values << " values of " << paths.size() << " models\n";
}

}  // namespace
}  // namespace lathe::ir
