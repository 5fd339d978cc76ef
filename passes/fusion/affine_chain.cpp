#include "lathe/passes/fusion/affine_chain.h"

#include "lathe/support/quoted.h"

namespace lathe::passes {

void ChainMissed(const PassContext& context, const ir::Node& layer, const ir::Node& where,
                 std::string_view reason) {
  context.Missed(where,
                 fmt::format("not folded into {}: {}", Quoted(layer.display_name()), reason));
}

void ChainFolded(PassContext& context, ir::Node& layer, const std::vector<ir::Node*>& chain) {
  std::vector<ir::Origin> origins = {layer.origin()};
  for (const ir::Node* node : chain) {
    context.Applied(layer, fmt::format("folded {}", Quoted(node->display_name())));
    origins.push_back(node->origin());
  }
  context.Count("folded", static_cast<int64_t>(chain.size()));
  context.rewriter().SetOrigin(layer, context.model().MergeOrigins(origins));
}

}  // namespace lathe::passes
