#include "lathe/passes/core/pass_manager.h"

#include <algorithm>
#include <chrono>
#include <exception>

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

}  // namespace

StatusOr<PassManager> PassManager::Build(const Pipeline& pipeline, const PassRegistry& registry,
                                         ir::Model& model, PassManagerOptions options) {
  PassManager manager(model, std::move(options));
  manager.Flatten(pipeline.items(), "");
  LATHE_RETURN_IF_ERROR(manager.CheckAssumed(registry));
  LATHE_RETURN_IF_ERROR(manager.CheckOrder(registry));
  return manager;
}

void PassManager::Flatten(const std::vector<PipelineItem>& items, const std::string& prefix) {
  for (size_t i = 0; i < items.size(); ++i) {
    std::string position = fmt::format("{}{}", prefix, i + 1);
    if (items[i].pass != nullptr) {
      steps_.push_back({std::move(position), items[i].pass, items[i].options});
    } else {
      Flatten(items[i].items, position + ".");
    }
  }
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

PassManager::Standing PassManager::StandingBefore(size_t index, std::string_view fact) const {
  for (size_t i = index; i-- > 0;) {
    const PassDescriptor& pass = *steps_[i].pass;
    if (Contains(pass.establishes, fact)) return {true, nullptr};
    if (Contains(pass.preserves, fact)) continue;
    // Each pass is taken to change something, so that the answer does not depend on what it finds.
    const Standing before = StandingBefore(i, fact);
    return {false, before.holds ? &steps_[i] : before.lost_at};
  }
  return {FactHolds(*model_, fact), nullptr};
}

Status PassManager::CheckOrder(const PassRegistry& registry) const {
  for (size_t i = 0; i < steps_.size(); ++i) {
    for (const std::string_view fact : steps_[i].pass->requires_facts) {
      if (std::ranges::find(options_.assume, fact) != options_.assume.end()) continue;
      const Standing standing = StandingBefore(i, fact);
      if (standing.holds) continue;
      std::string message = fmt::format("pass {} (number {}) needs the fact {}, ",
                                        steps_[i].pass->name, steps_[i].position, Quoted(fact));
      message += standing.lost_at == nullptr
                     ? std::string("which does not hold")
                     : fmt::format("which pass {} (number {}) does not preserve",
                                   standing.lost_at->pass->name, standing.lost_at->position);
      const std::vector<std::string_view> makers = registry.PassesThatEstablish(fact);
      message += makers.empty() ? std::string("; no pass establishes it")
                                : fmt::format("; run {} before it", fmt::join(makers, " or "));
      return InvalidInput("{}", message);
    }
  }
  return OkStatus();
}

Status PassManager::RunStep(const Step& step, ir::Rewriter& rewriter, const Resources& resources,
                            PassReport& report) {
  const PassDescriptor& pass = *step.pass;
  for (const StatisticDescriptor& statistic : pass.statistics) {
    report.statistics.emplace_back(statistic.name, 0);
  }
  std::string unknown_statistic;
  PassContext context(
      rewriter, step.options, resources,
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
      pass.name);
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

StatusOr<PipelineReport> PassManager::Run(const Resources& resources) {
  if (options_.verify) {
    const Status valid = options_.verify(*model_);
    if (!valid.ok()) return valid;
  }
  FactSet facts = StoredFacts(*model_);
  const FactSet stored = facts;
  ir::Rewriter rewriter(*model_);
  PipelineReport report;
  for (const Step& step : steps_) {
    if (options_.interrupted && options_.interrupted()) return absl::CancelledError("interrupted");
    PassReport& entry = report.passes.emplace_back();
    entry.position = step.position;
    entry.pass = step.pass->name;
    const auto in_pass = [&](Status status) {
      return WithContext(std::move(status), ErrorContext::kPass, step.pass->name);
    };
    if (options_.before_pass) {
      LATHE_RETURN_IF_ERROR(options_.before_pass({step.position, step.pass->name, *model_}));
    }
    LATHE_RETURN_IF_ERROR(in_pass(RunStep(step, rewriter, resources, entry)));
    if (options_.verify) {
      const Status valid = options_.verify(*model_);
      if (!valid.ok()) {
        return in_pass(InternalError("leaves a broken model: {}", FormatError(valid)));
      }
    }
    if (options_.after_pass) {
      LATHE_RETURN_IF_ERROR(
          options_.after_pass({step.position, step.pass->name, *model_, entry.changed}));
    }
    report.changed |= entry.changed;
    ApplyPass(*step.pass, entry.changed, facts);
  }
  std::erase_if(facts, [](const std::string& fact) {
    const FactDescriptor* descriptor = FindFact(fact);
    return descriptor != nullptr && descriptor->recognise != nullptr;
  });
  if (facts != stored) StoreFacts(rewriter, facts);
  return report;
}

StatusOr<PipelineReport> RunPipeline(ir::Model& model, std::string_view pipeline,
                                     const PassRegistry& registry, const Resources& resources,
                                     PassManagerOptions options) {
  LATHE_ASSIGN_OR_RETURN(Pipeline parsed, Pipeline::Parse(pipeline, registry));
  LATHE_ASSIGN_OR_RETURN(PassManager manager,
                         PassManager::Build(parsed, registry, model, std::move(options)));
  return manager.Run(resources);
}

}  // namespace lathe::passes
