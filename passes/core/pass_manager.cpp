#include "lathe/passes/core/pass_manager.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <map>
#include <optional>

#include "lathe/support/nearest_names.h"
#include "lathe/support/quoted.h"

namespace lathe::passes {
namespace {

bool Contains(const std::vector<std::string_view>& facts, std::string_view fact) {
  return std::ranges::find(facts, fact) != facts.end();
}

// What holds after a pass: unless it changed nothing, facts that it does not preserve are gone.
void ApplyPass(const PassDescriptor& pass, bool changed, FactSet& facts) {
  if (changed) {
    std::erase_if(facts, [&](const std::string& fact) { return !Contains(pass.preserves, fact); });
  }
  facts.insert(pass.establishes.begin(), pass.establishes.end());
}

// Calls the pass and fills in its report.
Status CallPass(const PipelineItem& item, ir::Rewriter& rewriter, const Resources& resources,
                bool bodies_only, PassReport& report) {
  const PassDescriptor& pass = *item.pass;
  for (const StatisticDescriptor& statistic : pass.statistics) {
    report.statistics.emplace_back(statistic.name, 0);
  }
  std::string unknown_statistic;
  PassContext context(
      rewriter, item.options, resources,
      [&](Remark remark) { report.remarks.push_back(std::move(remark)); },
      [&](std::string_view name, int64_t amount) {
        for (auto& [key, count] : report.statistics) {
          if (key == name) {
            count += amount;
            return;
          }
        }
        unknown_statistic = name;
      },
      pass.name, bodies_only);
  const auto start = std::chrono::steady_clock::now();
  StatusOr<bool> changed = false;
  // A pass may come from a plugin; nothing may throw out of a run.
  try {
    changed = pass.run(context);
  } catch (const std::exception& exception) {
    changed = InternalError("threw: {}", exception.what());
  }
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  report.seconds = elapsed.count();
  LATHE_ASSIGN_OR_RETURN(report.changed, std::move(changed));
  if (!unknown_statistic.empty()) {
    return InternalError("counts {}, which its descriptor does not list",
                         Quoted(unknown_statistic));
  }
  return OkStatus();
}

// The passes of a pipeline in the order in which they run, for CheckOrder. What stands in a
// fixpoint comes twice, since the second round runs behind the first; further ones see what the
// second saw.
template <typename Step>
void ListSteps(const std::vector<PipelineItem>& items, const std::string& prefix,
               std::vector<Step>& steps) {
  for (size_t i = 0; i < items.size(); ++i) {
    const PipelineItem& item = items[i];
    std::string position = fmt::format("{}{}", prefix, i + 1);
    if (item.pass != nullptr) {
      steps.push_back({std::move(position), item.pass});
      continue;
    }
    position += '.';
    ListSteps(item.items, position, steps);
    if (item.group->kind == GroupKind::kFixpoint && item.options.Get<int64_t>(kMostRounds) > 1) {
      ListSteps(item.items, position, steps);
    }
  }
}

// What starts last ends first. Not std::views::reverse, which clang 14 does not compile.
std::vector<PassObserver*> LastFirst(const std::vector<PassObserver*>& observers) {
  return {observers.rbegin(), observers.rend()};
}

}  // namespace

// What a run carries along.
struct PassManager::State {
  State(ir::Model& model, const Resources& given) : rewriter(model), resources(given) {}

