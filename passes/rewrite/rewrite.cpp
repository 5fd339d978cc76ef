#include "lathe/passes/rewrite/rewrite.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <absl/container/flat_hash_set.h>

#include "lathe/passes/rewrite/internal/worklist.h"

namespace lathe::passes {
namespace {

constexpr int64_t kMostApplicationsPerNode = 16;
// Of the last applications of a run that does not end, these many name the rules at fault.
constexpr size_t kLastApplications = 64;

bool IsVisited(const ir::Graph& graph, const RewriteOptions& options) {
  if (options.bodies && options.functions) return true;
  if (graph.owner() != nullptr && !options.bodies) return false;
  const ir::Graph* top = &graph;
  while (top->parent() != nullptr) top = top->parent();
  return top->function() == nullptr || options.functions;
}

class Driver {
 public:
  Driver(const RuleSet& rules, PassContext& context, const RewriteOptions& options)
      : rules_(rules),
        context_(context),
        options_(options),
        index_(rules, context.model()),
        worklist_({.users = rules.reach()}, options.shuffle_seed) {}

  StatusOr<RewriteResult> Run() {
    const int64_t nodes = PushAll();
    most_applications_ = options_.max_applications > 0 ? options_.max_applications
                                                       : kMostApplicationsPerNode * (nodes + 1);
    if (options_.to_fixed_point) context_.rewriter().AddListener(&worklist_);
    const Status status = Drain();
    if (options_.to_fixed_point) context_.rewriter().RemoveListener(&worklist_);
    LATHE_RETURN_IF_ERROR(status);
    return result_;
  }

 private:
  // Returns the number of nodes.
  int64_t PushAll() {
    std::vector<ir::Graph*> graphs = context_.model().AllGraphs();
    std::erase_if(graphs, [&](const ir::Graph* graph) {
      return !context_.Visits(*graph) || !IsVisited(*graph, options_);
    });
    if (options_.backward) std::ranges::reverse(graphs);
    int64_t nodes = 0;
    for (const ir::Graph* graph : graphs) {
      nodes += static_cast<int64_t>(graph->num_nodes());
      if (options_.backward) {
        for (const ir::Node* node = graph->last_node(); node != nullptr; node = node->previous()) {
          worklist_.Push(*node);
        }
      } else {
        for (const ir::Node& node : graph->nodes()) worklist_.Push(node);
      }
    }
    return nodes;
  }

  Status Drain() {
    while (true) {
      const Worklist::Item item = worklist_.Pop(context_.model());
      if (item.node == nullptr) return OkStatus();
      const ir::NodeId id = item.node->id();
      // An edit may have queued a node of a graph that is not to be visited.
      const ir::Graph& graph = *item.node->graph();
      if (context_.Visits(graph) && IsVisited(graph, options_)) {
        LATHE_RETURN_IF_ERROR(Visit(*item.node));
      }
      if (!options_.to_fixed_point) continue;
      if (context_.model().FindNode(id) != nullptr) worklist_.PassOn(item);
      if (result_.applied > most_applications_) return DoesNotEnd();
    }
  }

  Status Visit(ir::Node& root) {
    const RewriteRule* fitting = nullptr;
    std::optional<Match> match;
    index_.ForEachCandidate(root, [&](const RewriteRule& rule) {
      Refusal refusal;
      // The text of a refusal costs more than the match.
      const bool reports = options_.remarks == RewriteOptions::Remarks::kAll;
      match = FindMatch(rule.pattern, root, reports ? &refusal : nullptr);
      if (match) {
        fitting = &rule;
        return false;
      }
      if (refusal.by_condition) Refused(rule, root, refusal);
      return true;
    });
    return fitting == nullptr ? OkStatus() : Apply(*fitting, *match);
  }

  void Refused(const RewriteRule& rule, const ir::Node& root, const Refusal& refusal) {
    ++result_.refused;
    const auto number = static_cast<uint64_t>(&rule - rules_.rules().data());
    if (options_.to_fixed_point && !reported_.insert((number << 32) | root.id()).second) return;
    context_.Missed(root, fmt::format("{}: {}", rule.name, refusal.ToText()));
  }

  Status Apply(const RewriteRule& rule, const Match& match) {
    const ir::Node& root = match.root();
    const std::string root_name = root.display_name();
    // Before the nodes are gone.
    if (options_.remarks != RewriteOptions::Remarks::kNone)
      context_.Applied(root, Remark(rule, match));
    const ir::Rewriter::OriginScope scope(context_.rewriter(), match.nodes());
    LATHE_RETURN_IF_ERROR(WithContext(rule.build(match, context_), ErrorContext::kNode, root_name));
    ++result_.applied;
    NoteLast(rule);
    return OkStatus();
  }

  static std::string Remark(const RewriteRule& rule, const Match& match) {
    std::string message(rule.name);
    for (const ir::Node* node : match.nodes()) {
      if (node == &match.root()) continue;
      message += fmt::format("{}{}", message.size() == rule.name.size() ? " with " : ", ",
                             node->display_name());
    }
    return message;
  }

  void NoteLast(const RewriteRule& rule) {
    if (last_.size() < kLastApplications) {
      last_.push_back(&rule);
    } else {
      last_[static_cast<size_t>(result_.applied) % kLastApplications] = &rule;
    }
  }

  Status DoesNotEnd() const {
    // In the order of the set: what undoes what has no first.
    std::vector<const RewriteRule*> at_fault = last_;
    std::ranges::sort(at_fault);
    const auto repeated = std::ranges::unique(at_fault);
    at_fault.erase(repeated.begin(), repeated.end());
    std::vector<std::string_view> names;
    for (const RewriteRule* rule : at_fault) names.push_back(rule->name);
    return InternalError("rules undo each other: {} were still applied after {} applications",
                         fmt::join(names, ", "), most_applications_);
  }

  const RuleSet& rules_;
  PassContext& context_;
  const RewriteOptions& options_;
  RuleIndex index_;
  Worklist worklist_;
  RewriteResult result_;
  int64_t most_applications_ = 0;
  std::vector<const RewriteRule*> last_;
  // Rule and node of the refusals that were remarked upon.
  absl::flat_hash_set<uint64_t> reported_;
};

}  // namespace

StatusOr<RewriteResult> ApplyRules(const RuleSet& rules, PassContext& context,
                                   const RewriteOptions& options) {
  return Driver(rules, context, options).Run();
}

StatusOr<RewriteResult> ApplyRules(std::span<const RewriteRule> rules, PassContext& context,
                                   const RewriteOptions& options) {
  return ApplyRules(RuleSet(rules), context, options);
}

}  // namespace lathe::passes
