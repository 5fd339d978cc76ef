#include "lathe/passes/canonical/constant_folding.h"

#include <string>
#include <utility>
#include <vector>

#include "lathe/passes/canonical/operands.h"
#include "lathe/passes/core/tensor_edit.h"

namespace lathe::passes {
namespace {

// The graph's outputs that `value` is get the constant through an Identity, which the node itself
// becomes when it has nothing else to do.
void HandOn(ir::Rewriter& rewriter, ir::Node& node, ir::Value& value, ir::Value& constant) {
  if (node.num_outputs() == 1 && node.input(0) != nullptr) {
    ir::Value& old = *node.input(0);
    BecomeIdentity(rewriter, node, constant);
    rewriter.SetType(value, constant.type_ref());
    EraseIfUnused(rewriter, old);
    return;
  }
  const ir::Rewriter::OriginScope scope(rewriter, node);
  ir::NodeSpec spec;
  spec.op = "Identity";
  spec.domain = node.domain_text();
  spec.name = node.name_text();
  spec.inputs = {&constant};
  ir::Value& handed = *rewriter.CreateNode(*node.graph(), &node, std::move(spec)).output();
  const ir::Name name = value.name();
  rewriter.Rename(value, handed.name());
  rewriter.Rename(handed, name);
  rewriter.SetType(handed, constant.type_ref());
  rewriter.ReplaceAllUses(value, handed);
  EraseIfUnused(rewriter, value);
}

void BecomeConstant(ir::Rewriter& rewriter, ir::Node& node, const ir::Tensor& tensor) {
  DropInputs(rewriter, node, 0);
  while (!node.attributes().empty()) {
    rewriter.RemoveAttribute(node, rewriter.model().Text(node.attributes().back().name));
  }
  rewriter.SetOperator(node, "Constant", node.domain_text());
  const std::vector<int64_t> dims(tensor.dims().begin(), tensor.dims().end());
  const ir::ElementType type = tensor.element_type();
  rewriter.SetAttribute(node, "value", tensor.WithNotes({}));
  rewriter.SetType(*node.output(), rewriter.model().Intern(ir::Type::Tensor(type, dims)));
}

}  // namespace

bool OnlyHandsOn(const ir::Node& node) {
  return (node.Is("Identity") || node.Is("Constant")) && node.output()->is_graph_output() &&
         std::ranges::all_of(node.output()->uses(),
                             [](const ir::Use& use) { return use.user()->is_return(); });
}

ir::Value& ReplaceByConstant(ir::Rewriter& rewriter, ir::Value& value, ir::Tensor tensor) {
  ir::Graph& graph = *value.graph();
  const bool stays = value.is_graph_output();
  // Two values have the name for as long as it takes to move the uses.
  ir::Value& constant =
      stays ? rewriter.CreateInitializer(graph, value.name_text(), std::move(tensor))
            : rewriter.AddInitializer(graph, value.name(), std::move(tensor));
  for (ir::Use* use = value.first_use(); use != nullptr;) {
    ir::Use* next = use->next_use();
    if (!use->user()->is_return()) rewriter.ReplaceUse(*use, &constant);
    use = next;
  }
  if (stays) return constant;
  const bool others_stay = std::ranges::any_of(value.producer()->outputs(), &ir::Value::has_uses);
  if (others_stay) {
    const std::string computed = std::string(value.name_text()) + ".computed";
    rewriter.Rename(value, rewriter.model().UniqueValueName(computed));
  } else {
    EraseIfUnused(rewriter, value);
  }
  return constant;
}

std::vector<ir::Value*> ReplaceByConstants(ir::Rewriter& rewriter, ir::Node& node,
                                           std::vector<ir::Tensor> results) {
  std::vector<ir::Value*> outputs(node.outputs().begin(), node.outputs().end());
  if (node.graph()->function() != nullptr) {
    BecomeConstant(rewriter, node, results[0]);
    return outputs;
  }
  // The node goes with its last used result.
  size_t count = outputs.size();
  while (!outputs[count - 1]->has_uses()) --count;
  for (size_t i = 0; i < count; ++i) {
    ir::Value& value = *outputs[i];
    if (!value.has_uses()) continue;
    const bool is_output = value.is_graph_output();
    ir::Value& constant = ReplaceByConstant(rewriter, value, results[i].WithNotes({}));
    outputs[i] = &constant;
    if (is_output) HandOn(rewriter, node, value, constant);
  }
  return outputs;
}

}  // namespace lathe::passes
