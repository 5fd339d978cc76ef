// Elementwise operators that the reference stops at.
#include <algorithm>

#include <absl/container/flat_hash_set.h>

#include "lathe/passes/sparsity/flow_walk.h"

namespace lathe::passes {
namespace {

bool IsUnary(const ir::Node& node) {
  static const absl::flat_hash_set<std::string_view> kOperators = {"Elu",        "Erf",
                                                                   "Exp",        "Floor",
                                                                   "Gelu",       "HardSigmoid",
                                                                   "HardSwish",  "Log",
                                                                   "Mish",       "Neg",
                                                                   "Reciprocal", "Selu",
                                                                   "Sigmoid",    "Sign",
                                                                   "Sin",        "Sinh",
                                                                   "Softplus",   "Softsign",
                                                                   "Sqrt",       "Tan",
                                                                   "Tanh",       "ThresholdedRelu"};
  return node.domain_text().empty() && kOperators.contains(node.op_text());
}

bool IsCombination(const ir::Node& node) {
  static const absl::flat_hash_set<std::string_view> kOperators = {
      "Add", "Div", "Max", "Mean", "Min", "Mul", "PRelu", "Pow", "Sub", "Sum"};
  return node.domain_text().empty() && kOperators.contains(node.op_text());
}

// How an operand without channels of a record meets those of another.
enum class Operand { kNothingToCut, kCut, kUnknown };

Operand MeetChannels(const ir::Value& value, const ChannelLayout& layout) {
  const auto back = static_cast<size_t>(layout.back);
  if (const ir::Tensor tensor = value.ConstantTensor()) {
    const auto dims = tensor.dims();
    if (layout.rank == 0 ? dims.size() > back : dims.size() > static_cast<size_t>(layout.rank)) {
      return Operand::kUnknown;
    }
    if (dims.size() < back || dims[dims.size() - back] == 1) return Operand::kNothingToCut;
    return dims[dims.size() - back] == layout.positions() ? Operand::kCut : Operand::kUnknown;
  }
  const ir::Type& type = value.type();
  if (!type.has_rank() || type.rank() > layout.rank) return Operand::kUnknown;
  const ir::Shape& shape = *type.shape;
  if (shape.size() < back) return Operand::kNothingToCut;
  const ir::Dim& dim = shape[shape.size() - back];
  return dim.is_known() && dim.extent() == 1 ? Operand::kNothingToCut : Operand::kUnknown;
}

void FlowThroughCombination(FlowWalk& walk, ir::Node& node) {
  const ir::Value* first = nullptr;
  for (const ir::Use& use : node.inputs()) {
    if (walk.Find(use.value()) == nullptr) continue;
    if (first == nullptr) {
      first = use.value();
    } else if (!walk.Join(node, *first, *use.value())) {
      return;
    }
  }
  const ChannelLayout* layout = walk.Find(first);
  if (first == nullptr || layout == nullptr) return;
  bool cut = false;
  for (const ir::Use& use : node.inputs()) {
    if (walk.Find(use.value()) != nullptr) continue;
    const Operand operand =
        use.value() == nullptr ? Operand::kUnknown : MeetChannels(*use.value(), *layout);
    if (operand == Operand::kUnknown) {
      walk.StopAll(node, "whose other input cannot lose channels");
      return;
    }
    cut |= operand == Operand::kCut;
  }
  if (cut) walk.AddConsumer(node, *layout, {std::nullopt, layout->back});
  walk.PassOnCombined(node, *first);
}

}  // namespace

bool FlowThroughElementwise(FlowWalk& walk, ir::Node& node) {
  if (node.num_outputs() != 1) return false;
  if (IsUnary(node)) {
    if (node.num_inputs() != 1) return false;
    walk.PassOn(*node.input(0), *node.output());
    return true;
  }
  if (!IsCombination(node)) return false;
  FlowThroughCombination(walk, node);
  return true;
}

}  // namespace lathe::passes
