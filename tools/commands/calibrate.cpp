// lathe calibrate MODEL --config F -d DATA... --record R --modified M: quantize_model and
// calibration.
#include <memory>
#include <optional>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "lathe/backends/config/record.h"
#include "lathe/backends/onnx/export.h"
#include "lathe/flows/balance_model.h"
#include "lathe/flows/batch_count.h"
#include "lathe/flows/calibrate_model.h"
#include "lathe/flows/load_model.h"
#include "lathe/flows/memory_plan.h"
#include "lathe/flows/output_paths.h"
#include "lathe/frontends/config/record.h"
#include "lathe/runtime/openvino/engine.h"
#include "lathe/support/atomic_file.h"
#include "lathe/support/text_file.h"
#include "lathe/tools/commands/commands.h"
#include "lathe/tools/commands/data_options.h"
#include "lathe/tools/commands/memory_option.h"
#include "lathe/tools/interrupt.h"
#include "lathe/tools/summary.h"

namespace lathe::tools {
namespace {

struct CalibrateOptions {
  std::string model;
  std::string record;
  std::string modified;
  std::string balance_record;
  std::optional<std::string> max_memory;
  DataArguments data;
  flows::ConfigRequest config;
};

// The record of 'lathe balance', where the configuration needs one; otherwise it is noted.
StatusOr<std::optional<flows::BalanceRecord>> ReadBalanceRecord(
    const CalibrateOptions& options, const quant::QuantSettings& settings,
    std::vector<std::string>& notes) {
  const quant::LayerSettings* balanced = flows::FindBalancedLayer(settings);
  if (balanced == nullptr) {
    if (!options.balance_record.empty()) {
      notes.push_back("the balance record is not used: no layer has dmq_balancer_param");
    }
    return std::nullopt;
  }
  if (options.balance_record.empty()) {
    Status status = InvalidInput("the layer has dmq_balancer_param, but there are no factors");
    status = WithContext(std::move(status), ErrorContext::kNode, balanced->name);
    status = WithContext(std::move(status), ErrorContext::kFile, options.config.json_path);
    return WithContext(std::move(status), ErrorContext::kHint,
                       "run 'lathe balance' and give its record as --balance-record");
  }
  LATHE_ASSIGN_OR_RETURN(const std::string text, ReadTextFile(options.balance_record));
  auto record = frontends::ParseRecord(text);
  if (!record.ok())
    return WithContext(record.status(), ErrorContext::kFile, options.balance_record);
  return flows::BalanceRecord{*std::move(record), options.balance_record};
}

Status Run(const CalibrateOptions& options, const GlobalOptions& global) {
  LATHE_RETURN_IF_ERROR(CheckDataArguments(options.data));
  LATHE_RETURN_IF_ERROR(flows::CheckOutputName(options.record));
  LATHE_RETURN_IF_ERROR(flows::CheckOutputName(options.modified));
  LATHE_ASSIGN_OR_RETURN(const uint64_t max_memory, ParseMemorySize(options.max_memory));
  LATHE_ASSIGN_OR_RETURN(flows::LoadedModel loaded, flows::LoadFloatModel(options.model));
  LATHE_ASSIGN_OR_RETURN(flows::ChosenConfig chosen,
                         flows::ChooseConfig(*loaded.model, options.config));
  LATHE_ASSIGN_OR_RETURN(const auto data, OpenData(options.data, *loaded.model, global));
  std::vector<std::string> notes = std::move(loaded.notes);
  notes.insert(notes.end(), chosen.notes.begin(), chosen.notes.end());
  flows::NoteUnusedBatches(chosen.settings.batch_num, *data, notes);
  LATHE_ASSIGN_OR_RETURN(const std::optional<flows::BalanceRecord> balance,
                         ReadBalanceRecord(options, chosen.settings, notes));
  Progress progress;
  flows::RunControl control = MakeRunControl(global, progress);
  control.max_memory = max_memory;
  LATHE_ASSIGN_OR_RETURN(
      control.observers_per_pass,
      flows::PlanObserversPerPass(*loaded.model, chosen.settings, *data, control, nullptr));
  const std::unique_ptr<eval::Engine> engine = runtime::MakeOpenVinoEngine();
  LATHE_ASSIGN_OR_RETURN(const flows::CalibratedModel calibrated,
                         flows::CalibrateModel(std::move(loaded.model), chosen.settings, *engine,
                                               *data, control, balance ? &*balance : nullptr));
  notes.insert(notes.end(), calibrated.notes.begin(), calibrated.notes.end());
  LATHE_ASSIGN_OR_RETURN(const std::unique_ptr<ir::Model> modified,
                         flows::MakeModifiedModel(calibrated, chosen.settings));
  AtomicFileSet files;
  LATHE_RETURN_IF_ERROR(backends::StageOnnx(*modified, options.modified, &files));
  LATHE_ASSIGN_OR_RETURN(AtomicFileSet::File * record, files.Add(options.record));
  LATHE_RETURN_IF_ERROR(record->Append(backends::WriteRecord(calibrated.record)));
  LATHE_RETURN_IF_ERROR(StopIfInterrupted());
  LATHE_RETURN_IF_ERROR(files.Commit());

  std::vector<passes::LeftFloat> left = chosen.report.left_float;
  left.insert(left.end(), calibrated.report.left_float.begin(), calibrated.report.left_float.end());
  if (global.json) {
    Json floats = Json::array();
    for (const passes::LeftFloat& layer : left) {
      floats.push_back({{"name", layer.layer}, {"reason", layer.reason}});
    }
    Json json = {{"model", options.model},       {"record", options.record},
                 {"modified", options.modified}, {"calibrated", calibrated.record.entries.size()},
                 {"float", std::move(floats)},   {"notes", notes}};
    AddPeakMemory(json, max_memory);
    PrintJson(json);
    return OkStatus();
  }
  fmt::print("calibrated {} layers\n", calibrated.record.entries.size());
  for (const passes::LeftFloat& layer : left)
    fmt::print("float: {}: {}\n", layer.layer, layer.reason);
  for (const std::string& note : notes) fmt::print("note: {}\n", note);
  fmt::print("{}\n", PeakMemoryText(max_memory));
  fmt::print("wrote {}\nwrote {}\n", options.modified, options.record);
  return OkStatus();
}

}  // namespace

void AddCalibrateCommand(CLI::App& app, GlobalOptions& global) {
  CLI::App* command = app.add_subcommand(
      "calibrate", "Find the factors of each layer; 'lathe save' makes models of them");
  command->footer(
      "Example: lathe calibrate net.onnx --config config.json -d b0.npy b1.npy --record record.txt "
      "\\\n"
      "           --modified modified.onnx");
  const auto options = std::make_shared<CalibrateOptions>();
  command->add_option("MODEL", options->model, "The float ONNX model")->required();
  command->add_option("--config", options->config.json_path, "Configuration (see 'lathe config')")
      ->required()
      ->type_name("FILE");
  AddDataArguments(*command, options->data);
  command->add_option("--record", options->record, "Where to write the factors")
      ->required()
      ->type_name("FILE");
  command
      ->add_option("--modified", options->modified,
                   "Where to write the fused model with rounded weights")
      ->required()
      ->type_name("FILE");
  command
      ->add_option("--balance-record", options->balance_record,
                   "Balance factors that 'lathe balance' wrote")
      ->type_name("FILE");
  AddMemoryOption(*command, options->max_memory);
  command->callback(
      [options, &global] { global.run = [options, &global] { return Run(*options, global); }; });
}

}  // namespace lathe::tools
