// lathe auto MODEL -d DATA... --evaluate CMD|--labels F --budget X -o PREFIX: as much as possible
// quantised within an accuracy budget.
#include <chrono>
#include <cmath>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "lathe/flows/auto_calibrate.h"
#include "lathe/frontends/data/npy.h"
#include "lathe/runtime/engine.h"
#include "lathe/tools/commands/commands.h"
#include "lathe/tools/commands/data_options.h"
#include "lathe/tools/evaluate_command.h"
#include "lathe/tools/exit_status.h"
#include "lathe/tools/peak_memory.h"
#include "lathe/tools/summary.h"

namespace lathe::tools {
namespace {

struct AutoOptions {
  std::string model;
  std::string prefix;
  DataArguments data;
  std::vector<std::string> evaluation;
  std::string labels;
  std::string command;
  flows::AccuracyBudget budget;
  flows::ConfigRequest config;
};

Json SummaryJson(const AutoOptions& options, const flows::AutoSummary& summary, double seconds) {
  Json left = Json::array();
  for (const passes::LeftFloat& layer : summary.left_float) {
    left.push_back({{"name", layer.layer}, {"reason", layer.reason}});
  }
  Json candidates = Json::array();
  for (const flows::MeasuredCandidate& each : summary.candidates) {
    candidates.push_back({{"rolled_back", each.rolled_back},
                          {"value", each.value},
                          {"loss", options.budget.Loss(summary.float_value, each.value)},
                          {"meets_budget", options.budget.Meets(summary.float_value, each.value)}});
  }
  Json ranking = Json::array();
  for (const flows::LayerSimilarity& each : summary.ranking) {
    ranking.push_back({{"name", each.layer}, {"similarity", each.similarity}});
  }
  const flows::MeasuredCandidate& chosen = summary.candidates[summary.chosen];
  Json rolled_back = Json::array();
  for (size_t i = 0; i < chosen.rolled_back; ++i) rolled_back.push_back(summary.ranking[i].layer);
  return {
      {"model", options.model},
      {"outputs",
       {{"deploy", summary.paths.deploy},
        {"fake_quant", summary.paths.fake_quant},
        {"record", summary.paths.record},
        {"config", summary.paths.config}}},
      {"budget", options.budget.allowed},
      {"meets_budget", summary.meets_budget},
      {"value", {{"float", summary.float_value}, {"deploy", chosen.value}}},
      {"rolled_back", std::move(rolled_back)},
      {"layers", {{"quantized", summary.quantized}, {"float", std::move(left)}}},
      {"sensitivity", std::move(ranking)},
      {"candidates", std::move(candidates)},
      {"resumed", summary.resumed},
      {"notes", summary.notes},
      {"seconds", seconds},
      {"peak_memory_bytes", PeakMemoryBytes()},
  };
}

void PrintSummary(const AutoOptions& options, const flows::AutoSummary& summary, double seconds) {
  std::vector<std::vector<std::string>> rows = {{"given back to float", "value", "loss", "", ""}};
  rows.push_back({"(float model)", fmt::format("{:g}", summary.float_value), "", "", ""});
  for (size_t i = 0; i < summary.candidates.size(); ++i) {
    const flows::MeasuredCandidate& each = summary.candidates[i];
    rows.push_back(
        {fmt::format("{} layers", each.rolled_back), fmt::format("{:g}", each.value),
         fmt::format("{:g}", options.budget.Loss(summary.float_value, each.value)),
         options.budget.Meets(summary.float_value, each.value) ? "within the budget" : "too much",
         i == summary.chosen ? "saved" : ""});
  }
  PrintTable(rows);
  fmt::print("quantised {} layers\n", summary.quantized.size());
  for (const passes::LeftFloat& layer : summary.left_float) {
    fmt::print("float: {}: {}\n", layer.layer, layer.reason);
  }
  for (const std::string& note : summary.notes) fmt::print("note: {}\n", note);
  if (summary.resumed > 0) fmt::print("values from an earlier run: {}\n", summary.resumed);
  fmt::print("{:.1f} s, {} at the peak\n", seconds, SizeText(PeakMemoryBytes()));
  for (const std::string& path : {summary.paths.deploy, summary.paths.fake_quant,
                                  summary.paths.record, summary.paths.config}) {
    fmt::print("wrote {}\n", path);
  }
}

Status CheckOptions(const AutoOptions& options) {
  LATHE_RETURN_IF_ERROR(CheckDataArguments(options.data));
  if (options.command.empty() == options.labels.empty()) {
    return UsageError(InvalidInput("give --evaluate or --labels, one of the two"));
  }
  if (!std::isfinite(options.budget.allowed) || options.budget.allowed < 0) {
    return UsageError(InvalidInput("--budget takes a finite number that is not negative"));
  }
  if (options.labels.empty() == options.evaluation.empty()) return OkStatus();
  return UsageError(
      InvalidInput("--labels and --eval-data go together: data that does not calibrate, and its "
                   "labels"));
}

Status Run(const AutoOptions& options, const GlobalOptions& global) {
  const auto start = std::chrono::steady_clock::now();
  LATHE_RETURN_IF_ERROR(CheckOptions(options));
  LATHE_ASSIGN_OR_RETURN(flows::LoadedModel loaded, flows::LoadFloatModel(options.model));
  LATHE_ASSIGN_OR_RETURN(const auto data, OpenData(options.data, *loaded.model, global));
  Progress progress;
  flows::AutoRequest request;
  request.config = options.config;
  request.data = data.get();
  request.model_path = options.model;
  request.output_prefix = options.prefix;
  request.budget = options.budget;
  request.control = MakeRunControl(global, progress);
  const std::unique_ptr<eval::Engine> engine = runtime::MakeEngine();
  std::unique_ptr<frontends::BatchSource> evaluation;
  flows::Labels labels;
  if (options.labels.empty()) {
    request.evaluator.identity = "command " + options.command;
    request.evaluator.measure = [&](const std::string& deploy, const std::string& fake_quant) {
      return EvaluateByCommand(options.command, deploy, fake_quant);
    };
  } else {
    DataArguments arguments;
    arguments.data = options.evaluation;
    LATHE_ASSIGN_OR_RETURN(evaluation, OpenData(arguments, *loaded.model, global));
    LATHE_ASSIGN_OR_RETURN(labels.classes, frontends::ReadNpy(options.labels));
    labels.path = options.labels;
    LATHE_ASSIGN_OR_RETURN(request.evaluator,
                           flows::MakeLabelEvaluator(*loaded.model, labels, *evaluation, *data,
                                                     *engine, request.control));
  }
  LATHE_ASSIGN_OR_RETURN(const flows::AutoSummary summary,
                         flows::AutoCalibrate(std::move(loaded), request, *engine));
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (global.json) {
    PrintJson(SummaryJson(options, summary, seconds));
  } else {
    PrintSummary(options, summary, seconds);
  }
  if (summary.meets_budget) return OkStatus();
  const double loss =
      options.budget.Loss(summary.float_value, summary.candidates[summary.chosen].value);
  return InvalidInput(
      "no candidate stays within the budget of {:g}; the best, which was saved, loses {:g}",
      options.budget.allowed, loss);
}

}  // namespace

void AddAutoCommand(CLI::App& app, GlobalOptions& global) {
  CLI::App* command = app.add_subcommand(
      "auto",
      "Quantise as much as an accuracy budget allows; the most sensitive layers stay float");
  command->footer(
      "CMD is called with the files of a candidate's deploy and fake-quant model and prints one\n"
      "number as its last line; for the float network both are MODEL. Writes what 'lathe "
      "quantize'\n"
      "writes; the best candidate also when none is within the budget (exit status 1). When it is\n"
      "interrupted, the same command goes on from PREFIX_auto_state.json.\n"
      "  lathe auto net.onnx -d calib_*.npy --evaluate ./measure.sh --budget 0.01 -o out/net\n"
      "  lathe auto net.onnx -d calib_*.npy --labels y.npy --eval-data x.npy --budget 0.01 -o "
      "out/net");
  const auto options = std::make_shared<AutoOptions>();
  command->add_option("MODEL", options->model, "The float ONNX model")->required();
  AddDataArguments(*command, options->data);
  command
      ->add_option("-o,--output", options->prefix,
                   "Folder and beginning of the names of the results")
      ->required()
      ->type_name("PREFIX");
  CLI::Option* config = command
                            ->add_option("--config", options->config.json_path,
                                         "Configuration (JSON, see 'lathe config')")
                            ->type_name("FILE");
  command->add_option("--cfg", options->config.cfg_path, "Simplified configuration (protobuf text)")
      ->type_name("FILE")
      ->excludes(config);
  command->add_option("--evaluate", options->command, "A command that measures a model")
      ->type_name("CMD");
  command
      ->add_option("--labels", options->labels,
                   "Class numbers (.npy), one a sample of --eval-data: measures accuracy (0 to 1) "
                   "of the deploy model, executed here")
      ->type_name("FILE.npy");
  command
      ->add_option("--eval-data", options->evaluation, "Data of --labels, not used for calibrating")
      ->type_name("DATA");
  command
      ->add_option("--budget", options->budget.allowed,
                   "What may be lost against the float model, in the unit of what is measured")
      ->required()
      ->type_name("X");
  command->add_flag("--lower-is-better", options->budget.lower_is_better,
                    "The command measures a loss: smaller numbers are better");
  command->callback(
      [options, &global] { global.run = [options, &global] { return Run(*options, global); }; });
}

}  // namespace lathe::tools
