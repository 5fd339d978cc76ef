#include "lathe/passes/canonical/fold_constants.h"

#include <algorithm>
#include <optional>

#include <absl/container/flat_hash_map.h>

#include "lathe/eval/evaluate.h"
#include "lathe/passes/canonical/constant_folding.h"
#include "lathe/passes/canonical/operands.h"
#include "lathe/passes/core/facts.h"
#include "lathe/passes/core/tensor_edit.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
A node whose operands are all constant is computed now instead of in every run:

    %s = Mul(%a, %b)                       %y = Add(%x, %s)        (%s is an initializer now)
    %y = Add(%x, %s)

So is all that hangs on it, in bodies too, where operands may be captured. Constant nodes become initializers,
and an Identity of a constant becomes the constant. The new initializer takes the name of the value. Where the
value is an output of its graph, which has to be a node's result, the node becomes an Identity of the constant.
In local functions, which have no initializers, nodes with one result become Constant nodes.

Conditions:
- every operand is an initializer or a Constant node's result; the default of an input is not constant;
- the operator can be evaluated exactly (eval/evaluate.h), so none that draws random numbers, and has a defined
  result for these operands;
- the node is no quantisation barrier: QuantizeLinear, DequantizeLinear and DynamicQuantizeLinear say how a layer is
  quantised, and an operand that is marked as a quantisation point stays computed;
- the node's attributes are its own, not those of a local function's caller, and its operator is none that the
  model defines itself.

Limits, each an option; a node that exceeds one stays and a remark says which:
- growth: a result of more than 256 KiB is at most so many times as large as its operands, each counted once (of Cast,
  whose result has as many elements as its operand, 8 bytes an element). With more than 1, small steps can grow
  until another limit ends it;
- max-result: the bytes of one result, unless it is no larger than the operands that go with it;
- max-total: the bytes that the model's constants may come to. Those of a model that has more, or comes near, may grow
  by an eighth;
- max-work: the bytes that are read and written in all, which bounds the time and is the same on every machine.
A result is refused before memory is taken for it.
)";

constexpr std::string_view kGrowthOption = "growth";
constexpr std::string_view kMaxResult = "max-result";
constexpr std::string_view kMaxTotal = "max-total";
constexpr std::string_view kMaxWork = "max-work";

// Results of up to so many bytes may be larger than what they are computed from.
constexpr size_t kSmallResult = size_t{1} << 18;
// The widest element that a Cast makes.
constexpr size_t kWidestElement = 8;

size_t Saturated(size_t a, size_t b) {
  size_t sum = 0;
  return __builtin_add_overflow(a, b, &sum) ? SIZE_MAX : sum;
}

// Bytes of all constants of the model. O(nodes).
size_t ConstantBytes(const ir::Model& model) {
  size_t bytes = 0;
  for (const ir::Graph* graph : model.AllGraphs()) {
    for (const ir::Value* value : graph->initializers()) {
      if (value->tensor()) bytes = Saturated(bytes, value->tensor().byte_size());
    }
    for (const ir::Node& node : graph->nodes()) {
      if (!node.Is("Constant") || node.num_outputs() == 0) continue;
      if (const ir::Tensor tensor = node.output()->ConstantTensor()) {
        bytes = Saturated(bytes, tensor.byte_size());
      }
    }
  }
  return bytes;
}

// Says how a layer is quantised; computing it would lose that.
bool IsQuantizationBarrier(const ir::Node& node) {
  return node.Is("QuantizeLinear") || node.Is("DequantizeLinear") ||
         node.Is("DynamicQuantizeLinear");
}

bool IsMarked(const ir::Use& use) { return !use.annotation().empty(); }

class Folder {
 public:
  explicit Folder(PassContext& context)
      : context_(context),
        constant_op_(context.model().Intern("Constant")),
        defined_(context.model()),
        growth_(Option(kGrowthOption)),
        max_result_(Option(kMaxResult)),
        work_left_(Option(kMaxWork)) {}

  void Run() {
    for (ir::Graph* graph : context_.model().AllGraphs()) {
      // What a fold erases comes before the node: constants that nothing else uses.
      for (ir::Node* node = graph->first_node(); node != nullptr;) {
        ir::Node* next = node->next();
        Visit(*node);
        node = next;
      }
    }
  }

  bool changed() const { return changed_; }

 private:
  size_t Option(std::string_view name) const {
    return static_cast<size_t>(context_.options().Get<int64_t>(name));
  }

