#include "lathe/passes/canonical/fold_weights.h"

#include <algorithm>

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include "lathe/eval/evaluate.h"
#include "lathe/passes/canonical/constant_folding.h"
#include "lathe/passes/canonical/operands.h"
#include "lathe/passes/core/facts.h"
#include "lathe/passes/core/tensor_edit.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Turns weights, biases and normalisation parameters that are computed from constants into constants, since only
a constant can be fused, quantised or packed:

    %t = Transpose(%w)                     %y = MatMul(%x, %t)      (%t is an initializer now)
    %y = MatMul(%x, %t)

Looked at are the weights and biases of Conv, ConvTranspose, Gemm, MatMul (with the bias that a following Add
adds as its second input), LSTM and GRU, and the four parameters of BatchNormalization, in the main graph and in
bodies. The computation may be anything the evaluator knows (eval/evaluate.h), also outside of the body that
uses it. The constant takes the name of the value that it replaces, in the graph where it was computed, and
all its uses; what only served the computation goes.

An operand that is an initializer already is left alone, and a constant that serves several layers stays one
constant: layers that share a weight are treated alike later. So Identity is looked through; it goes when
nothing else hangs on it, and the initializer becomes the operand.

Conditions:
- the value depends on initializers and Constant nodes only, not on defaults of inputs, and not on nodes with
  bodies;
- it is not computed inside of a local function, whose bodies have no initializers;
- every operator on the way can be evaluated;
- no result on the way is both larger than 1 MiB and more than 4 times as large as the constants it all
  comes from.
)";

// Operands of the node that are weights, biases or parameters. Those that are missing are null.
std::vector<ir::Use*> WeightOperands(ir::Node& node) {
  std::vector<size_t> indices;
  if (node.Is("Conv") || node.Is("ConvTranspose") || node.Is("Gemm")) {
    indices = {1, 2};
  } else if (node.Is("MatMul")) {
    indices = {1};
  } else if (node.Is("GRU")) {
    indices = {1, 2, 3};
  } else if (node.Is("LSTM")) {
    indices = {1, 2, 3, 7};
  } else if (node.Is("BatchNormalization")) {
    indices = {1, 2, 3, 4};
  }
  std::vector<ir::Use*> operands;
  for (const size_t i : indices) {
    if (node.input(i) != nullptr) operands.push_back(&node.inputs()[i]);
  }
  if (node.Is("MatMul") && node.output() != nullptr && node.output()->has_one_use()) {
    const ir::Use& use = *node.output()->first_use();
    if (use.index() == 0 && use.user()->Is("Add") && use.user()->input(1) != nullptr) {
      operands.push_back(&use.user()->inputs()[1]);
    }
  }
  return operands;
}

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

class Folder {
 public:
  explicit Folder(PassContext& context) : context_(context) {}

  Status Visit(ir::Use& operand) {
    ir::Value* root = Root(operand.value());
    if (root->producer() != nullptr) {
      LATHE_ASSIGN_OR_RETURN(root, Fold(*operand.user(), *root));
      if (root == nullptr) return OkStatus();
    }
    if (root->kind() == ir::Value::Kind::kInitializer && root->tensor()) Shorten(operand, *root);
    return OkStatus();
  }

  bool changed() const { return changed_; }

 private:
  // The initializer that replaces `value`; null when it stays, and then a remark says why unless it
  // depends on more than constants.
  StatusOr<ir::Value*> Fold(const ir::Node& user, ir::Value& value) {
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
    context_.Applied(user, fmt::format("'{}' is a constant now, computed by {} nodes before", name,
                                       nodes.size()));
    context_.Count("folded");
    changed_ = true;
    return &constant;
  }

  // Takes Identity nodes between the initializer and the operand away if they serve this operand
  // only. Captures stay: the initializer is outside.
  void Shorten(ir::Use& operand, ir::Value& root) {
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
  bool IsConstant(ir::Value& wanted) {
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

  // The nodes that compute the producer's results, in an order in which they can be evaluated, and
  // the bytes of the constants they start from.
  static std::vector<ir::Node*> Computation(ir::Node& last, size_t* source_bytes) {
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
                                size_t source_bytes) const {
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
      LATHE_ASSIGN_OR_RETURN(std::vector<ir::Tensor> results,
                             eval::Evaluate(*node, inputs, limits));
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

  enum class Known { kOpen, kNo, kYes };

  PassContext& context_;
  absl::flat_hash_map<ir::ValueId, Known> constant_;
  // Values that were folded or refused before; a refusal is said once.
  absl::flat_hash_set<ir::ValueId> looked_at_;
  bool changed_ = false;
};

StatusOr<bool> Run(PassContext& context) {
  Folder folder(context);
  for (ir::Graph* graph : context.model().AllGraphs()) {
    // What a fold erases comes before the node whose operand it is, so the list may be walked.
    for (ir::Node& node : graph->nodes()) {
      for (ir::Use* operand : WeightOperands(node)) {
        LATHE_RETURN_IF_ERROR(folder.Visit(*operand));
      }
    }
  }
  return folder.changed();
}

}  // namespace

const PassDescriptor& FoldWeightsPass() {
  static const PassDescriptor kPass = {
      .name = "fold-weights",
      .summary = "Turn weights that are computed from constants into constants",
      .description = kDescription,
      .options = {},
      .statistics = {{"folded", "computed values that became constants"},
                     {"shortened", "operands whose constant is no longer behind Identity"},
                     {"left", "constant computations that stay"}},
      .requires_facts = {},
      .establishes = {facts::kWeightsFolded},
      // Not conv-bn-fused: a BatchNormalization whose parameters were computed can be folded now.
      .preserves = {facts::kShapesInferred, facts::kQuantPointsMarked, facts::kCalibrated,
                    facts::kSearchNInserted, facts::kSparsityApplied, facts::kAscendLowered},
      .run = Run,
  };
  return kPass;
}

}  // namespace lathe::passes
