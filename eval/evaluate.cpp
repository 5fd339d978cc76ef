#include "lathe/eval/evaluate.h"

#include <absl/container/flat_hash_map.h>

#include "lathe/eval/internal/call.h"
#include "lathe/ir/model.h"

namespace lathe::eval {
namespace {

using OperatorTable = absl::flat_hash_map<std::string_view, const internal::Operator*>;

OperatorTable MakeTable() {
  OperatorTable table;
  for (const auto family : {internal::ElementwiseOperators(), internal::LayoutOperators(),
                            internal::ReductionOperators(), internal::ShapeOperators(),
                            internal::CastOperators(), internal::QuantizeOperators()}) {
    for (const internal::Operator& known : family) table.emplace(known.name, &known);
  }
  return table;
}

const internal::Operator* Find(const ir::Node& node) {
  if (!node.domain_text().empty() && node.domain_text() != "ai.onnx") return nullptr;
  static const OperatorTable kTable = MakeTable();
  const auto it = kTable.find(node.op_text());
  return it == kTable.end() ? nullptr : it->second;
}

// A function body imports its own operator sets.
int64_t Opset(const ir::Node& node) {
  const ir::Graph* graph = node.graph();
  while (graph->parent() != nullptr) graph = graph->parent();
  if (graph->function() == nullptr) return node.model().OpsetVersion("");
  for (const ir::OpsetImport& import : graph->function()->opset_imports()) {
    if (import.domain.empty() || import.domain == "ai.onnx") return import.version;
  }
  return node.model().OpsetVersion("");
}

}  // namespace

bool CanEvaluate(const ir::Node& node) { return Find(node) != nullptr; }

StatusOr<std::vector<ir::Tensor>> Evaluate(const ir::Node& node, std::span<const ir::Tensor> inputs,
                                           const EvaluateOptions& options) {
  const auto evaluate = [&]() -> StatusOr<std::vector<ir::Tensor>> {
    const internal::Operator* known = Find(node);
    if (known == nullptr) return Unsupported("operator {} is not evaluated", node.op_text());
    const auto compute = [&]() -> internal::Results {
      for (const ir::Tensor& input : inputs) {
        if (input) LATHE_RETURN_IF_ERROR(internal::CheckShape(input.dims()));
      }
      return known->evaluate({node, Opset(node), inputs, options.max_result_bytes});
    };
    auto results = compute();
    if (results.ok()) return results;
    return Status(results.status().code(),
                  fmt::format("{}: {}", node.op_text(), std::string(results.status().message())));
  };
  auto results = evaluate();
  if (!results.ok()) {
    return WithContext(results.status(), ErrorContext::kNode, node.display_name());
  }
  return results;
}

}  // namespace lathe::eval
