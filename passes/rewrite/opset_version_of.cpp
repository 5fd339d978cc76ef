#include "lathe/passes/rewrite/opset_version_of.h"

namespace lathe::passes {

int64_t OpsetVersionOf(const ir::Node& node) {
  const ir::Graph* graph = node.graph();
  while (graph->parent() != nullptr) graph = graph->parent();
  const std::string_view domain = node.domain_text();
  if (graph->function() == nullptr) return node.model().OpsetVersion(domain);
  const auto plain = [](std::string_view text) {
    return text == "ai.onnx" ? std::string_view() : text;
  };
  for (const ir::OpsetImport& import : graph->function()->opset_imports()) {
    if (plain(import.domain) == plain(domain)) return import.version;
  }
  return 0;
}

}  // namespace lathe::passes