  ir::Rewriter rewriter;
  const Resources& resources;
  FactSet facts;
  PipelineReport report;
  // Of the item that runs.
  std::vector<size_t> path;
  bool bodies_only = false;
};

StatusOr<PassManager> PassManager::Build(Pipeline pipeline, const PassRegistry& registry,
                                         ir::Model& model, PassManagerOptions options) {
  PassManager manager(std::move(pipeline), model, std::move(options));
  LATHE_RETURN_IF_ERROR(manager.CheckAssumed(registry));
  LATHE_RETURN_IF_ERROR(manager.CheckOrder(registry));
  return manager;
}

Status PassManager::CheckAssumed(const PassRegistry& registry) const {
  std::vector<std::string_view> known;
  for (const FactDescriptor& fact : AllFacts()) known.push_back(fact.name);
  for (const PassDescriptor* pass : registry.All()) {
    known.insert(known.end(), pass->establishes.begin(), pass->establishes.end());
    known.insert(known.end(), pass->requires_facts.begin(), pass->requires_facts.end());
  }
  for (const std::string& fact : options_.assume) {
    if (Contains(known, fact)) continue;
    const std::string hint = DidYouMean(fact, known);
    return NotFound("there is no fact {} to assume{}{}", Quoted(fact), hint.empty() ? "" : "; ",
                    hint);
  }
  return OkStatus();
}

Status PassManager::CheckOrder(const PassRegistry& registry) const {
  std::vector<Step> steps;
  ListSteps(pipeline_.items(), "", steps);

  // How a fact stands before the step that is looked at. Each pass is taken to change something, so
  // that the answer does not depend on what it finds.
  struct Standing {
    std::optional<bool> holds;      // empty: as in the model
    const Step* lost_at = nullptr;  // the pass that took it away, if one did
  };
  std::map<std::string_view, Standing> standings;
  std::map<std::string_view, bool> in_model;
  const auto holds_in_model = [&](std::string_view fact) {
    const auto [it, missing] = in_model.try_emplace(fact, false);
    if (missing) it->second = FactHolds(*model_, fact);
    return it->second;
  };
  for (const Step& step : steps) {
    for (const std::string_view fact : step.pass->requires_facts) standings[fact];
  }
  for (const std::string& fact : options_.assume) standings.erase(fact);

  for (const Step& step : steps) {
    for (const std::string_view fact : step.pass->requires_facts) {
      const auto it = standings.find(fact);
      if (it == standings.end()) continue;  // assumed
      Standing& standing = it->second;
      if (!standing.holds) standing.holds = holds_in_model(fact);
      if (*standing.holds) continue;
      std::string message = fmt::format("pass {} (number {}) needs the fact {}, ", step.pass->name,
                                        step.position, Quoted(fact));
      message += standing.lost_at == nullptr
                     ? std::string("which does not hold")
                     : fmt::format("which pass {} (number {}) does not preserve",
                                   standing.lost_at->pass->name, standing.lost_at->position);
      const std::vector<std::string_view> makers = registry.PassesThatEstablish(fact);
      message += makers.empty() ? std::string("; no pass establishes it")
                                : fmt::format("; run {} before it", fmt::join(makers, " or "));
      return InvalidInput("{}", message);
    }
    for (auto& [fact, standing] : standings) {
      if (Contains(step.pass->establishes, fact)) {
        standing = {true, nullptr};
      } else if (!Contains(step.pass->preserves, fact)) {
        if (!standing.holds) standing.holds = holds_in_model(fact);
        if (*standing.holds) standing = {false, &step};
      }
    }
  }
  return OkStatus();
}

StatusOr<PipelineReport> PassManager::Run(const Resources& resources) {
  State state(*model_, resources);
  Status outcome = RunObserved(state);
  for (PassObserver* observer : LastFirst(options_.observers)) {
    const Status ended = observer->RunEnds(state.report, outcome);
    if (outcome.ok()) outcome = ended;
  }
  LATHE_RETURN_IF_ERROR(outcome);
  return std::move(state.report);
}

Status PassManager::RunObserved(State& state) const {
  const FactSet stored = StoredFacts(*model_);
  state.facts = stored;
  for (PassObserver* observer : options_.observers) {
    LATHE_RETURN_IF_ERROR(observer->RunStarts(*model_));
  }
  LATHE_ASSIGN_OR_RETURN(state.report.changed, RunItems(pipeline_.items(), "", state));
  std::erase_if(state.facts, [](const std::string& fact) {
    const FactDescriptor* descriptor = FindFact(fact);
    return descriptor != nullptr && descriptor->recognise != nullptr;
  });
  if (state.facts != stored) StoreFacts(state.rewriter, state.facts);
  return OkStatus();
}

StatusOr<bool> PassManager::RunItems(const std::vector<PipelineItem>& items,
                                     const std::string& prefix, State& state) const {
  bool changed = false;
  for (size_t i = 0; i < items.size(); ++i) {
    state.path.push_back(i);
    LATHE_ASSIGN_OR_RETURN(const bool item_changed,
                           RunItem(items[i], fmt::format("{}{}", prefix, i + 1), state));
    state.path.pop_back();
    changed |= item_changed;
  }
  return changed;
}

StatusOr<bool> PassManager::RunItem(const PipelineItem& item, const std::string& position,
                                    State& state) const {
  if (item.pass != nullptr) return RunPass(item, position, state);
  if (item.group->kind == GroupKind::kFixpoint) return RunFixpoint(item, position, state);
  const bool outside = state.bodies_only;
  state.bodies_only |= item.group->kind == GroupKind::kBodies;
  StatusOr<bool> changed = RunGroup(item, position, state);
  state.bodies_only = outside;
  return changed;
}

StatusOr<bool> PassManager::RunGroup(const PipelineItem& group, const std::string& position,
                                     State& state) const {
  std::string_view name = group.name();
  if (group.group->kind == GroupKind::kPhase) {
    const std::string& given = group.options.Get<std::string>(kGroupName);
    if (!given.empty()) name = given;
  }
  const GroupPoint point{position, name};
  for (PassObserver* observer : options_.observers) observer->GroupStarts(point);
  LATHE_ASSIGN_OR_RETURN(const bool changed, RunItems(group.items, position + ".", state));
  for (PassObserver* observer : LastFirst(options_.observers)) {
    observer->GroupEnds(point);
  }
  return changed;
}

StatusOr<bool> PassManager::RunFixpoint(const PipelineItem& group, const std::string& position,
                                        State& state) const {
  const int64_t most_rounds = group.options.Get<int64_t>(kMostRounds);
  for (int64_t round = 1;; ++round) {
    const size_t first = state.report.passes.size();
    LATHE_ASSIGN_OR_RETURN(const bool changed,
                           RunGroup(group, fmt::format("{}#{}", position, round), state));
    if (!changed) return round > 1;
    if (round < most_rounds) continue;
    // The last round changed something, so a pass of it did.
    for (size_t i = state.report.passes.size(); i-- > first;) {
      PassReport& pass = state.report.passes[i];
      if (!pass.changed) continue;
      pass.remarks.push_back(
          {Remark::Kind::kNote, pass.pass, "",
           fmt::format("fixpoint (number {}) stopped after {} rounds although this pass still "
                       "changed something",
                       position, most_rounds)});
      break;
    }
    return true;
  }
}

StatusOr<bool> PassManager::RunPass(const PipelineItem& item, const std::string& position,
                                    State& state) const {
  if (options_.interrupted && options_.interrupted()) return absl::CancelledError("interrupted");
  if (options_.most_runs && state.report.passes.size() >= *options_.most_runs) return false;
  const PassDescriptor& pass = *item.pass;
  PassReport& report = state.report.passes.emplace_back();
  report.position = position;
  report.pass = pass.name;
  const PassPoint point{position, pass, *model_, pipeline_, state.path, state.facts};
  for (PassObserver* observer : options_.observers) {
    LATHE_RETURN_IF_ERROR(observer->BeforePass(point));
  }
  Status status = CallPass(item, state.rewriter, state.resources, state.bodies_only, report);
  for (PassObserver* observer : LastFirst(options_.observers)) {
    if (status.ok()) status = observer->AfterPass(point, report);
  }
  if (!status.ok()) {
    report.remarks.push_back({Remark::Kind::kFailed, report.pass,
                              GetContext(status, ErrorContext::kNode).value_or(""),
                              std::string(status.message())});
    return WithContext(std::move(status), ErrorContext::kPass, pass.name);
  }
  ApplyPass(pass, report.changed, state.facts);
  return report.changed;
}

StatusOr<PipelineReport> RunPipeline(ir::Model& model, std::string_view pipeline,
                                     const PassRegistry& registry, const Resources& resources,
                                     PassManagerOptions options) {
  LATHE_ASSIGN_OR_RETURN(Pipeline parsed, Pipeline::Parse(pipeline, registry));
  LATHE_ASSIGN_OR_RETURN(PassManager manager, PassManager::Build(std::move(parsed), registry, model,
                                                                 std::move(options)));
  return manager.Run(resources);
}

}  // namespace lathe::passes
