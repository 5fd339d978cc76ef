// The options of a command that say what to watch while a pipeline runs.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lathe/passes/instrument/check_changed.h"
#include "lathe/passes/instrument/print_model.h"
#include "lathe/passes/instrument/reproducer.h"
#include "lathe/passes/instrument/timing.h"
#include "lathe/passes/instrument/verify_each.h"
#include "lathe/tools/remark_file.h"

namespace CLI {
class App;
}

namespace lathe::tools {

struct ObserverOptions {
  bool verify_each = false;
  bool check_changed = false;
  std::vector<std::string> print_before;
  std::vector<std::string> print_after;
  std::vector<std::string> print_changes;
  std::vector<std::string> print_nodes;
  std::string print_to;
  bool timing = false;
  std::string timing_json;
  std::string trace;
  std::string remarks;
  std::string reproducer;
};

void AddObserverOptions(CLI::App& command, ObserverOptions& options);

// Errors: a pass to print at is not in the pipeline; nodes or a folder are given, but no pass.
Status CheckObserverOptions(const ObserverOptions& options, const passes::Pipeline& pipeline);

// The observers that the options ask for.
class PassObservers {
 public:
  // `assume`: the facts assumed for the run.
  PassObservers(const ObserverOptions& options, const std::vector<std::string>& assume);

  // In the order that PassManagerOptions wants.
  std::vector<passes::PassObserver*> chain();
  // Null when times are not asked for.
  const passes::TimingNode* timing() const { return timing_ ? &timing_->tree() : nullptr; }

  // After the run, however it ended: writes the files of the timing tree. Returns `outcome`, with
  // the reproducer as its hint, or if it is OK what went wrong here.
  Status Finish(Status outcome) const;

 private:
  ObserverOptions options_;
  std::optional<passes::WriteReproducer> reproducer_;
  std::optional<passes::CheckChanged> check_changed_;
  std::optional<passes::VerifyEach> verify_each_;
  std::optional<passes::PrintModelObserver> printer_;
  std::optional<RemarkFile> remarks_;
  std::optional<passes::Timing> timing_;
};

}  // namespace lathe::tools