  bool IsConstantNode(const ir::Node& node) const {
    return node.op() == constant_op_ && node.Is("Constant");
  }

  bool IsConstant(const ir::Value& operand) const {
    const ir::Value& value = *operand.Resolve();
    if (value.kind() == ir::Value::Kind::kInitializer) return static_cast<bool>(value.tensor());
    const ir::Node* producer = value.producer();
    return producer != nullptr && IsConstantNode(*producer) &&
           static_cast<bool>(value.ConstantTensor());
  }

  bool HasConstantOperands(const ir::Node& node) const {
    size_t given = 0;
    for (const ir::Use& input : node.inputs()) {
      if (input.value() == nullptr) continue;
      if (!IsConstant(*input.value())) return false;
      ++given;
    }
    return given != 0;
  }

  void Visit(ir::Node& node) {
    if (node.has_bodies() || node.num_outputs() == 0) return;
    if (std::ranges::none_of(node.outputs(), &ir::Value::has_uses)) return;
    if (defined_.Contains(node)) return;
    if (IsConstantNode(node)) return Hoist(node);
    if (!HasConstantOperands(node) || OnlyHandsOn(node)) return;
    if (HasUnknownAttributes(node)) return;
    if (IsQuantizationBarrier(node)) {
      Leave(node, "it says how values are quantised");
    } else if (std::ranges::any_of(node.inputs(), IsMarked)) {
      Leave(node, "an operand is marked as a quantisation point");
    } else if (node.graph()->function() != nullptr && node.num_outputs() != 1) {
      Leave(node, "a function's body has no initializers");
    } else if (node.Is("Identity")) {
      PassOn(node);
    } else {
      Fold(node);
    }
  }

  void Leave(const ir::Node& node, std::string_view why) {
    context_.Missed(node, fmt::format("'{}' stays computed: {}", FirstUsed(node).name_text(), why));
    context_.Count("left");
  }

  static const ir::Value& FirstUsed(const ir::Node& node) {
    return **std::ranges::find_if(node.outputs(), &ir::Value::has_uses);
  }

  // A Constant node becomes an initializer.
  void Hoist(ir::Node& node) {
    ir::Value& value = *node.output();
    // One that is an output stays, and is constant to its other users all the same.
    if (value.is_graph_output() || node.graph()->function() != nullptr) return;
    const ir::Tensor tensor = value.ConstantTensor();
    if (!tensor) return;
    ReplaceByConstant(context_.rewriter(), value, tensor.WithNotes({}));
    context_.Count("hoisted");
    changed_ = true;
  }

  // Users of an Identity get its constant itself; the graph's outputs keep the node.
  void PassOn(ir::Node& node) {
    ir::Value& value = *node.output();
    for (ir::Use* use = value.first_use(); use != nullptr;) {
      ir::Use* next = use->next_use();
      if (!use->user()->is_return()) context_.rewriter().ReplaceUse(*use, node.input(0));
      use = next;
    }
    EraseIfUnused(context_.rewriter(), value);
    context_.Count("folded");
    changed_ = true;
  }

  struct OperandBytes {
    // All of them, and each only once.
    size_t read = 0;
    size_t distinct = 0;
    // Of those that only this node uses, and that go with it.
    size_t freed = 0;
  };

  static OperandBytes BytesOf(const ir::Node& node) {
    OperandBytes bytes;
    absl::flat_hash_map<const ir::Value*, uint32_t> uses;
    for (const ir::Use& input : node.inputs()) {
      if (input.value() == nullptr) continue;
      const size_t size = input.value()->ConstantTensor().byte_size();
      bytes.read = Saturated(bytes.read, size);
      if (++uses[input.value()] == 1) bytes.distinct = Saturated(bytes.distinct, size);
    }
    for (const auto& [value, count] : uses) {
      if (value->use_count() == count && value->kind() == ir::Value::Kind::kInitializer) {
        bytes.freed = Saturated(bytes.freed, value->tensor().byte_size());
      }
    }
    return bytes;
  }

  // What `growth` allows the node's result.
  size_t GrownBytes(const ir::Node& node, const OperandBytes& bytes) const {
    size_t base = bytes.distinct;
    if (node.Is("Cast")) {
      const auto elements = static_cast<size_t>(node.input(0)->ConstantTensor().num_elements());
      if (__builtin_mul_overflow(elements, kWidestElement, &base)) base = SIZE_MAX;
    }
    return AllowedBytes(base, growth_, kSmallResult);
  }

