#include "lathe/ir/schema/ascend_ops.h"

#include <string>

#include "lathe/ir/schema/internal/ascend_inference.h"

namespace lathe::ir {
namespace {

using Attributes = std::vector<OperatorSchema::AttributeInfo>;

constexpr std::string_view kLathe = "lathe";

OperatorSchema Define(std::string_view domain, std::string_view name,
                      std::vector<OperatorSchema::Parameter> inputs,
                      std::vector<OperatorSchema::Parameter> outputs, Attributes attributes) {
  OperatorSchema schema;
  schema.domain = domain;
  schema.name = name;
  schema.max_inputs = static_cast<int64_t>(inputs.size());
  schema.max_outputs = static_cast<int64_t>(outputs.size());
  for (const auto& each : inputs) schema.min_inputs += each.optional ? 0 : 1;
  for (const auto& each : outputs) schema.min_outputs += each.optional ? 0 : 1;
  schema.inputs = std::move(inputs);
  schema.outputs = std::move(outputs);
  schema.attributes = std::move(attributes);
  return schema;
}

Attributes RecurrentAttributes(std::string_view own) {
  return {{"activation_alpha"},  {"activation_beta"},  {"activations"},    {"clip"},
          {"direction"},         {"hidden_size"},      {std::string(own)}, {"quant_dtype", true},
          {"quant_offset_h"},    {"quant_offset_x"},   {"quant_scale_h"},  {"quant_scale_x"},
          {"quant_sqrt_mode_h"}, {"quant_sqrt_mode_x"}};
}

std::vector<OperatorSchema> Build() {
  return {
      Define("", "AscendAntiQuant", {{"x"}}, {{"y"}},
             {{"dst_type"}, {"offset", true}, {"scale", true}}),
      Define("", "AscendDequant", {{"x"}, {"deq_scale"}}, {{"y"}}, {{"dtype"}}),
      Define("", "AscendQuant", {{"x"}}, {{"y"}},
             {{"dst_type"}, {"offset", true}, {"scale", true}}),
      Define("", "AscendWeightQuant", {{"w"}, {"offset"}}, {{"y"}}, {{"dst_type"}}),
      Define("", "BasicGRUInplaceFillWindowCache",
             {{"x"},
              {"w"},
              {"r"},
              {"initial_h", true},
              {"bias", true},
              {"sequence_lens", true},
              {"reserved", true},
              {"dequant_param", true}},
             {{"Y", true}, {"Y_h", true}}, RecurrentAttributes("linear_before_reset")),
      Define("", "BasicLSTMInplaceFillWindowCache",
             {{"x"},
              {"w"},
              {"r"},
              {"initial_h", true},
              {"initial_c", true},
              {"bias", true},
              {"sequence_lens", true},
              {"reserved", true},
              {"dequant_param", true}},
             {{"Y", true}, {"Y_h", true}, {"Y_c", true}}, RecurrentAttributes("input_forget")),
      Define(kLathe, "Observe", {{"x"}}, {}, {{"hidden"}, {"layer", true}}),
  };
}

// ---- Shapes ----

void SameShape(onnx::InferenceContext& context, int32_t element) {
  onnx::updateOutputElemType(context, 0, element);
  if (onnx::hasInputShape(context, 0)) onnx::propagateShapeFromInputToOutput(context, 0, 0);
}

int32_t IntegerType(const onnx::InferenceContext& context) {
  const std::string type = onnx::getAttribute(context, "dst_type", "INT8");
  if (type == "INT4") return onnx::TensorProto::INT4;
  if (type == "INT16") return onnx::TensorProto::INT16;
  return onnx::TensorProto::INT8;
}

// Y [sequence, directions, batch, hidden], Y_h and Y_c [directions, batch, hidden], as the float
// operators have them.
void Recurrent(onnx::InferenceContext& context) {
  onnx::Dim sequence;
  onnx::Dim batch;
  onnx::Dim directions;
  onnx::Dim hidden;
  if (onnx::hasInputShape(context, 0)) {
    const auto& shape = onnx::getInputShape(context, 0);
    if (shape.dim_size() != 3) {
      fail_shape_inference("input 0 has rank ", shape.dim_size(), ", not 3");
    }
    sequence = shape.dim(0);
    batch = shape.dim(1);
  }
  const std::string direction = onnx::getAttribute(context, "direction", "forward");
  directions.set_dim_value(direction == "bidirectional" ? 2 : 1);
  if (const int64_t size = onnx::getAttribute(context, "hidden_size", int64_t{-1}); size > 0) {
    hidden.set_dim_value(size);
  }
  for (size_t i = 0; i < context.getNumOutputs(); ++i) {
    onnx::updateOutputElemType(context, i, onnx::TensorProto::FLOAT);
    if (i == 0) {
      onnx::updateOutputShape(context, i, {sequence, directions, batch, hidden});
    } else {
      onnx::updateOutputShape(context, i, {directions, batch, hidden});
    }
  }
}

}  // namespace

std::span<const OperatorSchema> AscendOperators() {
  static const std::vector<OperatorSchema> kOperators = Build();
  return kOperators;
}

const OperatorSchema* FindAscendOperator(std::string_view domain, std::string_view op) {
  if (domain == "ai.onnx") domain = "";
  for (const OperatorSchema& schema : AscendOperators()) {
    if (schema.name == op && schema.domain == domain) return &schema;
  }
  return nullptr;
}

bool InferAscendOperator(std::string_view domain, std::string_view op,
                         onnx::InferenceContext& context) {
  if (FindAscendOperator(domain, op) == nullptr) return false;
  if (op == "AscendQuant" || op == "AscendWeightQuant") {
    SameShape(context, IntegerType(context));
  } else if (op == "AscendDequant") {
    const bool half = onnx::getAttribute(context, "dtype", int64_t{0}) == 1;
    SameShape(context, half ? onnx::TensorProto::FLOAT16 : onnx::TensorProto::FLOAT);
  } else if (op == "AscendAntiQuant") {
    SameShape(context, onnx::TensorProto::FLOAT);
  } else if (op.starts_with("Basic")) {
    Recurrent(context);
  }
  return true;
}

}  // namespace lathe::ir
