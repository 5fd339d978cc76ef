#include "lathe/passes/quant/remove_retrain.h"

#include <span>
#include <string_view>
#include <vector>

#include "lathe/passes/canonical/visit_nodes.h"
#include "lathe/passes/core/tensor_edit.h"
#include "lathe/passes/quant/insert_retrain.h"

namespace lathe::passes {
namespace {

// Input 0 of the node at the end of a chain of such operators, each the producer of input 0 of the
// one before; null when the graph is another.
ir::Value* Upstream(ir::Node* node, std::span<const std::string_view> chain) {
  for (const std::string_view& op : chain) {
    if (node == nullptr || !node->Is(op) || node->num_inputs() == 0 || node->input(0) == nullptr) {
      return nullptr;
    }
    if (&op == &chain.back()) return node->input(0);
    node = node->input(0)->producer();
  }
  return nullptr;
}

constexpr std::string_view kActivationChain[] = {"Mul", "Sub", "Clip", "Round", "Add", "Div"};
constexpr std::string_view kWeightChain[] = {"Reshape", "Mul", "Clip", "Round", "Div", "Reshape"};

QuantizerConstants CollectConstants(const ir::Model& model) {
  QuantizerConstants constants;
  for (const ir::Graph* graph : model.AllGraphs()) {
    for (const ir::Value* value : graph->initializers()) {
      for (const std::string_view part :
           {kClipMax, kClipMin, kWeightScales, kHiddenClipMax, kHiddenClipMin, kRecurrenceScales}) {
        if (!value->name_text().ends_with(part)) continue;
        constants.emplace(value->name_text(), value->ConstantTensor());
      }
    }
  }
  return constants;
}

bool EndsWeightQuantizer(const ir::Node& node) {
  const std::string_view name = node.name_text();
  return name.ends_with(kWeightQuantizer) || name.ends_with(kRecurrenceQuantizer);
}

bool EndsActivationQuantizer(const ir::Node& node) {
  const std::string_view name = node.name_text();
  return name.ends_with(kActivationQuantizer) || name.ends_with(kHiddenQuantizer);
}

}  // namespace

StatusOr<QuantizerConstants> RemoveRetrain(ir::Model& model) {
  QuantizerConstants constants = CollectConstants(model);
  std::vector<ir::Node*> last_nodes;
  VisitNodes(model.graph(), [&](ir::Node& node) {
    if (EndsActivationQuantizer(node) || EndsWeightQuantizer(node)) last_nodes.push_back(&node);
  });
  ir::Rewriter rewriter(model);
  for (ir::Node* node : last_nodes) {
    ir::Value* source = EndsWeightQuantizer(*node) ? Upstream(node, kWeightChain)
                                                   : Upstream(node, kActivationChain);
    if (source == nullptr) {
      return WithContext(
          InvalidInput("it is called like the end of a quantiser and is none: another tool has "
                       "rewritten the retrain model"),
          ErrorContext::kNode, node->display_name());
    }
    ir::Value* result = node->output();
    rewriter.ReplaceValue(*result, *source);
    EraseIfUnused(rewriter, *result);
  }
  return constants;
}

}  // namespace lathe::passes
