#include "lathe/passes/rewrite/internal/driver.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace lathe::passes {
namespace {

constexpr int64_t kMostApplicationsPerNode = 16;
// Of the last applications of a run that does not end, these many name the rules at fault.
constexpr size_t kLastApplications = 64;

bool IsVisited(const ir::Graph& graph, const PassContext& context, const RewriteOptions& options) {
  if (!context.Visits(graph)) return false;
  if (options.bodies && options.functions) return true;
  if (graph.owner() != nullptr && !options.bodies) return false;
  const ir::Graph* top = &graph;
  while (top->parent() != nullptr) top = top->parent();
  return top->function() == nullptr || options.functions;
}

// "drop-pair with a, b".
std::string RemarkText(const RewriteRule& rule, const Match& match) {
  std::string message(rule.name);
  for (const ir::Node* node : match.nodes()) {
    if (node == &match.root()) continue;
    message += fmt::format("{}{}", message.size() == rule.name.size() ? " with " : ", ",
                           node->display_name());
  }
  return message;
}

// Listens as long as it lives, also when a rule throws.
class Listening {
 public:
  Listening(ir::Rewriter& rewriter, ir::RewriteListener& listener)
      : rewriter_(rewriter), listener_(listener) {
    rewriter_.AddListener(&listener_);
  }
  ~Listening() { rewriter_.RemoveListener(&listener_); }
  Listening(const Listening&) = delete;
  Listening& operator=(const Listening&) = delete;

 private:
  ir::Rewriter& rewriter_;
  ir::RewriteListener& listener_;
};

}  // namespace

std::vector<ir::Graph*> VisitedGraphs(const PassContext& context, const RewriteOptions& options) {
  std::vector<ir::Graph*> graphs = context.model().AllGraphs();
  std::erase_if(graphs,
                [&](const ir::Graph* graph) { return !IsVisited(*graph, context, options); });
  return graphs;
}

RuleDriver::RuleDriver(const RuleSet& rules, PassContext& context, const RewriteOptions& options,
                       std::function<bool(const ir::Node&)> wanted)
    : rules_(rules),
      context_(context),
      options_(options),
      wanted_(std::move(wanted)),
      listener_(context.Find<MatchListener>()),
      index_(rules, context.model()),
      worklist_(rules.reach(), options.shuffle_seed) {}

StatusOr<RewriteResult> RuleDriver::Run() {
  const int64_t nodes = PushAll();
  most_applications_ = options_.max_applications > 0 ? options_.max_applications
                                                     : kMostApplicationsPerNode * (nodes + 1);
  if (options_.to_fixed_point) {
    const Listening listening(context_.rewriter(), worklist_);
    LATHE_RETURN_IF_ERROR(Drain());
  } else {
    LATHE_RETURN_IF_ERROR(Drain());
  }
  return result_;
}

int64_t RuleDriver::PushAll() {
  std::vector<ir::Graph*> graphs = VisitedGraphs(context_, options_);
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

Status RuleDriver::Drain() {
  while (true) {
    const Worklist::Item item = worklist_.Pop(context_.model());
    if (item.node == nullptr) return OkStatus();
    const ir::NodeId id = item.node->id();
    // An edit may have queued a node of a graph that is not to be visited.
    if (IsVisited(*item.node->graph(), context_, options_)) {
      LATHE_RETURN_IF_ERROR(Visit(*item.node));
    }
    if (!options_.to_fixed_point) continue;
    if (context_.model().FindNode(id) != nullptr) worklist_.PassOn(item);
    if (result_.applied > most_applications_) return DoesNotEnd();
  }
}

Status RuleDriver::Visit(ir::Node& root) {
  if (wanted_ && !wanted_(root)) return OkStatus();
  if (listener_ != nullptr && listener_->Wants(root)) return VisitAndTell(root);
  const RewriteRule* fitting = nullptr;
  index_.ForEachCandidate(root, [&](const RewriteRule& rule) {
    if (matcher_.Fits(rule.pattern, root)) {
      fitting = &rule;
      return false;
    }
    if (matcher_.refusal().by_condition) Refused(rule, root);
    return true;
  });
  if (fitting == nullptr) return OkStatus();
  const Match match = std::move(matcher_.match());
  return Apply(*fitting, match);
}

// Without the index's rejects, so that each rule says itself what it misses.
Status RuleDriver::VisitAndTell(ir::Node& root) {
  listener_->OnVisit(context_, root);
  for (const uint32_t number : index_.RulesAt(root)) {
    const RewriteRule& rule = rules_.rules()[number];
    Refusal refusal;
    const std::optional<Match> match = FindMatch(rule.pattern, root, &refusal);
    if (match) return Apply(rule, *match);
    if (refusal.by_condition) Refused(rule, root);
    listener_->OnRefused(rule, root, refusal);
  }
  return OkStatus();
}

void RuleDriver::Refused(const RewriteRule& rule, ir::Node& root) {
  ++result_.refused;
  if (options_.remarks != RewriteOptions::Remarks::kAll) return;
  const auto number = static_cast<uint64_t>(&rule - rules_.rules().data());
  if (options_.to_fixed_point && !reported_.insert((number << 32) | root.id()).second) return;
  // Once more, for the text.
  explaining_matcher_.Fits(rule.pattern, root);
  context_.Missed(root, fmt::format("{}: {}", rule.name, explaining_matcher_.refusal().ToText()));
}

Status RuleDriver::Apply(const RewriteRule& rule, const Match& match) {
  const ir::Node& root = match.root();
  // Before the nodes are gone.
  std::string root_name = root.display_name();
  if (listener_ != nullptr) listener_->OnFits(context_, rule, match);
  if (options_.remarks != RewriteOptions::Remarks::kNone) {
    context_.Applied(root, RemarkText(rule, match));
  }
  const std::vector<ir::Node*>& nodes = match.nodes();
  const bool one_origin = std::ranges::all_of(
      nodes, [&](const ir::Node* node) { return node->origin() == root.origin(); });
  // Merging costs some look-ups, which most matches of one node need not pay.
  std::optional<ir::Rewriter::OriginScope> scope;
  if (one_origin) {
    scope.emplace(context_.rewriter(), match.root());
  } else {
    scope.emplace(context_.rewriter(), nodes);
  }
  LATHE_RETURN_IF_ERROR(WithContext(rule.build(match, context_), ErrorContext::kNode, root_name));
  ++result_.applied;
  NoteLast(rule);
  return OkStatus();
}

void RuleDriver::NoteLast(const RewriteRule& rule) {
  if (last_.size() < kLastApplications) {
    last_.push_back(&rule);
  } else {
    last_[static_cast<size_t>(result_.applied) % kLastApplications] = &rule;
  }
}

Status RuleDriver::DoesNotEnd() const {
  // In the order of the set: of rules that undo each other, none is the first.
  std::vector<const RewriteRule*> at_fault = last_;
  std::ranges::sort(at_fault);
  at_fault.erase(std::unique(at_fault.begin(), at_fault.end()), at_fault.end());
  std::vector<std::string_view> names;
  for (const RewriteRule* rule : at_fault) names.push_back(rule->name);
  return InternalError(
      "{}: {} {} still applied after {} applications",
      names.size() > 1 ? "rules undo each other" : "a rule does not come to an end",
      fmt::join(names, ", "), names.size() > 1 ? "were" : "was", most_applications_);
}

}  // namespace lathe::passes
