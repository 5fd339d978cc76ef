#include "lathe/ir/schema/verify_operators.h"

#include <optional>

#include <absl/container/flat_hash_map.h>

#include "lathe/ir/schema/operator_schema.h"

namespace lathe::ir {
namespace {

int64_t VersionOf(const std::vector<OpsetImport>& imports, std::string_view domain) {
  const auto canonical = [](std::string_view text) { return text == "ai.onnx" ? "" : text; };
  for (const OpsetImport& import : imports) {
    if (canonical(import.domain) == canonical(domain)) return import.version;
  }
  return 0;
}

const std::vector<OpsetImport>& ImportsOf(const Graph& graph) {
  const Graph* top = &graph;
  while (top->parent() != nullptr) top = top->parent();
  return top->function() != nullptr ? top->function()->opset_imports()
                                    : top->model().info().opset_imports;
}

std::string Allowed(int64_t low, int64_t high) {
  if (low == high) return fmt::format("{}", low);
  if (high >= INT32_MAX) return fmt::format("at least {}", low);
  return fmt::format("{} to {}", low, high);
}

Status Check(const Node& node, const OperatorSchema& schema) {
  const auto inputs = static_cast<int64_t>(node.num_inputs());
  if (inputs < schema.min_inputs || inputs > schema.max_inputs) {
    return InvalidInput("{} takes {} inputs, this one has {}", schema.name,
                        Allowed(schema.min_inputs, schema.max_inputs), inputs);
  }
  const auto outputs = static_cast<int64_t>(node.num_outputs());
  if (outputs < schema.min_outputs || outputs > schema.max_outputs) {
    return InvalidInput("{} has {} outputs, this one has {}", schema.name,
                        Allowed(schema.min_outputs, schema.max_outputs), outputs);
  }
  for (size_t i = 0; i < schema.inputs.size(); ++i) {
    const OperatorSchema::Parameter& input = schema.inputs[i];
    if (i < node.num_inputs() && node.input(i) == nullptr && !input.optional && !input.variadic) {
      return InvalidInput("{} needs its input {} ('{}'), which is left out", schema.name, i,
                          input.name);
    }
  }
  for (const OperatorSchema::AttributeInfo& attribute : schema.attributes) {
    if (attribute.required && node.FindAttribute(attribute.name) == nullptr) {
      return InvalidInput("{} needs the attribute '{}'", schema.name, attribute.name);
    }
  }
  return OkStatus();
}

}  // namespace

Status VerifyOperators(const Model& model) {
  absl::flat_hash_map<std::tuple<Name, Name, int64_t>, std::optional<OperatorSchema>> schemas;
  absl::flat_hash_set<std::pair<Name, Name>> functions;
  for (const auto& function : model.functions()) {
    functions.emplace(function->domain(), function->name());
  }
  for (const Graph* graph : model.AllGraphs()) {
    const std::vector<OpsetImport>& imports = ImportsOf(*graph);
    for (const Node& node : graph->nodes()) {
      if (functions.contains({node.domain(), node.op()})) continue;
      const int64_t version = VersionOf(imports, node.domain_text());
      auto [it, inserted] = schemas.try_emplace({node.domain(), node.op(), version});
      if (inserted) it->second = LookupSchema(node.domain_text(), node.op_text(), version);
      if (!it->second) continue;
      LATHE_RETURN_IF_ERROR(
          WithContext(Check(node, *it->second), ErrorContext::kNode, node.display_name()));
    }
  }
  return OkStatus();
}

}  // namespace lathe::ir
