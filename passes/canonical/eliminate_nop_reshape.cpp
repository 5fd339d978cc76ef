#include "lathe/passes/canonical/eliminate_nop_reshape.h"

#include "lathe/passes/canonical/equal_shapes.h"
#include "lathe/passes/canonical/operands.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Removes Reshape, Flatten, Squeeze and Unsqueeze whose result has the shape of the operand:

    %a : f32[n,8]                          %y = Relu(%a)
    %b = Reshape(%a, [0, -1])
    %y = Relu(%b)

Conditions, one of:
- both shapes are known, extent by extent: as the same number or as the same symbol;
- Reshape: every constant extent asked for keeps the operand's (0, its own number, or the only -1);
- Reshape: the shape asked for is Shape of the operand itself;
- Flatten: the operand has rank 2 and `axis` is 1;
- Unsqueeze: no axes.
)";

// Every extent stays: 0 (where it stands for the operand's own), the number itself, and -1 once all
// others stay.
bool KeepsExtents(const ir::Node& reshape, const ir::Type& type) {
  const auto extents = ConstantInts(reshape.input(1));
  if (!extents || !type.is_tensor() || !type.has_rank() || extents->size() != type.shape->size()) {
    return false;
  }
  const bool zero_copies = reshape.IntAttribute("allowzero", 0) == 0;
  int inferred = 0;
  bool has_zero = false;
  for (size_t i = 0; i < extents->size(); ++i) {
    const int64_t extent = (*extents)[i];
    const ir::Dim& dim = (*type.shape)[i];
    has_zero |= extent == 0;
    if (extent == 0 && zero_copies) continue;
    if (dim.is_known() && dim.extent() == extent) continue;
    if (extent != -1 || ++inferred > 1) return false;
  }
  // With an extent of 0 among the others, -1 could be anything.
  return inferred == 0 || zero_copies || !has_zero;
}

bool IsShapeOf(const ir::Value* shape, const ir::Value& value) {
  const ir::Node* producer = shape == nullptr ? nullptr : shape->producer();
  return producer != nullptr && producer->Is("Shape") && producer->input(0) == &value &&
         producer->FindAttribute("start") == nullptr && producer->FindAttribute("end") == nullptr;
}

ir::Value* SameShape(const ir::Node& node) {
  ir::Value* input = node.input(0);
  if (input == nullptr) return nullptr;
  const ir::Type& type = input->type();
  if (EqualTensorTypes(node.output()->type(), type)) return input;
  if (node.Is("Reshape")) {
    const bool same = KeepsExtents(node, type) || IsShapeOf(node.input(1), *input);
    return same ? input : nullptr;
  }
  if (node.Is("Flatten")) {
    return type.rank() == 2 && node.IntAttribute("axis", 1) == 1 ? input : nullptr;
  }
  if (node.Is("Unsqueeze")) {
    const auto axes = ConstantInts(node.input(1));
    return axes && axes->empty() ? input : nullptr;
  }
  return nullptr;
}

}  // namespace

std::vector<RewriteRule> NopReshapeRules() {
  return {NoOpRule("drop-reshape", {"Reshape", "Flatten", "Squeeze", "Unsqueeze"},
                   "keeps the operand's shape", SameShape)};
}

const PassDescriptor& EliminateNopReshapePass() {
  static const PassDescriptor kPass = NoOpPass<NopReshapeRules>(
      "eliminate-nop-reshape", "Remove reshapes to the same shape", kDescription);
  return kPass;
}

}  // namespace lathe::passes
