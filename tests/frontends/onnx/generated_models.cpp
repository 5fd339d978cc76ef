#include "lathe/tests/frontends/onnx/generated_models.h"

#include <google/protobuf/text_format.h>

#include "lathe/tests/frontends/onnx/generated_parts.h"

namespace lathe::test {

using onnx::ModelProto;

ModelProto ParseModel(const std::string& text) {
  ModelProto model;
  if (!google::protobuf::TextFormat::ParseFromString(text, &model)) {
    ADD_FAILURE() << "the test's own model is not valid text format:\n" << text;
  }
  return model;
}

ModelProto ModelWithGraph(const std::string& graph) {
  return ParseModel("ir_version: 10 opset_import { version: 21 } graph { " + graph + " }");
}

namespace {

// Types and shapes filled in as onnx's checker asks for them.
void Complete(onnx::ValueInfoProto& value) {
  if (!value.type().has_tensor_type())
    value.mutable_type()->mutable_tensor_type()->set_elem_type(1);
  value.mutable_type()->mutable_tensor_type()->mutable_shape();
}

void Complete(onnx::GraphProto& graph) {
  for (auto& value : *graph.mutable_input()) Complete(value);
  for (auto& value : *graph.mutable_output()) Complete(value);
  for (auto& value : *graph.mutable_value_info()) Complete(value);
  for (auto& node : *graph.mutable_node()) {
    for (auto& attribute : *node.mutable_attribute()) {
      if (attribute.has_g()) Complete(*attribute.mutable_g());
    }
  }
}

ModelProto Completed(ModelProto model) {
  Complete(*model.mutable_graph());
  return model;
}

// The checker allows no name twice, not even in bodies within each other, and no body that returns
// a value of an enclosing graph.
ModelProto WithUniqueNames(ModelProto model) {
  onnx::GraphProto& then_branch =
      *model.mutable_graph()->mutable_node(1)->mutable_attribute(0)->mutable_g();
  then_branch.mutable_node(0)->set_output(0, "then_local");
  then_branch.mutable_node(1)->set_input(2, "then_local");
  onnx::NodeProto& scan = *model.mutable_graph()->mutable_node(2);
  scan.mutable_attribute(1)->mutable_g()->mutable_output()->RemoveLast();
  return model;
}

}  // namespace

const std::vector<NamedModel>& GeneratedModels() {
  static const std::vector<NamedModel> models = {
      {"small", Small()},
      {"raw_element_types", RawElementTypes()},
      {"typed_element_types", TypedElementTypes()},
      {"value_types", ValueTypes()},
      {"nested_bodies", NestedBodies()},
      {"functions", Functions()},
      {"sparse_tensors", SparseTensors()},
      {"initializers_as_inputs", InitializersAsInputs()},
      {"notes", Notes()},
      {"attributes", Attributes()},
      {"odd_value_info", OddValueInfo()},
      {"omitted_operands", OmittedOperands()},
      {"complete_nested_bodies", WithUniqueNames(Completed(NestedBodies()))},
      {"complete_functions", Completed(Functions())},
      {"complete_sparse_tensors", Completed(SparseTensors())},
      {"complete_odd_value_info", Completed(OddValueInfo())},
      {"complete_omitted_operands", Completed(OmittedOperands())},
  };
  return models;
}

}  // namespace lathe::test
