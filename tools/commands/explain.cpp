// lathe explain MODEL NODE: why a node is or would be quantised or stays float, and which rules of
// the built-in pipelines apply to it.
#include "lathe/tools/explain.h"

#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "lathe/flows/import_model.h"
#include "lathe/flows/load_model.h"
#include "lathe/passes/core/find_node.h"
#include "lathe/passes/core/pass_manager.h"
#include "lathe/passes/pipelines/all_passes.h"
#include "lathe/passes/pipelines/quantization.h"
#include "lathe/passes/quant/quant_layer.h"
#include "lathe/support/quoted.h"
#include "lathe/tools/commands/commands.h"
#include "lathe/tools/interrupt.h"
#include "lathe/tools/quant_verdict.h"

namespace lathe::tools {
namespace {

struct ExplainOptions {
  std::string model;
  std::string node;
  flows::ConfigRequest config;
};

// What a pipeline tries on the node.
struct Tried {
  std::string pipeline;
  Explain explain;
  passes::PipelineReport report;
};

struct Answer {
  std::string node;
  std::string op;
  std::vector<std::string> origins;
  passes::ModelForm form = passes::ModelForm::kFloat;
  QuantVerdict verdict;
  std::vector<Tried> tried;
};

StatusOr<Tried> Try(std::string pipeline, const std::string& node, const ir::Model& model,
                    const passes::PassRegistry& registry) {
  const std::unique_ptr<ir::Model> copy = model.Clone();
  LATHE_ASSIGN_OR_RETURN(Explain explain, Explain::Of(node, *copy));
  Tried tried{std::move(pipeline), std::move(explain), {}};
  LATHE_ASSIGN_OR_RETURN(
      tried.report, passes::RunPipeline(*copy, tried.pipeline, registry, tried.explain.resources(),
                                        {.observers = {}, .interrupted = Interrupted}));
  return tried;
}

// Which layer of the prepared model the node is: names are given and nodes folded meanwhile.
std::string LayerOf(const ir::Model& prepared, const ir::Node& node, std::string_view asked) {
  StatusOr<ir::Node*> found = passes::FindNode(prepared, asked);
  if (!found.ok()) found = passes::FindNode(prepared, node.display_name());
  return found.ok() ? passes::LayerName(**found) : std::string();
}

// Of a float model; `fusion` becomes what a quantisation runs before it looks at layers.
StatusOr<QuantVerdict> ExplainFloat(const ExplainOptions& options, const ir::Node& node,
                                    std::string& fusion) {
  LATHE_ASSIGN_OR_RETURN(const flows::LoadedModel loaded, flows::LoadFloatModel(options.model));
  flows::ChosenConfig chosen;
  // There is no configuration of a model without layers, but a reason for each node.
  if (!passes::ScanLayers(*loaded.model).layers.empty()) {
    LATHE_ASSIGN_OR_RETURN(chosen, flows::ChooseConfig(*loaded.model, options.config));
  }
  const quant::QuantSettings& settings = chosen.settings;
  fusion = passes::FusionPipeline(settings.do_fusion, settings.skip_fusion_layers);
  return WouldBeQuantized(*loaded.model, chosen, LayerOf(*loaded.model, node, options.node));
}

StatusOr<Answer> FindAnswer(const ExplainOptions& options) {
  LATHE_ASSIGN_OR_RETURN(const std::unique_ptr<ir::Model> model, flows::ImportModel(options.model));
  StatusOr<ir::Node*> found = passes::FindNode(*model, options.node);
  if (!found.ok()) return WithContext(found.status(), ErrorContext::kFile, options.model);
  ir::Node& node = **found;
  Answer answer{.node = node.display_name(), .op = std::string(node.op_text())};
  for (const ir::Name origin : model->OriginNames(node.origin())) {
    if (origin != node.name()) answer.origins.emplace_back(model->Text(origin));
  }
  answer.form = passes::RecognizeForm(*model).form;
  passes::PassRegistry registry;
  LATHE_RETURN_IF_ERROR(passes::RegisterAllPasses(registry));
  if (answer.form == passes::ModelForm::kFloat) {
    std::string fusion;
    LATHE_ASSIGN_OR_RETURN(answer.verdict, ExplainFloat(options, node, fusion));
    std::string pipeline = std::string(passes::kPreparePipeline);
    if (!fusion.empty()) pipeline += "," + fusion;
    LATHE_ASSIGN_OR_RETURN(Tried tried, Try(std::move(pipeline), options.node, *model, registry));
    answer.tried.push_back(std::move(tried));
  } else {
    answer.verdict = IsQuantized(node, answer.form);
  }
  LATHE_ASSIGN_OR_RETURN(Tried tried, Try("canonicalize", options.node, *model, registry));
  answer.tried.push_back(std::move(tried));
  return answer;
}

Json AnswerJson(const ExplainOptions& options, const Answer& answer) {
  Json pipelines = Json::array();
  for (const Tried& tried : answer.tried) {
    pipelines.push_back(
        {{"pipeline", tried.pipeline}, {"explain", tried.explain.ToJson(tried.report)}});
  }
  return {{"model", options.model},
          {"form", passes::FormText(answer.form)},
          {"node", answer.node},
          {"op", answer.op},
          {"origins", answer.origins},
          {"quantized", answer.verdict.quantized},
          {"reason", answer.verdict.text},
          {"details", answer.verdict.details},
          {"pipelines", std::move(pipelines)}};
}

void PrintAnswer(const Answer& answer) {
  fmt::print("{} ({}) of a {}", Quoted(answer.node), answer.op, passes::FormText(answer.form));
  if (!answer.origins.empty()) fmt::print(", from {}", fmt::join(answer.origins, ", "));
  fmt::print("\n{}\n", answer.verdict.text);
  for (const std::string& detail : answer.verdict.details) fmt::print("  {}\n", detail);
  for (const Tried& tried : answer.tried) {
    fmt::print("\nrules of {}\n", tried.pipeline);
    tried.explain.Print(tried.report, /*all_passes=*/false);
  }
}

Status Run(const ExplainOptions& options, const GlobalOptions& global) {
  LATHE_ASSIGN_OR_RETURN(const Answer answer, FindAnswer(options));
  if (global.json) {
    PrintJson(AnswerJson(options, answer));
  } else {
    PrintAnswer(answer);
  }
  return OkStatus();
}

}  // namespace

void AddExplainCommand(CLI::App& app, GlobalOptions& global) {
  CLI::App* command = app.add_subcommand(
      "explain", "Say why a node is or would be quantised or stays float, and what rewrites it");
  command->footer("Example: lathe explain net.onnx conv1 --skip-layer fc");
  const auto options = std::make_shared<ExplainOptions>();
  command->add_option("MODEL", options->model, "The ONNX model, float or quantised, or a Caffe net")
      ->required();
  command->add_option("NODE", options->node, "A node, or a value that a node computes")->required();
  CLI::Option* json =
      command->add_option("--config", options->config.json_path, "Configuration (JSON)")
          ->type_name("FILE");
  CLI::Option* cfg = command
                         ->add_option("--cfg", options->config.cfg_path,
                                      "Simplified configuration (protobuf text)")
                         ->type_name("FILE")
                         ->excludes(json);
  command
      ->add_option("--skip-layer", options->config.options.skip_layers,
                   "As for 'lathe quantize'; repeat for further ones")
      ->allow_extra_args(false)
      ->type_name("LAYER")
      ->excludes(json)
      ->excludes(cfg);
  command->callback(
      [options, &global] { global.run = [options, &global] { return Run(*options, global); }; });
}

}  // namespace lathe::tools
