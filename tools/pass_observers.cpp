#include "lathe/tools/pass_observers.h"

#include <algorithm>
#include <cstdio>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "lathe/support/atomic_file.h"
#include "lathe/support/glob.h"
#include "lathe/support/nearest_names.h"
#include "lathe/support/quoted.h"
#include "lathe/tools/allocation_count.h"
#include "lathe/tools/timing_report.h"

namespace lathe::tools {
namespace {

void CollectNames(const std::vector<passes::PipelineItem>& items,
                  std::vector<std::string_view>& names) {
  for (const passes::PipelineItem& item : items) {
    if (item.pass != nullptr) names.push_back(item.pass->name);
    CollectNames(item.items, names);
  }
}

Status CheckGlobs(std::string_view option, const std::vector<std::string>& globs,
                  const std::vector<std::string_view>& names) {
  for (const std::string& glob : globs) {
    const bool matches =
        std::ranges::any_of(names, [&](std::string_view name) { return GlobMatches(glob, name); });
    if (matches || glob == "*") continue;
    const std::string nearest = DidYouMean(glob, names);
    return NotFound("{}: the pipeline has no pass {}{}{}", option, Quoted(glob),
                    nearest.empty() ? "" : "; ", nearest);
  }
  return OkStatus();
}

Status WriteJson(const std::string& path, const Json& json) {
  if (path.empty()) return OkStatus();
  return WriteFileAtomically(path, json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n");
}

passes::PrintModelOptions PrinterOptions(const ObserverOptions& options) {
  return {.before = options.print_before,
          .after = options.print_after,
          .changes = options.print_changes,
          .nodes = options.print_nodes,
          .folder = options.print_to};
}

bool Prints(const ObserverOptions& options) {
  return !options.print_before.empty() || !options.print_after.empty() ||
         !options.print_changes.empty();
}

}  // namespace

void AddObserverOptions(CLI::App& command, ObserverOptions& options) {
  const auto add_list = [&](const char* name, std::vector<std::string>& list, const char* type,
                            const char* help) {
    command.add_option(name, list, help)->type_name(type)->allow_extra_args(false);
  };
  command.add_flag("--verify-each", options.verify_each, "Check the model after each pass");
  command.add_flag("--check-changed", options.check_changed,
                   "Check that each pass tells the truth about whether it changed something");
  add_list("--print-before", options.print_before, "PASS",
           "Write the model to standard error before this pass ('fuse-*', '*'); repeat for more");
  add_list("--print-after", options.print_after, "PASS", "The same after a pass");
  add_list("--print-changes", options.print_changes, "PASS",
           "The lines that a pass changed, if it did");
  add_list("--print-node", options.print_nodes, "NODE",
           "Write only nodes of this name or made from one ('layer1*'); repeat for more");
  command.add_option("--print-to", options.print_to, "Write files into this folder instead")
      ->type_name("DIR");
  command.add_flag("--timing", options.timing,
                   "Print where wall time, CPU time, allocations and memory went");
  command.add_option("--timing-json", options.timing_json, "Write the same as JSON")
      ->type_name("FILE");
  command.add_option("--trace", options.trace, "Write the same for chrome://tracing or Perfetto")
      ->type_name("FILE");
  command
      .add_option("--remarks", options.remarks,
                  "Write what passes did, refused and failed to do as JSON lines")
      ->type_name("FILE");
  command
      .add_option("--reproducer", options.reproducer,
                  "Leave a file that repeats the failure if a pass fails or crashes")
      ->type_name("FILE");
}

Status CheckObserverOptions(const ObserverOptions& options, const passes::Pipeline& pipeline) {
  std::vector<std::string_view> names;
  CollectNames(pipeline.items(), names);
  LATHE_RETURN_IF_ERROR(CheckGlobs("--print-before", options.print_before, names));
  LATHE_RETURN_IF_ERROR(CheckGlobs("--print-after", options.print_after, names));
  LATHE_RETURN_IF_ERROR(CheckGlobs("--print-changes", options.print_changes, names));
  if (Prints(options)) return OkStatus();
  for (const auto& [option, given] : {std::pair("--print-node", !options.print_nodes.empty()),
                                      std::pair("--print-to", !options.print_to.empty())}) {
    if (given) {
      return InvalidInput("{} needs --print-before, --print-after or --print-changes", option);
    }
  }
  return OkStatus();
}

PassObservers::PassObservers(const ObserverOptions& options, const std::vector<std::string>& assume)
    : options_(options) {
  if (!options.reproducer.empty()) reproducer_.emplace(options.reproducer, assume);
  if (options.check_changed) check_changed_.emplace();
  if (options.verify_each) verify_each_.emplace();
  if (Prints(options)) {
    printer_.emplace(PrinterOptions(options),
                     [](std::string_view text) { fmt::print(stderr, "{}\n", text); });
  }
  if (!options.remarks.empty()) remarks_.emplace(options.remarks);
  if (options.timing || !options.timing_json.empty() || !options.trace.empty()) {
    timing_.emplace(CountAllocations());
  }
}

std::vector<passes::PassObserver*> PassObservers::chain() {
  std::vector<passes::PassObserver*> result;
  const auto add = [&](auto& observer) {
    if (observer) result.push_back(&*observer);
  };
  // Behind a pass they come in the opposite order: times are taken first; a broken model is still
  // printed; what differs is told only of sound models.
  add(reproducer_);
  add(check_changed_);
  add(verify_each_);
  add(printer_);
  add(remarks_);
  add(timing_);
  return result;
}

Status PassObservers::Finish(Status outcome) const {
  if (reproducer_ && reproducer_->left()) {
    outcome =
        WithContext(std::move(outcome), ErrorContext::kHint,
                    fmt::format("'lathe opt --run-reproducer {}' repeats it", options_.reproducer));
  }
  if (timing_) {
    for (const Status& written : {WriteJson(options_.timing_json, TimingJson(timing_->tree())),
                                  WriteJson(options_.trace, TimingTrace(timing_->tree()))}) {
      if (outcome.ok()) outcome = written;
    }
  }
  return outcome;
}

}  // namespace lathe::tools
