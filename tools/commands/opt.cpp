// lathe opt MODEL -o OUT --passes TEXT: runs any pipeline on a model.
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "lathe/backends/onnx/export.h"
#include "lathe/flows/import_model.h"
#include "lathe/passes/core/pass_manager.h"
#include "lathe/support/text_file.h"
#include "lathe/tools/bisect.h"
#include "lathe/tools/commands/commands.h"
#include "lathe/tools/exit_status.h"
#include "lathe/tools/explain.h"
#include "lathe/tools/fix_shapes.h"
#include "lathe/tools/interrupt.h"
#include "lathe/tools/pass_observers.h"
#include "lathe/tools/plugin_option.h"
#include "lathe/tools/summary.h"
#include "lathe/tools/timing_report.h"

namespace lathe::tools {
namespace {

struct OptOptions {
  std::string model;
  std::string output;
  std::string passes;
  std::string run_reproducer;
  std::string explain;
  std::string bisect;
  std::vector<std::string> assume;
  std::vector<std::string> plugins;
  bool print_pipeline = false;
  ObserverOptions observers;
};

size_t CountNodes(const ir::Model& model) {
  size_t count = 0;
  for (const ir::Graph* graph : model.AllGraphs()) count += graph->num_nodes();
  return count;
}

// What to run on what, wherever it comes from.
struct Job {
  std::string pipeline;
  // Where the pipeline's text stands; empty: on the command line.
  std::string pipeline_file;
  std::vector<std::string> assume;
  // Null: to be read from a file.
  std::unique_ptr<ir::Model> model;
};

// Which options must be there depends on others.
Status CheckOptions(const OptOptions& options) {
  const auto required = [](std::string_view what) {
    return UsageError(InvalidInput("{} is required (see 'lathe opt --help')", what));
  };
  if (!options.run_reproducer.empty()) {
    if (options.model.empty() && options.passes.empty()) return OkStatus();
    return UsageError(
        InvalidInput("--run-reproducer brings its own model and pipeline: leave {} out",
                     options.model.empty() ? "--passes" : "MODEL"));
  }
  if (!options.print_pipeline && options.model.empty()) return required("MODEL");
  if (!options.print_pipeline && options.bisect.empty() && options.output.empty()) {
    return required("--output");
  }
  return UsageError(flows::RefuseCaffeOutput(options.output));
}

StatusOr<Job> FindJob(const OptOptions& options) {
  Job job{.pipeline = options.passes, .assume = options.assume};
  if (!options.run_reproducer.empty()) {
    LATHE_ASSIGN_OR_RETURN(passes::Reproducer reproducer,
                           passes::ReadReproducer(options.run_reproducer));
    job.pipeline = std::move(reproducer.pipeline);
    job.pipeline_file = options.run_reproducer;
    job.assume.insert(job.assume.end(), reproducer.assume.begin(), reproducer.assume.end());
    job.model = std::move(reproducer.model);
  } else if (options.passes.starts_with('@')) {
    job.pipeline_file = options.passes.substr(1);
    if (job.pipeline_file.empty()) {
      return UsageError(InvalidInput("--passes: the name of a file is missing after '@'"));
    }
    LATHE_ASSIGN_OR_RETURN(job.pipeline, ReadTextFile(job.pipeline_file));
  }
  return job;
}

// A fresh model each time.
StatusOr<std::unique_ptr<ir::Model>> LoadModel(const OptOptions& options,
                                               const GlobalOptions& global, Job& job) {
  std::unique_ptr<ir::Model> model = std::move(job.model);
  if (model == nullptr && options.run_reproducer.empty()) {
    LATHE_ASSIGN_OR_RETURN(model, flows::ImportModel(options.model));
  } else if (model == nullptr) {
    LATHE_ASSIGN_OR_RETURN(passes::Reproducer reproducer,
                           passes::ReadReproducer(options.run_reproducer));
    model = std::move(reproducer.model);
  }
  ir::Rewriter rewriter(*model);
  LATHE_RETURN_IF_ERROR(FixInputShapes(rewriter, global.shapes));
  return model;
}

Status BisectJob(const OptOptions& options, const GlobalOptions& global, Job& job,
                 const passes::Pipeline& pipeline, const passes::PassRegistry& registry) {
  // A wrong order is said before anything runs.
  LATHE_ASSIGN_OR_RETURN(const std::unique_ptr<ir::Model> model, LoadModel(options, global, job));
  LATHE_RETURN_IF_ERROR(UsageError(
      passes::PassManager::Build(pipeline, registry, *model, {.assume = job.assume}).status()));
  const std::string& reproducer = options.observers.reproducer;
  return RunBisect({.command = options.bisect,
                    .reproducer = reproducer.empty() ? "bisect.lir" : reproducer,
                    .output = options.output,
                    .json = global.json,
                    .verbose = global.verbosity > 0},
                   pipeline, registry, job.assume, [&] { return LoadModel(options, global, job); });
}

StatusOr<passes::PipelineReport> RunObserved(passes::Pipeline pipeline,
                                             const passes::PassRegistry& registry, ir::Model& model,
                                             std::vector<std::string> assume,
                                             PassObservers& observers, Explain& explain) {
  passes::PassManagerOptions manager_options;
  manager_options.observers = observers.chain();
  manager_options.interrupted = Interrupted;
  manager_options.assume = std::move(assume);
  StatusOr<passes::PassManager> manager =
      passes::PassManager::Build(std::move(pipeline), registry, model, std::move(manager_options));
  if (!manager.ok()) return UsageError(manager.status());
  StatusOr<passes::PipelineReport> report = manager->Run(explain.resources());
  LATHE_RETURN_IF_ERROR(observers.Finish(report.status()));
  return report;
}

Status Run(const OptOptions& options, const GlobalOptions& global) {
  LATHE_RETURN_IF_ERROR(CheckOptions(options));
  passes::PassRegistry registry;
  LATHE_RETURN_IF_ERROR(RegisterPasses(options.plugins, registry));
  // What is wrong with the command line is said before a large model is read.
  LATHE_ASSIGN_OR_RETURN(Job job, FindJob(options));
  StatusOr<passes::Pipeline> pipeline = passes::Pipeline::Parse(job.pipeline, registry);
  if (!pipeline.ok()) {
    Status wrong = pipeline.status();
    if (!job.pipeline_file.empty()) {
      wrong = WithContext(std::move(wrong), ErrorContext::kFile, job.pipeline_file);
    }
    return UsageError(std::move(wrong));
  }
  LATHE_RETURN_IF_ERROR(UsageError(CheckObserverOptions(options.observers, *pipeline)));
  if (options.print_pipeline) {
    fmt::print("{}\n", pipeline->ToText());
    return OkStatus();
  }

  if (!options.bisect.empty()) return BisectJob(options, global, job, *pipeline, registry);

  LATHE_ASSIGN_OR_RETURN(const std::unique_ptr<ir::Model> loaded, LoadModel(options, global, job));
  ir::Model& model = *loaded;
  const size_t nodes_before = CountNodes(model);
  PassObservers observers(options.observers, job.assume);
  StatusOr<Explain> explained = Explain::Of(options.explain, model);
  if (!explained.ok()) return AtPlace(explained.status(), "--explain");
  Explain& explain = *explained;
  LATHE_ASSIGN_OR_RETURN(
      const passes::PipelineReport report,
      RunObserved(*std::move(pipeline), registry, model, job.assume, observers, explain));
  if (!options.output.empty()) {
    LATHE_RETURN_IF_ERROR(backends::ExportOnnx(model, options.output));
  }

  const size_t nodes_after = CountNodes(model);
  const bool timing = options.observers.timing;
  if (global.json) {
    Json summary = {
        {"model", options.run_reproducer.empty() ? options.model : options.run_reproducer},
        {"output", options.output},
        {"changed", report.changed},
        {"nodes_before", nodes_before},
        {"nodes_after", nodes_after},
        {"passes", ReportJson(report, timing)}};
    if (timing) summary["timing"] = TimingJson(*observers.timing());
    if (explain.wanted()) summary["explain"] = explain.ToJson(report);
    PrintJson(summary);
    return OkStatus();
  }
  explain.Print(report, /*all_passes=*/true);
  PrintReport(report, global.verbosity > 0);
  if (timing) PrintTiming(*observers.timing());
  fmt::print("{}{}{} nodes, {} before\n", options.output, options.output.empty() ? "" : ": ",
             nodes_after, nodes_before);
  return OkStatus();
}

}  // namespace

void AddOptCommand(CLI::App& app, GlobalOptions& global) {
  CLI::App* command = app.add_subcommand("opt", "Run a pipeline of passes on a model");
  command->footer(
      "A pipeline is passes in order, with options in braces:\n"
      "  lathe opt net.onnx -o out.onnx --passes 'eliminate-identity,fuse-conv-bn{skip=[conv1]}'\n"
      "'lathe passes' lists passes, named pipelines and the words that group them. With -v, what\n"
      "each pass did or refused to do is printed. docs/pipelines.md says more.");
  const auto options = std::make_shared<OptOptions>();
  command->add_option("MODEL", options->model,
                      "The ONNX model, or a Caffe net: NET.prototxt,WEIGHTS.caffemodel");
  command->add_option("-o,--output", options->output, "Where to write the result")
      ->type_name("OUT");
  CLI::Option* passes =
      command
          ->add_option("--passes", options->passes, "The pipeline, or @ and a file that holds it")
          ->type_name("PIPELINE");
  CLI::Option* reproducer =
      command
          ->add_option("--run-reproducer", options->run_reproducer,
                       "Run what --reproducer has left, instead of a model and a pipeline")
          ->type_name("FILE");
  command->add_flag("--print-pipeline", options->print_pipeline,
                    "Print the pipeline with named pipelines expanded, and do nothing else");
  command
      ->add_option("--assume", options->assume,
                   "Take a fact that a pass requires for granted; repeat for further ones")
      ->type_name("FACT")
      ->allow_extra_args(false);
  command
      ->add_option(
          "--explain", options->explain,
          "Print every rule that was tried on this node, or on the one that computes a value "
          "of this name, and why it fitted or did not")
      ->type_name("NODE");
  CLI::Option* bisect =
      command
          ->add_option("--bisect", options->bisect,
                       "Find the first pass after which this command fails, which gets the path of "
                       "a model as its last argument")
          ->type_name("COMMAND");
  AddPluginOption(*command, options->plugins);
  AddObserverOptions(*command, options->observers);
  // What looks at one run.
  for (const char* option :
       {"--print-pipeline", "--explain", "--verify-each", "--check-changed", "--print-before",
        "--print-after", "--print-changes", "--timing", "--timing-json", "--trace", "--remarks"}) {
    bisect->excludes(command->get_option(option));
  }
  command->callback([options, passes, reproducer, &global] {
    // An empty pipeline is one, too.
    if (passes->count() == 0 && reproducer->count() == 0) throw CLI::RequiredError("--passes");
    global.run = [options, &global] { return Run(*options, global); };
  });
}

}  // namespace lathe::tools
