#include "lathe/passes/canonical/eliminate_common_subexpressions.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/hash/hash.h>

#include "lathe/passes/canonical/equal_nodes.h"
#include "lathe/passes/canonical/hand_on.h"
#include "lathe/passes/core/facts.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Computes once what a graph computes several times, and keeps one of several equal constants:

    initializers (%one = 1.0, %uno = 1.0)  initializers (%one = 1.0)
    %a = Add(%x, %one)                     %a = Add(%x, %one)
    %b = Add(%uno, %x)                     %y = Mul(%a, %a)
    %y = Mul(%a, %b)

One walk over each graph, forward: a node's operands are merged before it is looked at, so chains of any length
merge. A node in a body also merges with an equal one of the graphs around it, which is then captured. The first
stays, and takes over the origins of the others.

Two nodes are equal when
- operator, attributes (in any order; tensors by content, floats bit by bit) and annotations are equal;
- they have the same operands; of Add, Mul, Equal and the logical operators in any order. Constants of equal type and
  content are the same operand, be they initializers or Constant nodes;
- the operator is one of ONNX or of Ascend's deploy graphs, without bodies, state or random numbers (Dropout: in
  inference form).

A node stays when
- its result is a graph output, and so is that of its equal.

Two constants are merged when they are in one graph: a constant of a body stays, because runtimes compile bodies for
constants that they see. A Constant node whose result is a graph output stays.
)";

constexpr std::array<std::string_view, 9> kCommutative = {
    "Add", "Mul", "Equal", "And", "Or", "Xor", "BitwiseAnd", "BitwiseOr", "BitwiseXor"};

// What has been seen in a graph and those around it, by hash.
template <typename T>
class ScopedTable {
 public:
  struct Entry {
    T* item;
    // Index of the next entry with this hash; kNone at the end.
    size_t next;
  };
  static constexpr size_t kNone = ~size_t{0};

  // Calls equal(item) on items with this hash, latest first, until it says yes. Null when none
  // does.
  template <typename Equal>
  StatusOr<T*> Find(size_t hash, const Equal& equal) const {
    const auto it = first_.find(hash);
    for (size_t i = it == first_.end() ? kNone : it->second; i != kNone; i = entries_[i].next) {
      LATHE_ASSIGN_OR_RETURN(const bool is_equal, equal(*entries_[i].item));
      if (is_equal) return entries_[i].item;
    }
    return nullptr;
  }

  void Add(size_t hash, T& item) {
    const auto [it, is_new] = first_.try_emplace(hash, entries_.size());
    entries_.push_back({&item, is_new ? kNone : std::exchange(it->second, entries_.size())});
    hashes_.push_back(hash);
  }

  size_t size() const { return entries_.size(); }
  // Forgets what was added since the table had this size.
  void Shrink(size_t size) {
    while (entries_.size() > size) {
      if (entries_.back().next == kNone) {
        first_.erase(hashes_.back());
      } else {
        first_[hashes_.back()] = entries_.back().next;
      }
      entries_.pop_back();
      hashes_.pop_back();
    }
  }

 private:
  absl::flat_hash_map<size_t, size_t> first_;
  std::vector<Entry> entries_;
  std::vector<size_t> hashes_;
};

// Captures of bodies, found without walking through their list.
class Captures {
 public:
  explicit Captures(ir::Rewriter& rewriter) : rewriter_(rewriter) {}

  // The value that stands for `outer` inside `graph`, made if need be.
  ir::Value& Bring(ir::Graph& graph, ir::Value& outer) {
    if (outer.graph() == &graph) return outer;
    const auto [it, is_new] = known_.try_emplace(&graph);
    if (is_new) {
      for (ir::Value* inner : graph.captures()) it->second.try_emplace(inner->Resolve(), inner);
    }
    if (const auto found = it->second.find(&outer); found != it->second.end()) {
      return *found->second;
    }
    ir::Value& around = Bring(*graph.parent(), outer);
    ir::Value& inner = rewriter_.AddCapture(graph, around);
    // Bring may have moved the table.
    known_[&graph].emplace(&outer, &inner);
    return inner;
  }

 private:
  ir::Rewriter& rewriter_;
  absl::flat_hash_map<const ir::Graph*, absl::flat_hash_map<const ir::Value*, ir::Value*>> known_;
};

