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
std::vector<const passes::Remark*> RemarksOn(const Explanation& explanation,
                                             const passes::PipelineReport& report) {
  std::vector<const passes::Remark*> remarks;
  const std::string quoted = Quoted(explanation.node());
  for (const passes::PassReport& pass : report.passes) {
    if (HasVisit(explanation, pass.pass)) continue;
    for (const passes::Remark& remark : pass.remarks) {
      // "folded 'bn1'" is about bn1, too.
      if (remark.node == explanation.node() || remark.message.find(quoted) != std::string::npos) {
        remarks.push_back(&remark);
      }
    }
  }
  return remarks;
}

}  // namespace

StatusOr<Explain> Explain::Of(const std::string& name, const ir::Model& model) {
  Explain result;
  if (name.empty()) return result;
  LATHE_ASSIGN_OR_RETURN(result.explanation_, Explanation::Of(name, model));
  return result;
}

passes::Resources Explain::resources() {
  passes::Resources result;
  if (explanation_) result.Provide<passes::MatchListener>(&*explanation_);
  return result;
}

void Explain::Print(const passes::PipelineReport& report, bool all_passes) const {
  if (!explanation_) return;
  bool silent = true;
  for (const Explanation::Visit& visit : explanation_->visits()) {
    if (visit.attempts.empty() && !all_passes) continue;
    silent = false;
    fmt::print("{} ({}) in {}{}\n", Quoted(visit.node), visit.op, visit.pass,
               visit.as_part ? ", as part of a match" : "");
    for (const Explanation::Attempt& attempt : visit.attempts) {
      fmt::print("  {}\n", AttemptText(attempt));
    }
    if (visit.attempts.empty()) fmt::print("  no rule begins at {}\n", visit.op);
  }
  for (const passes::Remark* remark : RemarksOn(*explanation_, report)) {
    fmt::print("{} in {}\n  {}: {}\n", Quoted(remark->node), remark->pass,
               RemarkKindText(remark->kind), remark->message);
    silent = false;
  }
  if (silent) fmt::print("  none\n");
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
  for (const passes::Remark* remark : RemarksOn(*explanation_, report)) {
    result.push_back({{"pass", remark->pass},
                      {"node", remark->node},
                      {"remark", RemarkKindText(remark->kind)},
                      {"message", remark->message}});
  }
  return result;
}

}  // namespace lathe::tools
