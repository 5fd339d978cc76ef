#include "lathe/passes/canonical/opset.h"

namespace lathe::passes {

int64_t OpsetOf(const ir::Node& node) {
  const ir::Graph* graph = node.graph();
  while (graph->parent() != nullptr) graph = graph->parent();
  if (graph->function() == nullptr) return node.model().OpsetVersion("");
  for (const ir::OpsetImport& import : graph->function()->opset_imports()) {
    if (import.domain.empty() || import.domain == "ai.onnx") return import.version;
  }
  return 0;
}

}  // namespace lathe::passes
