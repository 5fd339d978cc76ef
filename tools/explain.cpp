#include "lathe/tools/explain.h"

#include <algorithm>
#include <cstdio>

#include <fmt/format.h>

#include "lathe/support/quoted.h"

namespace lathe::tools {
namespace {

using passes::Explanation;

std::string AttemptText(const Explanation::Attempt& attempt) {
  if (!attempt.fits) {
    const std::string fitted = attempt.matched_nodes == 0
                                   ? std::string()
                                   : fmt::format(" ({} node{} fitted)", attempt.matched_nodes,
                                                 attempt.matched_nodes == 1 ? "" : "s");
    return fmt::format("{}: refused: {}{}", attempt.rule, attempt.reason, fitted);
  }
  if (attempt.with.empty()) return fmt::format("{}: applied", attempt.rule);
  std::vector<std::string> with;
  for (const std::string& name : attempt.with) with.push_back(Quoted(name));
  return fmt::format("{}: applied, with {}", attempt.rule, fmt::join(with, ", "));
}

// The pass tried rules on the node.
bool HasVisit(const Explanation& explanation, const std::string& pass) {
  const std::vector<Explanation::Visit> visits = explanation.visits();
  return std::ranges::find(visits, pass, &Explanation::Visit::pass) != visits.end();
}

// Remarks about the node by passes that work without rules.
std::vector<const passes::Remark*> RemarksOn(const std::string& node,
                                             const Explanation& explanation,
                                             const passes::PipelineReport& report) {
  std::vector<const passes::Remark*> remarks;
  for (const passes::PassReport& pass : report.passes) {
    if (HasVisit(explanation, pass.pass)) continue;
    for (const passes::Remark& remark : pass.remarks) {
      if (remark.node == node) remarks.push_back(&remark);
    }
  }
  return remarks;
}

}  // namespace

StatusOr<Explain> Explain::Of(const std::string& node, const ir::Model& model) {
  Explain result;
  if (node.empty()) return result;
  StatusOr<Explanation> explanation = Explanation::Of(node, model);
  if (!explanation.ok()) return AtPlace(explanation.status(), "--explain");
  result.node_ = node;
  result.explanation_ = *std::move(explanation);
  return result;
}

passes::Resources Explain::resources() {
  passes::Resources result;
  if (explanation_) result.Provide<passes::MatchListener>(&*explanation_);
  return result;
}

void Explain::Print(const passes::PipelineReport& report) const {
  if (!explanation_) return;
  for (const Explanation::Visit& visit : explanation_->visits()) {
    fmt::print("{} ({}) in {}{}\n", Quoted(visit.node), visit.op, visit.pass,
               visit.as_part ? ", as part of a match" : "");
    for (const Explanation::Attempt& attempt : visit.attempts) {
      fmt::print("  {}\n", AttemptText(attempt));
    }
    if (visit.attempts.empty()) fmt::print("  no rule begins at {}\n", visit.op);
  }
  for (const passes::Remark* remark : RemarksOn(node_, *explanation_, report)) {
    fmt::print("{} in {}\n  {}: {}\n", Quoted(node_), remark->pass, RemarkKindText(remark->kind),
               remark->message);
  }
}

Json Explain::ToJson(const passes::PipelineReport& report) const {
  Json result = Json::array();
  if (!explanation_) return result;
  for (const Explanation::Visit& visit : explanation_->visits()) {
    Json attempts = Json::array();
    for (const Explanation::Attempt& attempt : visit.attempts) {
      Json entry = {{"rule", attempt.rule}, {"applied", attempt.fits}};
      if (attempt.fits) {
        entry["with"] = attempt.with;
      } else {
        entry["reason"] = attempt.reason;
        entry["matched_nodes"] = attempt.matched_nodes;
      }
      attempts.push_back(std::move(entry));
    }
    result.push_back({{"pass", visit.pass},
                      {"node", visit.node},
                      {"op", visit.op},
                      {"as_part", visit.as_part},
                      {"attempts", std::move(attempts)}});
  }
  for (const passes::Remark* remark : RemarksOn(node_, *explanation_, report)) {
    result.push_back({{"pass", remark->pass},
                      {"node", remark->node},
                      {"remark", RemarkKindText(remark->kind)},
                      {"message", remark->message}});
  }
  return result;
}

}  // namespace lathe::tools
