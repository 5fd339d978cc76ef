// lathe quantize MODEL -d DATA... -o PREFIX: the main job.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <optional>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "lathe/flows/quantize_model.h"
#include "lathe/frontends/data/npy.h"
#include "lathe/runtime/openvino/engine.h"
#include "lathe/tools/commands/commands.h"
#include "lathe/tools/commands/data_options.h"
#include "lathe/tools/commands/memory_option.h"
#include "lathe/tools/summary.h"

namespace lathe::tools {
namespace {

struct QuantizeOptions {
  std::string model;
  std::string prefix;
  DataArguments data;
  std::vector<std::string> evaluation;
  std::string labels;
  std::optional<std::string> max_memory;
  flows::ConfigRequest config;
  std::string effort = "default";
};

Json EffortJson(const std::vector<flows::LayerEffort>& efforts) {
  Json layers = Json::array();
  for (const flows::LayerEffort& effort : efforts) {
    Json layer = {{"name", effort.layer}};
    if (effort.searched) {
      layer["balance_strength"] = effort.strength;
      layer["range_widening"] = effort.widening;
      layer["expected_gain_db"] = effort.gain_db;
    }
    layer["weights_rounded_together"] = effort.rounded;
    layers.push_back(std::move(layer));
  }
  return layers;
}

// One line for the network, one a layer where each is wanted.
void PrintEfforts(const std::vector<flows::LayerEffort>& efforts, bool every_layer) {
  if (efforts.empty()) return;
  const auto count = [&](auto has) { return std::ranges::count_if(efforts, has); };
  fmt::print("high effort: {} ranges searched, {} layers balanced, {} weights rounded together\n",
             count([](const auto& e) { return e.searched; }),
             count([](const auto& e) { return e.strength > 0; }),
             count([](const auto& e) { return e.rounded; }));
  if (!every_layer) return;
  for (const flows::LayerEffort& effort : efforts) {
    std::vector<std::string> done;
    if (effort.searched) {
      done.push_back(fmt::format("balance strength {}, range times {}, {:.1f} dB expected",
                                 effort.strength, effort.widening, effort.gain_db));
    }
    if (effort.rounded) done.push_back("weights rounded together");
    if (done.empty()) done.push_back("as with default effort");
    fmt::print("  {}: {}\n", effort.layer, fmt::join(done, "; "));
  }
}

Json SummaryJson(const QuantizeOptions& options, const flows::QuantizeSummary& summary,
                 double seconds, uint64_t max_memory) {
  Json left = Json::array();
  for (const passes::LeftFloat& layer : summary.left_float) {
    left.push_back({{"name", layer.layer}, {"reason", layer.reason}});
  }
  Json json = {
      {"model", options.model},
      {"outputs",
       {{"deploy", summary.paths.deploy},
        {"fake_quant", summary.paths.fake_quant},
        {"record", summary.paths.record},
        {"config", summary.paths.config}}},
      {"layers", {{"quantized", summary.quantized}, {"float", std::move(left)}}},
      {"notes", summary.notes},
      {"size",
       {{"before", summary.bytes_before},
        {"deploy", summary.bytes_deploy},
        {"fake_quant", summary.bytes_fake_quant}}},
  };
  if (!summary.efforts.empty()) json["effort"] = EffortJson(summary.efforts);
  // JSON has no infinity: equal outputs have no ratio.
  json["sqnr_db"] = std::isfinite(summary.sqnr_db) ? Json(summary.sqnr_db) : Json(nullptr);
  if (summary.accuracy) {
    json["accuracy"] = {{"float", summary.accuracy->float_model},
                        {"fake_quant", summary.accuracy->fake_quant},
                        {"samples", summary.accuracy->samples}};
  }
  json["seconds"] = seconds;
  AddPeakMemory(json, max_memory);
  return json;
}

void PrintSummary(const flows::QuantizeSummary& summary, double seconds, uint64_t max_memory,
                  bool every_layer) {
  fmt::print("quantised {} layers", summary.quantized.size());
  if (every_layer) fmt::print(": {}", fmt::join(summary.quantized, ", "));
  fmt::print("\n");
  for (const passes::LeftFloat& layer : summary.left_float) {
    fmt::print("float: {}: {}\n", layer.layer, layer.reason);
  }
  PrintEfforts(summary.efforts, every_layer);
  for (const std::string& note : summary.notes) fmt::print("note: {}\n", note);
  std::vector<std::vector<std::string>> rows = {{"", "before", "after"}};
  rows.push_back({"size", SizeText(summary.bytes_before), SizeText(summary.bytes_deploy)});
  if (summary.accuracy) {
    rows.push_back({"accuracy", fmt::format("{:.2f} %", 100 * summary.accuracy->float_model),
                    fmt::format("{:.2f} %", 100 * summary.accuracy->fake_quant)});
  }
  PrintTable(rows);
  fmt::print("output SQNR on the last batch: {:.1f} dB\n", summary.sqnr_db);
  fmt::print("{:.1f} s, {}\n", seconds, PeakMemoryText(max_memory));
  for (const std::string& path : {summary.paths.deploy, summary.paths.fake_quant,
                                  summary.paths.record, summary.paths.config}) {
    fmt::print("wrote {}\n", path);
  }
}

Status Run(const QuantizeOptions& options, const GlobalOptions& global) {
  const auto start = std::chrono::steady_clock::now();
  LATHE_RETURN_IF_ERROR(CheckDataArguments(options.data));
  LATHE_ASSIGN_OR_RETURN(const uint64_t max_memory, ParseMemorySize(options.max_memory));
  LATHE_ASSIGN_OR_RETURN(flows::LoadedModel loaded, flows::LoadFloatModel(options.model));
  LATHE_ASSIGN_OR_RETURN(const auto data, OpenData(options.data, *loaded.model, global));
  Progress progress;
  flows::QuantizeRequest request;
  request.config = options.config;
  if (options.effort == "high") request.effort = flows::Effort::kHigh;
  request.data = data.get();
  request.model_path = options.model;
  request.output_prefix = options.prefix;
  request.control = MakeRunControl(global, progress);
  request.control.max_memory = max_memory;
  std::unique_ptr<frontends::BatchSource> evaluation;
  if (!options.evaluation.empty()) {
    DataArguments arguments;
    arguments.data = options.evaluation;
    LATHE_ASSIGN_OR_RETURN(evaluation, OpenData(arguments, *loaded.model, global));
    request.evaluation = evaluation.get();
  }
  if (!options.labels.empty()) {
    LATHE_ASSIGN_OR_RETURN(ir::Tensor labels, frontends::ReadNpy(options.labels));
    request.labels = flows::Labels{std::move(labels), options.labels};
  }
  const std::unique_ptr<eval::Engine> engine = runtime::MakeOpenVinoEngine();
  LATHE_ASSIGN_OR_RETURN(const flows::QuantizeSummary summary,
                         flows::QuantizeModel(std::move(loaded), request, *engine));
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (global.json) {
    PrintJson(SummaryJson(options, summary, seconds, max_memory));
  } else {
    PrintSummary(summary, seconds, max_memory, global.verbosity > 0);
  }
  return OkStatus();
}

}  // namespace

void AddQuantizeCommand(CLI::App& app, GlobalOptions& global) {
  CLI::App* command =
      app.add_subcommand("quantize", "Quantise a float model after training: the main job");
  command->footer(
      "Writes PREFIX_deploy_model.onnx, PREFIX_fake_quant_model.onnx, PREFIX_record.txt and\n"
      "PREFIX_config.json, all or none:\n"
      "  lathe quantize net.onnx -d calib_0.npy calib_1.npy -o out/net");
  const auto options = std::make_shared<QuantizeOptions>();
  command
      ->add_option("MODEL", options->model,
                   "The float ONNX model, or a Caffe net: NET.prototxt,WEIGHTS.caffemodel")
      ->required();
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
  CLI::Option* cfg = command
                         ->add_option("--cfg", options->config.cfg_path,
                                      "Simplified configuration (protobuf text)")
                         ->type_name("FILE")
                         ->excludes(config);
  command
      ->add_option("--skip-layer", options->config.options.skip_layers,
                   "Leave a layer float; repeat for further ones")
      ->allow_extra_args(false)
      ->type_name("LAYER")
      ->excludes(config)
      ->excludes(cfg);
  AddMemoryOption(*command, options->max_memory);
  command
      ->add_option("--effort", options->effort,
                   "high: ranges, balancing and rounding by measured error; takes several times "
                   "as long")
      ->check(CLI::IsMember({"default", "high"}))
      ->capture_default_str();
  CLI::Option* labels = command
                            ->add_option("--labels", options->labels,
                                         "Class numbers (.npy), one a sample: measures accuracy")
                            ->type_name("FILE.npy");
  command
      ->add_option("--eval-data", options->evaluation,
                   "Data that the labels belong to (default: the calibration data)")
      ->type_name("DATA")
      ->needs(labels);
  command->callback(
      [options, &global] { global.run = [options, &global] { return Run(*options, global); }; });
}

}  // namespace lathe::tools