  // By how much the model's constants may still grow.
  size_t TotalLeft() {
    if (!total_left_) {
      const size_t constants = ConstantBytes(context_.model());
      const size_t most = Option(kMaxTotal);
      total_left_ = std::max(most > constants ? most - constants : 0, constants / 8);
    }
    return *total_left_;
  }

  void Fold(ir::Node& node) {
    std::vector<ir::Tensor> operands;
    for (const ir::Use& input : node.inputs()) {
      operands.push_back(input.value() == nullptr ? ir::Tensor() : input.value()->ConstantTensor());
    }
    const OperandBytes bytes = BytesOf(node);
    if (bytes.read > work_left_) {
      Leave(node,
            fmt::format("it reads {} bytes, {} of {} are left", bytes.read, work_left_, kMaxWork));
      return;
    }
    const std::pair<size_t, std::string_view> allowed = std::min({
        std::pair(GrownBytes(node, bytes), kGrowthOption),
        std::pair(std::max(max_result_, bytes.freed), kMaxResult),
        std::pair(Saturated(TotalLeft(), bytes.freed), kMaxTotal),
        std::pair(work_left_ - bytes.read, kMaxWork),
    });
    StatusOr<std::vector<ir::Tensor>> results =
        eval::Evaluate(node, operands, {.max_result_bytes = allowed.first});
    if (!results.ok()) {
      // A model that cannot be evaluated is not wrong for that: others may.
      const std::string why(results.status().message());
      const bool is_large = results.status().code() == absl::StatusCode::kResourceExhausted;
      Leave(node, is_large ? fmt::format("{} by {}", why, allowed.second) : why);
      return;
    }
    for (size_t i = 0; i < node.num_outputs(); ++i) {
      if (i >= results->size() && node.output(i)->has_uses()) {
        Leave(node, fmt::format("output {} is not evaluated", i));
        return;
      }
    }
    size_t result_bytes = 0;
    for (const ir::Tensor& result : *results) {
      result_bytes = Saturated(result_bytes, result.byte_size());
    }
    work_left_ -= std::min(work_left_, Saturated(bytes.read, result_bytes));
    if (result_bytes > bytes.freed) {
      *total_left_ -= std::min(*total_left_, result_bytes - bytes.freed);
    }
    context_.Applied(node, fmt::format("'{}' is a constant now", FirstUsed(node).name_text()));
    context_.Count("folded");
    changed_ = true;
    ReplaceByConstants(context_.rewriter(), node, *std::move(results));
  }

  PassContext& context_;
  const ir::Name constant_op_;
  const DefinedOperators defined_;
  const size_t growth_;
  const size_t max_result_;
  // Counted when it is first asked for.
  std::optional<size_t> total_left_;
  size_t work_left_;
  bool changed_ = false;
};

StatusOr<bool> Run(PassContext& context) {
  for (const std::string_view name : {kGrowthOption, kMaxResult, kMaxTotal, kMaxWork}) {
    if (context.options().Get<int64_t>(name) < 0) {
      return InvalidInput("option '{}' is negative; give 0 or more", name);
    }
  }
  Folder folder(context);
  folder.Run();
  return folder.changed();
}

}  // namespace

const PassDescriptor& FoldConstantsPass() {
  static const PassDescriptor kPass = {
      .name = "fold-constants",
      .summary = "Compute nodes whose operands are constant",
      .description = kDescription,
      .options = {{kGrowthOption,
                   "how many times as large as its operands a result above 256 KiB may be",
                   int64_t{1}},
                  {kMaxResult, "bytes of one result that does not take the place of its operands",
                   int64_t{64} << 20},
                  {kMaxTotal,
                   "bytes that the model's constants may come to; an eighth more than they have "
                   "is always allowed",
                   int64_t{4} << 20},
                  {kMaxWork, "bytes to read and write in all", int64_t{8} << 30}},
      .statistics = {{"folded", "nodes that were computed"},
                     {"hoisted", "Constant nodes that became initializers"},
                     {"left", "nodes with constant operands that stay"}},
      .requires_facts = {},
      .establishes = {},
      // Not conv-bn-fused: a BatchNormalization whose parameters were computed can be folded now.
      .preserves = {facts::kShapesInferred, facts::kWeightsFolded, facts::kQuantPointsMarked,
                    facts::kCalibrated, facts::kSearchNInserted, facts::kSparsityApplied,
                    facts::kAscendLowered},
      .run = Run,
  };
  return kPass;
}

}  // namespace lathe::passes
