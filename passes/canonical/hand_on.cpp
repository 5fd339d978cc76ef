#include "lathe/passes/canonical/hand_on.h"

namespace lathe::passes {

bool CanHandOn(const ir::Value& from, const ir::Value& to) {
  if (!from.is_graph_output()) return true;
  return to.kind() == ir::Value::Kind::kNodeOutput && !to.is_graph_output();
}

void HandOn(ir::Rewriter& rewriter, ir::Value& from, ir::Value& to) {
  const ir::Type& known = to.type();
  const bool says_more = known.kind == ir::Type::Kind::kUnknown ||
                         (known.is_tensor() && !known.has_rank() && from.type().is_tensor());
  if (says_more && from.type().kind != ir::Type::Kind::kUnknown) {
    rewriter.SetType(to, from.type_ref());
  }
  rewriter.ReplaceValue(from, to);
}

}  // namespace lathe::passes
