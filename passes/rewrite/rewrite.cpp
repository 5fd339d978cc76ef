#include "lathe/passes/rewrite/rewrite.h"

#include <algorithm>
#include <deque>
#include <vector>

#include <absl/container/flat_hash_map.h>

namespace lathe::passes {
namespace {

constexpr int64_t kMostApplicationsPerNode = 16;

// Which rules are worth trying on a node, by operator name. Domains are left to the matcher.
class RuleIndex {
 public:
  RuleIndex(std::span<const RewriteRule> rules, const ir::Model& model) {
    for (const RewriteRule& rule : rules) {
      for (const std::string& op : rule.pattern.operators()) {
        rules_[model.Intern(op)].push_back(&rule);
      }
    }
  }

  std::span<const RewriteRule* const> For(const ir::Node& node) const {
    const auto it = rules_.find(node.op());
    if (it == rules_.end()) return {};
    return it->second;
  }

 private:
  absl::flat_hash_map<ir::Name, std::vector<const RewriteRule*>> rules_;
};

// Nodes to look at, each at most once at a time. Ids, so that an erased node does no harm.
class Worklist : public ir::RewriteListener {
 public:
  // `reach`: how many users down a root can be from a node that its pattern looks at.
  explicit Worklist(int reach) : reach_(reach) {}

  void Push(const ir::Node& node) {
    if (node.is_return()) return;
    if (node.id() >= queued_.size()) queued_.resize(node.id() + 1, false);
    if (queued_[node.id()]) return;
    queued_[node.id()] = true;
    ids_.push_back(node.id());
  }

  // Null when there is nothing left.
  ir::Node* Pop(const ir::Model& model) {
    while (!ids_.empty()) {
      const ir::NodeId id = ids_.front();
      ids_.pop_front();
      queued_[id] = false;
      if (ir::Node* node = model.FindNode(id)) return node;
    }
    return nullptr;
  }

  void OnNodeCreated(ir::Node& node) override { PushWithUsers(node, reach_); }
  void OnNodeChanged(ir::Node& node) override { PushWithUsers(node, reach_); }
  void OnOperandChanged(ir::Use& use, ir::Value* old_value) override {
    PushWithUsers(*use.user(), reach_);
    if (old_value != nullptr && old_value->use_count() <= 1) PushUsersOf(*old_value, reach_);
  }
  void OnNodeErased(ir::Node& node) override {
    // A value that one other node reads becomes that node's own.
    for (const ir::Use& use : node.operands()) {
      if (use.value() != nullptr && use.value()->use_count() <= 2)
        PushUsersOf(*use.value(), reach_);
    }
  }
  void OnValueChanged(ir::Value& value) override {
    if (value.kind() == ir::Value::Kind::kInitializer) PushUsersOf(value, reach_);
  }

 private:
  void PushUsersOf(const ir::Value& value, int reach) {
    for (const ir::Use& use : value.uses()) PushWithUsers(*use.user(), reach - 1);
  }
  void PushWithUsers(const ir::Node& node, int reach) {
    Push(node);
    if (reach <= 0) return;
    for (const ir::Value* output : node.outputs()) PushUsersOf(*output, reach);
  }

  int reach_;
  std::deque<ir::NodeId> ids_;
  std::vector<bool> queued_;
};

bool IsVisited(const ir::Graph& graph, const RewriteOptions& options) {
  if (graph.owner() != nullptr && !options.bodies) return false;
  const ir::Graph* top = &graph;
  while (top->parent() != nullptr) top = top->parent();
  return top->function() == nullptr || options.functions;
}

class Driver {
 public:
  Driver(std::span<const RewriteRule> rules, PassContext& context, const RewriteOptions& options)
      : context_(context),
        options_(options),
        index_(rules, context.model()),
        worklist_(Reach(rules)) {}

  StatusOr<RewriteResult> Run() {
    int64_t nodes = 0;
    for (const ir::Graph* graph : context_.model().AllGraphs()) {
      if (!context_.Visits(*graph) || !IsVisited(*graph, options_)) continue;
      for (const ir::Node& node : graph->nodes()) worklist_.Push(node);
      nodes += static_cast<int64_t>(graph->num_nodes());
    }
    most_applications_ = kMostApplicationsPerNode * (nodes + 1);
    if (options_.to_fixed_point) context_.rewriter().AddListener(&worklist_);
    const Status status = Drain();
    if (options_.to_fixed_point) context_.rewriter().RemoveListener(&worklist_);
    LATHE_RETURN_IF_ERROR(status);
    return result_;
  }

 private:
  static int Reach(std::span<const RewriteRule> rules) {
    int reach = 0;
    for (const RewriteRule& rule : rules) reach = std::max(reach, rule.pattern.depth() - 1);
    return reach;
  }

  Status Drain() {
    while (ir::Node* node = worklist_.Pop(context_.model())) {
      // An edit may have queued a node of a graph that is not to be visited.
      const ir::Graph& graph = *node->graph();
      if (!context_.Visits(graph) || !IsVisited(graph, options_)) continue;
      LATHE_RETURN_IF_ERROR(Visit(*node));
      if (options_.to_fixed_point && result_.applied > most_applications_) {
        return InternalError("rules undo each other: {} were still applied after {} applications",
                             fmt::join(recent_, ", "), most_applications_);
      }
    }
    return OkStatus();
  }

  Status Visit(ir::Node& root) {
    for (const RewriteRule* rule : index_.For(root)) {
      Refusal refusal;
      const std::optional<Match> match =
          FindMatch(rule->pattern, root, options_.remark_refusals ? &refusal : nullptr);
      if (match) return Apply(*rule, *match);
      if (!refusal.by_condition) continue;
      ++result_.refused;
      context_.Missed(root, fmt::format("{}: {}", rule->name, refusal.ToText()));
    }
    return OkStatus();
  }

  Status Apply(const RewriteRule& rule, const Match& match) {
    const std::string root_name = match.root().display_name();
    std::string message(rule.name);
    for (const ir::Node* node : match.nodes()) {
      if (node == &match.root()) continue;
      message += fmt::format("{}{}", message.size() == rule.name.size() ? " with " : ", ",
                             node->display_name());
    }
    // Before the nodes are gone.
    context_.Applied(match.root(), std::move(message));
    const ir::Rewriter::OriginScope scope(context_.rewriter(), match.nodes());
    LATHE_RETURN_IF_ERROR(WithContext(rule.build(match, context_), ErrorContext::kNode, root_name));
    ++result_.applied;
    NoteRecent(rule);
    return OkStatus();
  }

  // The rules applied late in a run that does not end: each once, in order of first appearance.
  void NoteRecent(const RewriteRule& rule) {
    if (result_.applied <= most_applications_ / 2) return;
    if (std::ranges::find(recent_, rule.name) == recent_.end()) recent_.push_back(rule.name);
  }

  PassContext& context_;
  const RewriteOptions& options_;
  RuleIndex index_;
  Worklist worklist_;
  RewriteResult result_;
  int64_t most_applications_ = 0;
  std::vector<std::string_view> recent_;
};

}  // namespace

StatusOr<RewriteResult> ApplyRules(std::span<const RewriteRule> rules, PassContext& context,
                                   const RewriteOptions& options) {
  return Driver(rules, context, options).Run();
}

}  // namespace lathe::passes
