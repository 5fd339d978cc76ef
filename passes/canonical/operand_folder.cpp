#include "lathe/passes/canonical/operand_folder.h"

#include <algorithm>
#include <string>

#include "lathe/eval/evaluate.h"
#include "lathe/passes/canonical/constant_folding.h"
#include "lathe/passes/canonical/operands.h"
#include "lathe/passes/core/tensor_edit.h"

namespace lathe::passes {
namespace {

// What the operand's constant really is: behind captures and Identity nodes.
ir::Value* Root(ir::Value* value) {
  for (;;) {
    value = value->Resolve();
    ir::Node* producer = value->producer();
    if (producer == nullptr || !producer->Is("Identity") || producer->input(0) == nullptr) {
      return value;
    }
    value = producer->input(0);
  }
}

// The nodes that compute the producer's results, in an order in which they can be evaluated, and
// the bytes of the constants they start from.
std::vector<ir::Node*> Computation(ir::Node& last, size_t* source_bytes) {
  std::vector<ir::Node*> order;
  absl::flat_hash_set<ir::NodeId> seen;
  absl::flat_hash_set<ir::ValueId> sources;
  std::vector<std::pair<ir::Node*, size_t>> stack = {{&last, 0}};
  seen.insert(last.id());
  while (!stack.empty()) {
    auto& [node, next] = stack.back();
    if (next == node->num_inputs()) {
      if (node->Is("Constant")) *source_bytes += node->output()->ConstantTensor().byte_size();
      order.push_back(node);
      stack.pop_back();
      continue;
    }
    ir::Value* input = node->input(next++);
    if (input == nullptr) continue;
    input = input->Resolve();
    if (ir::Node* producer = input->producer()) {
      if (seen.insert(producer->id()).second) stack.emplace_back(producer, 0);
    } else if (sources.insert(input->id()).second) {
      *source_bytes += input->tensor().byte_size();
    }
  }
  return order;
}

StatusOr<ir::Tensor> Evaluate(const std::vector<ir::Node*>& nodes, const ir::Value& wanted,
                              size_t source_bytes) {
  // Before anything is computed: a node that cannot be is often the last.
  const auto unknown = std::ranges::find_if_not(
      nodes, [](const ir::Node* node) { return eval::CanEvaluate(*node); });
  if (unknown != nodes.end()) {
    return eval::Evaluate(**unknown, {}).status();
  }
  const eval::EvaluateOptions limits = {.max_result_bytes = AllowedBytes(source_bytes)};
  // How often each intermediate value is still needed, so that it goes after its last use.
  absl::flat_hash_map<ir::ValueId, int> needed;
  for (const ir::Node* node : nodes) {
    for (const ir::Use& input : node->inputs()) {
      if (input.value() != nullptr) ++needed[input.value()->Resolve()->id()];
    }
  }
  absl::flat_hash_map<ir::ValueId, ir::Tensor> computed;
  for (const ir::Node* node : nodes) {
    std::vector<ir::Tensor> inputs;
    for (const ir::Use& input : node->inputs()) {
      if (input.value() == nullptr) {
        inputs.emplace_back();
        continue;
      }
      const ir::Value& source = *input.value()->Resolve();
      if (source.producer() == nullptr) {
        inputs.push_back(source.tensor());
        continue;
      }
      const auto it = computed.find(source.id());
      // In order, so it is there, unless its node gave fewer results than it has outputs.
      if (it == computed.end()) {
        return Unsupported("output '{}' of {} cannot be evaluated", source.name_text(),
                           source.producer()->op_text());
      }
      inputs.push_back(it->second);
      if (--needed[source.id()] == 0 && &source != &wanted) computed.erase(it);
    }
    LATHE_ASSIGN_OR_RETURN(std::vector<ir::Tensor> results, eval::Evaluate(*node, inputs, limits));
    for (size_t i = 0; i < std::min(results.size(), node->num_outputs()); ++i) {
      computed.insert_or_assign(node->output(i)->id(), std::move(results[i]));
    }
  }
  const auto it = computed.find(wanted.id());
  if (it == computed.end()) {
    return Unsupported("output '{}' of {} cannot be evaluated", wanted.name_text(),
                       wanted.producer()->op_text());
  }
  // Notes belong to the tensor of an attribute, its name above all.
  return it->second.WithNotes({});
}

}  // namespace

Status OperandFolder::Visit(ir::Use& operand) {
  ir::Value* root = Root(operand.value());
  if (root->producer() != nullptr) {
    LATHE_ASSIGN_OR_RETURN(root, Fold(*operand.user(), *root));
    if (root == nullptr) return OkStatus();
  }
  if (root->kind() == ir::Value::Kind::kInitializer && root->tensor()) Shorten(operand, *root);
  return OkStatus();
}

// The initializer that replaces `value`; null when it stays, and then a remark says why unless it
// depends on more than constants.
StatusOr<ir::Value*> OperandFolder::Fold(const ir::Node& user, ir::Value& value) {
  if (InFunction(*value.graph()) || !IsConstant(value) || !looked_at_.insert(value.id()).second) {
    return nullptr;
  }
  ir::Node& producer = *value.producer();
  size_t source_bytes = 0;
  const std::vector<ir::Node*> nodes = Computation(producer, &source_bytes);
  StatusOr<ir::Tensor> tensor = Evaluate(nodes, value, source_bytes);
  if (!tensor.ok()) {
    // A model that cannot be evaluated is not wrong for that: others may.
    context_.Missed(user, fmt::format("'{}' stays computed: {}", value.name_text(),
                                      FormatError(tensor.status())));
    context_.Count("left");
    return nullptr;
  }
  const std::string name(value.name_text());
  ir::Value& constant = ReplaceByConstant(context_.rewriter(), value, *std::move(tensor));
  context_.Applied(
      user, fmt::format("'{}' is a constant now, computed by {} nodes before", name, nodes.size()));
  context_.Count("folded");
  changed_ = true;
  return &constant;
}

// Takes Identity nodes between the initializer and the operand away if they serve this operand
// only. Captures stay: the initializer is outside.
void OperandFolder::Shorten(ir::Use& operand, ir::Value& root) {
  ir::Value* first = operand.value();
  bool identities = false;
  for (ir::Value* value = first; value != &root;) {
    if (!value->has_one_use() || value->graph() != root.graph()) return;
    const ir::Node* identity = value->producer();
    if (identity == nullptr) return;
    value = identity->input(0);
    identities = true;
  }
  if (!identities || !root.has_one_use()) return;
  context_.rewriter().ReplaceUse(operand, &root);
  EraseIfUnused(context_.rewriter(), *first);
  context_.Count("shortened");
  changed_ = true;
}

// Whether the value depends on nothing but constants. Every value is looked at once in all:
// O(nodes) for the whole pass.
bool OperandFolder::IsConstant(ir::Value& wanted) {
  std::vector<ir::Value*> stack = {&wanted};
  while (!stack.empty()) {
    const ir::Value* value = stack.back();
    const auto [entry, is_new] = constant_.try_emplace(value->id(), Known::kOpen);
    if (!is_new && entry->second != Known::kOpen) {
      stack.pop_back();
      continue;
    }
    const ir::Node* producer = value->producer();
    if (producer == nullptr) {
      const bool constant =
          value->kind() == ir::Value::Kind::kInitializer && static_cast<bool>(value->tensor());
      entry->second = constant ? Known::kYes : Known::kNo;
      continue;
    }
    // Without inputs only Constant gives the same each time.
    Known known =
        producer->has_bodies() || (producer->num_inputs() == 0 && !producer->Is("Constant"))
            ? Known::kNo
            : Known::kYes;
    const size_t depth = stack.size();
    for (const ir::Use& input : producer->inputs()) {
      if (known == Known::kNo) break;
      if (input.value() == nullptr) continue;
      ir::Value* source = const_cast<ir::Value*>(input.value()->Resolve());
      const auto it = constant_.find(source->id());
      if (it == constant_.end() || it->second == Known::kOpen) {
        stack.push_back(source);
      } else if (it->second == Known::kNo) {
        known = Known::kNo;
      }
    }
    if (known == Known::kYes && stack.size() > depth) continue;
    stack.resize(depth);
    constant_[value->id()] = known;
  }
  return constant_[wanted.id()] == Known::kYes;
}

}  // namespace lathe::passes