class Merger {
 public:
  explicit Merger(PassContext& context)
      : context_(context), rewriter_(context.rewriter()), captures_(context.rewriter()) {
    for (const std::string_view op : kCommutative) {
      commutative_.push_back(context.model().Intern(op));
    }
  }

  Status Visit(ir::Graph& graph) {
    const size_t nodes = nodes_.size();
    const size_t constants = constants_.size();
    LATHE_RETURN_IF_ERROR(VisitInitializers(graph));
    for (ir::Node* node = graph.first_node(); node != nullptr;) {
      // The node may go.
      ir::Node* const next = node->next();
      LATHE_RETURN_IF_ERROR(VisitNode(*node));
      node = next;
    }
    nodes_.Shrink(nodes);
    constants_.Shrink(constants);
    return OkStatus();
  }

  // Gives the nodes that stay the origins of those that went; all at once, since the origins of
  // many make a long list.
  void MergeOrigins() {
    for (const auto& [id, origins] : origins_) {
      rewriter_.SetOrigin(*context_.model().FindNode(id), context_.model().MergeOrigins(origins));
    }
  }

  bool changed() const { return changed_; }

 private:
  Status VisitInitializers(ir::Graph& graph) {
    std::vector<ir::Value*> gone;
    for (ir::Value* value : graph.initializers()) {
      if (value->kind() != ir::Value::Kind::kInitializer || !value->tensor()) continue;
      LATHE_ASSIGN_OR_RETURN(ir::Value * same, FindConstant(*value, value->tensor()));
      if (same == nullptr || value->is_graph_output()) continue;
      rewriter_.ReplaceAllUses(*value, *same);
      gone.push_back(value);
    }
    for (ir::Value* value : gone) rewriter_.EraseInitializer(*value);
    Count("constants", gone.size());
    return OkStatus();
  }

  Status VisitNode(ir::Node& node) {
    if (node.has_bodies()) {
      for (ir::Graph* body : node.bodies()) LATHE_RETURN_IF_ERROR(Visit(*body));
      return OkStatus();
    }
    if (node.Is("Constant")) return VisitConstant(node);
    if (!IsPureCached(node)) return OkStatus();
    LATHE_ASSIGN_OR_RETURN(const size_t operation, HashOperation(node));
    const size_t hash = absl::HashOf(operation, Operands(node, operands_));
    LATHE_ASSIGN_OR_RETURN(ir::Node * same, nodes_.Find(hash, [&](const ir::Node& other) {
      return Operands(other, other_operands_) == operands_ ? EqualOperations(node, other)
                                                           : StatusOr<bool>(false);
    }));
    if (same == nullptr) {
      nodes_.Add(hash, node);
      return OkStatus();
    }
    if (!std::ranges::equal(node.outputs(), same->outputs(), CanMerge)) return OkStatus();
    Replace(node, *same);
    Count("nodes", 1);
    return OkStatus();
  }

  Status VisitConstant(ir::Node& node) {
    ir::Value* output = node.output();
    const ir::Tensor tensor = output == nullptr ? ir::Tensor() : output->ConstantTensor();
    if (!tensor) return OkStatus();
    LATHE_ASSIGN_OR_RETURN(ir::Value * same, FindConstant(*output, tensor));
    if (same == nullptr || output->is_graph_output()) return OkStatus();
    HandOn(rewriter_, *output, *same);
    rewriter_.Erase(node);
    Count("constants", 1);
    return OkStatus();
  }

  // An equal constant of the same graph, seen before. One of a graph around it is only noted as the
  // same operand.
  StatusOr<ir::Value*> FindConstant(ir::Value& value, const ir::Tensor& tensor) {
    LATHE_ASSIGN_OR_RETURN(const size_t hash, HashTensor(tensor));
    LATHE_ASSIGN_OR_RETURN(ir::Value * same, constants_.Find(hash, [&](const ir::Value& other) {
      return tensor.EqualContents(other.ConstantTensor());
    }));
    if (same != nullptr && same->graph() == value.graph()) return same;
    if (same != nullptr) same_constant_.emplace(&value, Canonical(same));
    constants_.Add(hash, value);
    return nullptr;
  }

  struct Operand {
    const ir::Value* value;
    ir::Name annotation;
    friend bool operator==(const Operand&, const Operand&) = default;
    template <typename H>
    friend H AbslHashValue(H state, const Operand& operand) {
      return H::combine(std::move(state), operand.value, operand.annotation);
    }
  };

