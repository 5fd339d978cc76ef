#include "lathe/ir/schema/operator_schema.h"

#include <algorithm>

#include <onnx/defs/schema.h>

#include "lathe/ir/schema/ascend_ops.h"

namespace lathe::ir {
namespace {

OperatorSchema::Parameter Convert(const onnx::OpSchema::FormalParameter& parameter) {
  return {parameter.GetName(), parameter.GetOption() == onnx::OpSchema::Optional,
          parameter.GetOption() == onnx::OpSchema::Variadic};
}

}  // namespace

std::optional<OperatorSchema> LookupSchema(std::string_view domain, std::string_view op,
                                           int64_t version) {
  if (const OperatorSchema* own = FindAscendOperator(domain, op)) return *own;
  if (version <= 0) return std::nullopt;
  const onnx::OpSchema* schema = onnx::OpSchemaRegistry::Schema(
      std::string(op), static_cast<int>(std::min<int64_t>(version, INT32_MAX)),
      std::string(domain == "ai.onnx" ? "" : domain));
  if (schema == nullptr) return std::nullopt;
  OperatorSchema result;
  result.domain = schema->domain();
  result.name = schema->Name();
  result.since_version = schema->SinceVersion();
  for (const auto& input : schema->inputs()) result.inputs.push_back(Convert(input));
  for (const auto& output : schema->outputs()) result.outputs.push_back(Convert(output));
  result.min_inputs = schema->min_input();
  result.max_inputs = schema->max_input();
  result.min_outputs = schema->min_output();
  result.max_outputs = schema->max_output();
  for (const auto& [name, attribute] : schema->attributes()) {
    result.attributes.push_back({name, attribute.required});
  }
  std::ranges::sort(result.attributes, {}, &OperatorSchema::AttributeInfo::name);
  return result;
}

}  // namespace lathe::ir
