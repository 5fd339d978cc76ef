// lathe opt MODEL -o OUT --passes TEXT: runs any pipeline on a model.
#include <algorithm>
#include <cstdio>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "lathe/backends/onnx/export.h"
#include "lathe/frontends/onnx/import.h"
#include "lathe/ir/text/print.h"
#include "lathe/ir/verifier.h"
#include "lathe/passes/core/pass_manager.h"
#include "lathe/passes/pipelines/all_passes.h"
#include "lathe/support/nearest_names.h"
#include "lathe/support/quoted.h"
#include "lathe/tools/commands/commands.h"
#include "lathe/tools/exit_status.h"
#include "lathe/tools/fix_shapes.h"
#include "lathe/tools/interrupt.h"
#include "lathe/tools/summary.h"

namespace lathe::tools {
namespace {

struct OptOptions {
  std::string model;
  std::string output;
  std::string passes;
  std::vector<std::string> assume;
  std::vector<std::string> print_before;
  std::vector<std::string> print_after;
  bool verify_each = false;
  bool timing = false;
};

size_t CountNodes(const ir::Model& model) {
  size_t count = 0;
  for (const ir::Graph* graph : model.AllGraphs()) count += graph->num_nodes();
  return count;
}

void CollectNames(const std::vector<passes::PipelineItem>& items,
                  std::vector<std::string_view>& names) {
  for (const passes::PipelineItem& item : items) {
    if (item.pass != nullptr) names.push_back(item.pass->name);
    CollectNames(item.items, names);
  }
}

// A pass to print at must be one of the pipeline.
Status CheckPrints(std::string_view option, const std::vector<std::string>& wanted,
                   const passes::Pipeline& pipeline) {
  std::vector<std::string_view> names;
  CollectNames(pipeline.items(), names);
  for (const std::string& name : wanted) {
    if (std::ranges::find(names, name) != names.end()) continue;
    const std::string nearest = DidYouMean(name, names);
    return NotFound("{}: the pipeline has no pass {}{}{}", option, Quoted(name),
                    nearest.empty() ? "" : "; ", nearest);
  }
  return OkStatus();
}

// A hook that writes the model to standard error at the passes named; empty when there are none.
std::function<Status(const passes::PassPoint&)> PrintHook(std::string_view when,
                                                          const std::vector<std::string>& names) {
  if (names.empty()) return {};
  return [when, &names](const passes::PassPoint& point) -> Status {
    if (std::ranges::find(names, point.pass) == names.end()) return OkStatus();
    LATHE_ASSIGN_OR_RETURN(const std::string text,
                           ir::PrintModel(point.model, {.weights = ir::WeightText::kElided}));
    fmt::print(stderr, "// {} pass {} (number {})\n{}\n", when, point.pass, point.position, text);
    return OkStatus();
  };
}

// Refers to `options`.
passes::PassManagerOptions ManagerOptions(const OptOptions& options) {
  passes::PassManagerOptions result;
  result.assume = options.assume;
  result.interrupted = Interrupted;
  if (options.verify_each) result.verify = ir::VerifyModel;
  result.before_pass = PrintHook("before", options.print_before);
  result.after_pass = PrintHook("after", options.print_after);
  return result;
}

Status Run(const OptOptions& options, const GlobalOptions& global) {
  passes::PassRegistry registry;
  LATHE_RETURN_IF_ERROR(passes::RegisterAllPasses(registry));
  // What is wrong with the command line is said before a large model is read.
  StatusOr<passes::Pipeline> pipeline = passes::Pipeline::Parse(options.passes, registry);
  if (!pipeline.ok()) return UsageError(pipeline.status());
  LATHE_RETURN_IF_ERROR(UsageError(CheckPrints("--print-before", options.print_before, *pipeline)));
  LATHE_RETURN_IF_ERROR(UsageError(CheckPrints("--print-after", options.print_after, *pipeline)));

  LATHE_ASSIGN_OR_RETURN(const std::unique_ptr<ir::Model> model,
                         frontends::ImportOnnx(options.model));
  ir::Rewriter rewriter(*model);
  LATHE_RETURN_IF_ERROR(FixInputShapes(rewriter, global.shapes));
  const size_t nodes_before = CountNodes(*model);
  StatusOr<passes::PassManager> manager =
      passes::PassManager::Build(*pipeline, registry, *model, ManagerOptions(options));
  if (!manager.ok()) return UsageError(manager.status());
  LATHE_ASSIGN_OR_RETURN(const passes::PipelineReport report, manager->Run());
  LATHE_RETURN_IF_ERROR(backends::ExportOnnx(*model, options.output));

  const size_t nodes_after = CountNodes(*model);
  if (global.json) {
    PrintJson({{"model", options.model},
               {"output", options.output},
               {"changed", report.changed},
               {"nodes_before", nodes_before},
               {"nodes_after", nodes_after},
               {"passes", ReportJson(report, options.timing)}});
    return OkStatus();
  }
  PrintReport(report, options.timing, global.verbosity > 0);
  fmt::print("{}: {} nodes, {} before\n", options.output, nodes_after, nodes_before);
  return OkStatus();
}

}  // namespace

void AddOptCommand(CLI::App& app, GlobalOptions& global) {
  CLI::App* command = app.add_subcommand("opt", "Run a pipeline of passes on a model");
  command->footer(
      "A pipeline is passes in order, with options in braces:\n"
      "  lathe opt net.onnx -o out.onnx --passes 'eliminate-identity,fuse-conv-bn{skip=[conv1]}'\n"
      "'lathe passes' lists the passes. With -v, what each did or refused to do is printed.");
  const auto options = std::make_shared<OptOptions>();
  command->add_option("MODEL", options->model, "The ONNX model")->required();
  command->add_option("-o,--output", options->output, "Where to write the result")
      ->required()
      ->type_name("OUT");
  command->add_option("--passes", options->passes, "The pipeline")
      ->required()
      ->type_name("PIPELINE");
  command
      ->add_option("--assume", options->assume,
                   "Take a fact that a pass requires for granted; repeat for further ones")
      ->type_name("FACT")
      ->allow_extra_args(false);
  command
      ->add_option("--print-before", options->print_before,
                   "Write the model to standard error before this pass; repeat for further ones")
      ->type_name("PASS")
      ->allow_extra_args(false);
  command->add_option("--print-after", options->print_after, "The same after a pass")
      ->type_name("PASS")
      ->allow_extra_args(false);
  command->add_flag("--verify-each", options->verify_each, "Check the model after each pass");
  command->add_flag("--timing", options->timing, "Say how long each pass took");
  command->callback(
      [options, &global] { global.run = [options, &global] { return Run(*options, global); }; });
}

}  // namespace lathe::tools