  const ir::Value* Canonical(const ir::Value* value) const {
    const auto it = same_constant_.find(value);
    return it == same_constant_.end() ? value : it->second;
  }

  // What the node reads, whichever graph it is in.
  const std::vector<Operand>& Operands(const ir::Node& node, std::vector<Operand>& operands) const {
    operands.clear();
    for (const ir::Use& use : node.inputs()) {
      const ir::Value* value = use.value() == nullptr ? nullptr : use.value()->Resolve();
      operands.push_back({same_constant_.empty() ? value : Canonical(value), use.annotation()});
    }
    const bool any_order = operands.size() == 2 && operands[0].value != nullptr &&
                           operands[1].value != nullptr &&
                           std::ranges::find(commutative_, node.op()) != commutative_.end();
    if (any_order && operands[1].value->id() < operands[0].value->id()) {
      std::swap(operands[0], operands[1]);
    }
    return operands;
  }

  static bool CanMerge(const ir::Value* from, const ir::Value* to) {
    return !from->is_graph_output() || (from->graph() == to->graph() && CanHandOn(*from, *to));
  }

  bool IsPureCached(const ir::Node& node) {
    // Dropout's answer depends on its operands; its kind is rare.
    if (node.Is("Dropout")) return IsPure(node);
    const ir::Graph* top = node.graph();
    while (top->parent() != nullptr) top = top->parent();
    const auto [it, is_new] = pure_.try_emplace(std::tuple(top, node.domain(), node.op()));
    if (is_new) it->second = IsPure(node);
    return it->second && !node.has_bodies() && node.num_outputs() != 0;
  }

  void Replace(ir::Node& node, ir::Node& same) {
    for (size_t i = 0; i < node.num_outputs(); ++i) {
      ir::Value& output = *node.output(i);
      if (!output.has_uses()) continue;
      HandOn(rewriter_, output, captures_.Bring(*node.graph(), *same.output(i)));
    }
    const auto [it, is_new] = origin_index_.try_emplace(same.id(), origins_.size());
    if (is_new) origins_.push_back({same.id(), {same.origin()}});
    origins_[it->second].second.push_back(node.origin());
    rewriter_.Erase(node);
  }

  void Count(std::string_view statistic, size_t count) {
    if (count == 0) return;
    changed_ = true;
    context_.Count(statistic, static_cast<int64_t>(count));
  }

  PassContext& context_;
  ir::Rewriter& rewriter_;
  Captures captures_;
  std::vector<ir::Name> commutative_;
  ScopedTable<ir::Node> nodes_;
  ScopedTable<ir::Value> constants_;
  // Constants of bodies that are equal to one outside.
  absl::flat_hash_map<const ir::Value*, const ir::Value*> same_constant_;
  absl::flat_hash_map<std::tuple<const ir::Graph*, ir::Name, ir::Name>, bool> pure_;
  // Of the node that is looked at, and of one that may be equal.
  std::vector<Operand> operands_;
  std::vector<Operand> other_operands_;
  std::vector<std::pair<ir::NodeId, std::vector<ir::Origin>>> origins_;
  absl::flat_hash_map<ir::NodeId, size_t> origin_index_;
  bool changed_ = false;
};

StatusOr<bool> Run(PassContext& context) {
  Merger merger(context);
  LATHE_RETURN_IF_ERROR(merger.Visit(context.model().graph()));
  for (const auto& function : context.model().functions()) {
    LATHE_RETURN_IF_ERROR(merger.Visit(function->body()));
  }
  merger.MergeOrigins();
  return merger.changed();
}

}  // namespace

const PassDescriptor& EliminateCommonSubexpressionsPass() {
  static const PassDescriptor kPass = {
      .name = "eliminate-common-subexpressions",
      .summary = "Compute once what is computed several times",
      .description = kDescription,
      .options = {},
      .statistics = {{"nodes", "nodes removed"}, {"constants", "constants removed"}},
      .requires_facts = {},
      .establishes = {},
      // Not conv-bn-fused: a BatchNormalization may become its convolution's only consumer.
      // Not weights-folded: layers with equal weights share them afterwards.
      .preserves = {facts::kShapesInferred, facts::kQuantPointsMarked, facts::kCalibrated,
                    facts::kSearchNInserted, facts::kSparsityApplied, facts::kAscendLowered},
      .run = Run,
  };
  return kPass;
}

}  // namespace lathe::passes
