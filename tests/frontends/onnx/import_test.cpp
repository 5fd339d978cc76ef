// What a file becomes in the IR.
#include "lathe/tests/frontends/onnx/generated_models.h"

namespace lathe::test {
namespace {

using ir::AttributeKind;
using ir::Value;
using testing::ElementsAre;
using testing::SizeIs;

std::unique_ptr<ir::Model> Generated(const std::string& name) {
  for (const NamedModel& model : GeneratedModels()) {
    if (model.name != name) continue;
    auto imported = Import(model.proto);
    EXPECT_TRUE(imported.ok()) << FormatError(imported.status());
    return imported.ok() ? *std::move(imported) : nullptr;
  }
  ADD_FAILURE() << "no model " << name;
  return nullptr;
}

ir::Node& NodeAt(const ir::Graph& graph, size_t index) {
  auto it = graph.nodes().begin();
  while (index-- > 0) ++it;
  return *it;
}

TEST(ImportOnnx, CapturesGoThroughEveryLevel) {
  const auto model = Generated("nested_bodies");
  ir::Node& outer_if = NodeAt(model->graph(), 1);
  const ir::Graph& then_branch = *outer_if.bodies()[0];
  ir::Node& loop = NodeAt(then_branch, 1);
  ir::Node& inner_if = NodeAt(*loop.bodies()[0], 0);
  const ir::Graph& a = *inner_if.bodies()[0];
  // "x" inside the innermost body is the main graph's input.
  Value* x = NodeAt(a, 0).input(1);
  EXPECT_EQ(x->kind(), Value::Kind::kCapture);
  EXPECT_EQ(x->Resolve(), model->graph().inputs()[1]);
  // "r" is the result of the main graph's first node, captured by each node on the way.
  Value* r = NodeAt(a, 1).input(1);
  EXPECT_EQ(r->Resolve(), model->graph().first_node()->output());
  EXPECT_EQ(r->captured()->user(), &inner_if);
  // "local" means something else in each body.
  EXPECT_EQ(NodeAt(a, 1).input(0), NodeAt(a, 0).output());
  const ir::Graph& b = *inner_if.bodies()[1];
  EXPECT_EQ(NodeAt(b, 0).input(1), b.initializers()[0]);
  EXPECT_EQ(loop.input(2), then_branch.first_node()->output());
  // The type of a capture is its value's.
  EXPECT_EQ(x->type().rank(), 1);
  // A body that returns an outer value.
  ir::Node& scan = NodeAt(model->graph(), 2);
  EXPECT_EQ(scan.bodies()[0]->outputs()[1].value()->Resolve(),
            model->graph().first_node()->output());
}

TEST(ImportOnnx, OriginsOfNamedAndUnnamedNodes) {
  const auto model = Generated("nested_bodies");
  ir::Node& outer_if = NodeAt(model->graph(), 1);
  EXPECT_EQ(outer_if.display_name(), "if");
  EXPECT_THAT(model->OriginNames(outer_if.origin()), ElementsAre(outer_if.name()));
  const auto omitted = Generated("omitted_operands");
  ir::Node& unnamed = NodeAt(omitted->graph(), 4);
  EXPECT_TRUE(unnamed.name().empty());
  EXPECT_THAT(omitted->OriginNames(unnamed.origin()), ElementsAre(omitted->Intern("node_4")));
}

TEST(ImportOnnx, OmittedOperands) {
  const auto model = Generated("omitted_operands");
  ir::Node& clip = NodeAt(model->graph(), 0);
  EXPECT_EQ(clip.num_inputs(), 3u);
  EXPECT_EQ(clip.input(1), nullptr);
  ir::Node& lstm = NodeAt(model->graph(), 2);
  EXPECT_EQ(lstm.num_outputs(), 3u);
  EXPECT_TRUE(lstm.output(0)->name().empty());
  EXPECT_TRUE(lstm.output(1)->has_uses());
}

TEST(ImportOnnx, InitializersThatAreInputsAreDefaults) {
  const auto model = Generated("initializers_as_inputs");
  const ir::Graph& graph = model->graph();
  ASSERT_THAT(graph.initializers(), SizeIs(3));
  EXPECT_EQ(graph.initializers()[0], graph.inputs()[2]);
  EXPECT_EQ(graph.initializers()[1]->kind(), Value::Kind::kInitializer);
  EXPECT_EQ(graph.initializers()[2], graph.inputs()[0]);
  EXPECT_EQ(graph.inputs()[0]->kind(), Value::Kind::kGraphInput);
  EXPECT_EQ(*graph.inputs()[0]->tensor().Values<float>(), (std::vector<float>{3, 4}));
  EXPECT_FALSE(graph.inputs()[1]->tensor());
}

TEST(ImportOnnx, TypesOfValues) {
  const auto model = Generated("value_types");
  const auto inputs = model->graph().inputs();
  EXPECT_TRUE(inputs[0]->type().has_rank());
  EXPECT_EQ(inputs[0]->type().rank(), 0);
  EXPECT_FALSE(inputs[1]->type().has_rank());
  const ir::Shape& dims = *inputs[2]->type().shape;
  EXPECT_EQ(dims[0].extent(), 0);
  EXPECT_EQ(dims[1].symbol(), "N");
  EXPECT_EQ(dims[1].denotation(), "DATA_BATCH");
  EXPECT_FALSE(dims[2].is_known() || dims[2].is_symbol());
  EXPECT_EQ(inputs[3]->type().kind, ir::Type::Kind::kSparseTensor);
  EXPECT_EQ(inputs[4]->type().nested->element, ir::ElementType::kString);
  EXPECT_EQ(inputs[5]->type().kind, ir::Type::Kind::kOptional);
  EXPECT_EQ(inputs[6]->type().element, ir::ElementType::kString);
  EXPECT_EQ(inputs[7]->type().opaque_name, "n");
  EXPECT_EQ(inputs[10]->type_ref(), model->unknown_type());
}

TEST(ImportOnnx, MinusOneAndEmptySymbolsAreUnknownExtents) {
  const auto model = Import(ModelWithGraph(R"pb(
    name: "g"
    input {
      name: "x"
      type {
        tensor_type {
          elem_type: 1
          shape {
            dim { dim_value: -1 }
            dim { dim_param: "" }
          }
        }
      }
    }
  )pb"));
  ASSERT_TRUE(model.ok());
  const ir::Shape& dims = *(*model)->graph().inputs()[0]->type().shape;
  EXPECT_EQ(dims[0], ir::Dim());
  EXPECT_EQ(dims[1], ir::Dim());
}

TEST(ImportOnnx, ValuesOfTypedFields) {
  const auto model = Generated("typed_element_types");
  for (const Value* value : model->graph().initializers()) {
    const ir::Tensor& tensor = value->tensor();
    if (tensor.num_elements() == 0) continue;
    EXPECT_EQ(tensor.notes().typed_field, tensor.element_type() != ir::ElementType::kString);
    if (tensor.element_type() == ir::ElementType::kFloat32) {
      EXPECT_EQ(tensor.Values<float>()->at(3), 3.75f);
    } else if (tensor.element_type() == ir::ElementType::kInt16) {
      EXPECT_EQ(tensor.Values<int16_t>()->at(0), static_cast<int16_t>(0x9e3779b97f4a7c15u));
    } else if (tensor.element_type() == ir::ElementType::kUint32) {
      EXPECT_EQ(tensor.Values<uint32_t>()->at(0), 0x9e3779b9u);
    } else if (tensor.element_type() == ir::ElementType::kInt4) {
      EXPECT_EQ(tensor.byte_size(), 8u);
      EXPECT_EQ(std::to_integer<int>(tensor.Read()->bytes()[1]), (71 + 200) & 0xff);
    } else if (tensor.element_type() == ir::ElementType::kString) {
      EXPECT_EQ(tensor.strings()[2], "text 2");
    }
  }
}

TEST(ImportOnnx, SixBitElementsArePackedBitByBit) {
  const auto model = Import(ModelWithGraph(R"pb(
    name: "g"
    initializer {
      name: "w"
      dims: 5
      data_type: 27
      int32_data: [ 1, 2, 3, 63, 32 ]
    }
  )pb"));
  ASSERT_TRUE(model.ok());
  const auto bytes = (*model)->graph().initializers()[0]->tensor().Read();
  std::vector<int> values;
  for (const std::byte byte : bytes->bytes()) values.push_back(std::to_integer<int>(byte));
  EXPECT_THAT(values, ElementsAre(0x81, 0x30, 0xfc, 0x20));
}

// Numbers may be packed or not, and a packed field may come in several parts.
TEST(ImportOnnx, PackedAndUnpackedNumbers) {
  const auto import_tensor = [](std::string_view payload) {
    const std::string tensor = std::string("\x42\x01w") + std::string(payload);
    std::string text = "\x12\x01g";
    text += '\x2a';
    text += static_cast<char>(tensor.size());
    text += tensor;
    std::string message = std::string("\x08\x0a\x3a") + static_cast<char>(text.size()) + text;
    return ImportText(message);
  };
  // dims packed [2]; float32; float_data as two unpacked floats.
  auto model = import_tensor(
      std::string("\x0a\x01\x02\x10\x01\x25\x00\x00\x80\x3f\x25\x00\x00\x00\x40", 15));
  ASSERT_TRUE(model.ok()) << FormatError(model.status());
  EXPECT_EQ(*(*model)->graph().initializers()[0]->tensor().Values<float>(),
            (std::vector<float>{1, 2}));
  // The same, one packed part and one unpacked.
  model = import_tensor(
      std::string("\x08\x02\x10\x01\x22\x04\x00\x00\x80\x3f\x25\x00\x00\x00\x40", 15));
  ASSERT_TRUE(model.ok()) << FormatError(model.status());
  EXPECT_EQ(*(*model)->graph().initializers()[0]->tensor().Values<float>(),
            (std::vector<float>{1, 2}));
  // int64_data, one packed part and one unpacked; 300 as two bytes.
  model = import_tensor(std::string("\x08\x03\x10\x07\x3a\x03\x05\xac\x02\x38\x07", 11));
  ASSERT_TRUE(model.ok()) << FormatError(model.status());
  EXPECT_EQ(*(*model)->graph().initializers()[0]->tensor().Values<int64_t>(),
            (std::vector<int64_t>{5, 300, 7}));
}

TEST(ImportOnnx, FieldsThatOnnxDoesNotDefineAreSkipped) {
  std::string message = GeneratedModels()[0].proto.SerializeAsString();
  // Field 1000 as varint, as bytes, as 4 and as 8 bytes.
  message += std::string("\xc0\x3e\x05\xc2\x3e\x02hi\xc5\x3e\1\2\3\4\xc1\x3e\1\2\3\4\5\6\7\x8", 24);
  const auto model = ImportText(message);
  ASSERT_TRUE(model.ok()) << FormatError(model.status());
  EXPECT_EQ((*model)->graph().num_nodes(), 2u);
}

TEST(ImportOnnx, AttributesOfEveryKind) {
  const auto model = Generated("attributes");
  const ir::Node& node = NodeAt(model->graph(), 0);
  EXPECT_EQ(node.IntAttribute("i", 0), INT64_MIN);
  EXPECT_EQ(node.StringAttribute("s", ""), std::string("\0\377text", 6));
  EXPECT_EQ(node.TensorAttribute("t")->notes().name, "named");
  EXPECT_EQ(node.FindAttribute("f0")->kind(), AttributeKind::kFloat);
  EXPECT_EQ(node.FindAttribute("no_ints")->kind(), AttributeKind::kInts);
  EXPECT_EQ(node.FindAttribute("no_graphs")->kind(), AttributeKind::kGraphs);
  EXPECT_EQ(node.FindAttribute("untyped_float")->kind(), AttributeKind::kFloat);
  EXPECT_EQ(node.FindAttribute("nothing")->kind(), AttributeKind::kUndefined);
  EXPECT_THAT(node.bodies(), SizeIs(3));
}

TEST(ImportOnnx, Functions) {
  const auto model = Generated("functions");
  ASSERT_THAT(model->functions(), SizeIs(2));
  const ir::Function& act = *model->functions()[0];
  EXPECT_EQ(model->FindFunction(model->Intern("local"), model->Intern("Act"), {}), &act);
  EXPECT_EQ(act.body().inputs()[0]->type().rank(), 1);
  const ir::Attribute& alpha = NodeAt(act.body(), 0).attributes()[0];
  EXPECT_EQ(model->Text(alpha.reference), "alpha");
  EXPECT_EQ(alpha.kind(), AttributeKind::kFloat);
  EXPECT_EQ(act.attribute_defaults()[0].kind(), AttributeKind::kInts);
  EXPECT_EQ(model->functions()[1]->body().outputs()[0].value(),
            model->functions()[1]->body().inputs()[0]);
}

TEST(ImportOnnx, OddValueInfo) {
  const auto model = Generated("odd_value_info");
  const ir::Graph& graph = model->graph();
  // What says something else than the value's definition belongs to no value.
  std::vector<bool> linked;
  for (const ir::ValueInfo& info : graph.value_info()) linked.push_back(info.value != nullptr);
  EXPECT_THAT(linked, ElementsAre(false, true, false, false, true, true, false, false, false));
  EXPECT_EQ(graph.first_node()->output()->type().kind, ir::Type::Kind::kTensor);
}

TEST(ImportOnnx, InitializersInAFileStayInIt) {
  const TemporaryFolder folder;
  onnx::ModelProto proto = ModelWithGraph(R"pb(
    name: "g"
    initializer {
      name: "a"
      dims: 5
      data_type: 1
      float_data: [ 1, 2, 3, 4, 5 ]
    }
    initializer { name: "b" dims: 5 data_type: 1 raw_data: "abcdefghijklmnopqrst" })pb");
  WriteFile(folder / "m.onnx", proto.SerializeAsString());
  const auto model = frontends::ImportOnnx(folder / "m.onnx");
  ASSERT_TRUE(model.ok());
  // Both lie in one mapping; smaller ones may be copied.
  const auto values = (*model)->graph().initializers();
  EXPECT_EQ(values[0]->tensor().Read()->owner(), values[1]->tensor().Read()->owner());
  EXPECT_EQ(*values[0]->tensor().Values<float>(), (std::vector<float>{1, 2, 3, 4, 5}));
}

TEST(ImportOnnx, UnknownDomainsAndOperatorsPass) {
  const auto model = Generated("notes");
  EXPECT_EQ(model->OpsetVersion("unknown.domain"), 1);
  EXPECT_EQ(NodeAt(model->graph(), 1).op_text(), "Strange");
  EXPECT_THAT(model->info().training_info, SizeIs(2));
  EXPECT_THAT(model->graph().quantization_annotations(), SizeIs(2));
}

}  // namespace
}  // namespace lathe::test
