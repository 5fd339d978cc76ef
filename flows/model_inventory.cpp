#include "lathe/flows/model_inventory.h"

#include <algorithm>

#include <fmt/format.h>

#include "lathe/passes/core/fact_table.h"

namespace lathe::flows {
namespace {

void AddTensor(const ir::Tensor& tensor, ModelInventory& inventory) {
  if (!tensor) return;
  ModelInventory::Parameters& entry =
      inventory.parameters[std::string(ir::ElementTypeName(tensor.element_type()))];
  ++entry.tensors;
  entry.elements += static_cast<uint64_t>(tensor.num_elements());
  entry.bytes += tensor.byte_size();
}

}  // namespace

std::vector<std::pair<std::string, size_t>> ModelInventory::OperatorsByCount() const {
  std::vector<std::pair<std::string, size_t>> result(operators.begin(), operators.end());
  std::ranges::stable_sort(result,
                           [](const auto& a, const auto& b) { return a.second > b.second; });
  return result;
}

ModelInventory TakeInventory(const ir::Model& model) {
  ModelInventory inventory;
  for (const ir::Graph* graph : model.AllGraphs()) {
    if (graph->owner() != nullptr) ++inventory.bodies;
    for (const ir::Value* value : graph->initializers()) AddTensor(value->tensor(), inventory);
    for (const ir::Node& node : graph->nodes()) {
      ++inventory.nodes;
      const bool own_domain = node.domain().empty() || node.domain_text() == "ai.onnx";
      ++inventory.operators[own_domain ? std::string(node.op_text())
                                       : fmt::format("{}.{}", node.domain_text(), node.op_text())];
      if (!node.Is("Constant")) continue;
      if (const ir::Tensor* tensor = node.TensorAttribute("value")) AddTensor(*tensor, inventory);
    }
  }
  return inventory;
}

std::vector<std::string> FactsOf(const ir::Model& model) {
  std::vector<std::string> result;
  for (const passes::FactDescriptor& fact : passes::AllFacts()) {
    if (passes::FactHolds(model, fact.name)) result.emplace_back(fact.name);
  }
  return result;
}

}  // namespace lathe::flows
