#include "lathe/passes/core/bisect.h"

namespace lathe::passes {
namespace {

// Remembers the last pass that began.
class LastPass : public PassObserver {
 public:
  Status BeforePass(const PassPoint& point) override {
    alone_ = point.pipeline.Alone(point.path);
    facts_ = point.facts;
    return OkStatus();
  }
  Pipeline& alone() { return alone_; }
  FactSet& facts() { return facts_; }

 private:
  Pipeline alone_;
  FactSet facts_;
};

// The model after the first runs of a pipeline.
struct Prefix {
  std::unique_ptr<ir::Model> model;
  PipelineReport report;
  LastPass last;
  bool good = false;

  size_t runs() const { return report.passes.size(); }
};

class Bisector {
 public:
  Bisector(const Pipeline& pipeline, const PassRegistry& registry, const BisectOptions& options,
           const Resources& resources)
      : pipeline_(pipeline), registry_(registry), options_(options), resources_(resources) {}

  // Empty `runs`: all of them.
  StatusOr<std::unique_ptr<Prefix>> Try(std::optional<size_t> runs) {
    auto prefix = std::make_unique<Prefix>();
    LATHE_ASSIGN_OR_RETURN(prefix->model, options_.load());
    PassManagerOptions options;
    options.observers = {&prefix->last};
    options.interrupted = options_.interrupted;
    options.assume = options_.assume;
    options.most_runs = runs;
    LATHE_ASSIGN_OR_RETURN(
        PassManager manager,
        PassManager::Build(pipeline_, registry_, *prefix->model, std::move(options)));
    LATHE_ASSIGN_OR_RETURN(prefix->report, manager.Run(resources_));
    const std::vector<PassReport>& passes = prefix->report.passes;
    ++checks_;
    LATHE_ASSIGN_OR_RETURN(prefix->good, options_.check(*prefix->model, passes.size(),
                                                        passes.empty() ? nullptr : &passes.back()));
    return prefix;
  }

  size_t checks() const { return checks_; }

 private:
  const Pipeline& pipeline_;
  const PassRegistry& registry_;
  const BisectOptions& options_;
  const Resources& resources_;
  size_t checks_ = 0;
};

}  // namespace

StatusOr<BisectResult> Bisect(const Pipeline& pipeline, const PassRegistry& registry,
                              const BisectOptions& options, const Resources& resources) {
  Bisector bisector(pipeline, registry, options, resources);
  LATHE_ASSIGN_OR_RETURN(std::unique_ptr<Prefix> good, bisector.Try(0));
  if (!good->good) {
    return InvalidInput("the check fails on the model as it is before the first pass");
  }
  LATHE_ASSIGN_OR_RETURN(std::unique_ptr<Prefix> bad, bisector.Try(std::nullopt));
  BisectResult result;
  result.runs = bad->runs();
  if (bad->good) {
    result.checks = bisector.checks();
    result.last_good = std::move(bad->model);
    return result;
  }
  while (bad->runs() - good->runs() > 1) {
    const size_t middle = good->runs() + (bad->runs() - good->runs()) / 2;
    LATHE_ASSIGN_OR_RETURN(std::unique_ptr<Prefix> tried, bisector.Try(middle));
    (tried->good ? good : bad) = std::move(tried);
  }
  result.checks = bisector.checks();
  result.last_good = std::move(good->model);
  // With no run at all the two checks were of the same model.
  if (result.runs == 0) return InvalidInput("the check does not give the same answer twice");
  result.first_bad = FirstBadRun{.number = bad->runs(),
                                 .report = std::move(bad->report.passes.back()),
                                 .pipeline = std::move(bad->last.alone()),
                                 .facts = std::move(bad->last.facts())};
  return result;
}

}  // namespace lathe::passes
