// lathe balance MODEL --config F -d DATA... --record R: the reference's quantize_preprocess.
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "lathe/backends/config/record.h"
#include "lathe/flows/balance_model.h"
#include "lathe/flows/load_model.h"
#include "lathe/flows/make_settings.h"
#include "lathe/flows/output_paths.h"
#include "lathe/runtime/openvino/engine.h"
#include "lathe/support/atomic_file.h"
#include "lathe/tools/commands/commands.h"
#include "lathe/tools/commands/data_options.h"
#include "lathe/tools/interrupt.h"
#include "lathe/tools/summary.h"

namespace lathe::tools {
namespace {

struct BalanceOptions {
  std::string model;
  std::string record;
  DataArguments data;
  flows::ConfigRequest config;
};

Status Run(const BalanceOptions& options, const GlobalOptions& global) {
  LATHE_RETURN_IF_ERROR(CheckDataArguments(options.data));
  LATHE_RETURN_IF_ERROR(flows::CheckOutputName(options.record));
  LATHE_ASSIGN_OR_RETURN(flows::LoadedModel loaded, flows::LoadFloatModel(options.model));
  LATHE_ASSIGN_OR_RETURN(flows::ChosenConfig chosen,
                         flows::ChooseConfig(*loaded.model, options.config));
  LATHE_ASSIGN_OR_RETURN(const auto data, OpenData(options.data, *loaded.model, global));
  std::vector<std::string> notes = std::move(loaded.notes);
  notes.insert(notes.end(), chosen.notes.begin(), chosen.notes.end());
  if (data->num_batches() > 1) {
    notes.push_back(fmt::format("balancing measures the first batch: {} batches were not used",
                                data->num_batches() - 1));
  }
  Progress progress;
  const std::unique_ptr<eval::Engine> engine = runtime::MakeOpenVinoEngine();
  auto record = flows::BalanceModel(std::move(loaded.model), chosen.settings, *engine, *data,
                                    MakeRunControl(global, progress));
  if (absl::IsCancelled(record.status()) || absl::IsResourceExhausted(record.status())) {
    return record.status();
  }
  if (!record.ok()) {
    return WithContext(record.status(), ErrorContext::kFile, options.config.json_path);
  }
  LATHE_RETURN_IF_ERROR(StopIfInterrupted());
  LATHE_RETURN_IF_ERROR(WriteFileAtomically(options.record, backends::WriteRecord(*record)));
  PrintRecordSummary({.model = options.model,
                      .record = options.record,
                      .done = "balanced",
                      .layers = record->entries.size(),
                      .notes = std::move(notes)},
                     global.json);
  return OkStatus();
}

}  // namespace

void AddBalanceCommand(CLI::App& app, GlobalOptions& global) {
  CLI::App* command = app.add_subcommand(
      "balance", "Find the balance factors of the layers that ask for them (dmq_balancer_param)");
  command->footer(
      "Example: lathe balance net.onnx --config config.json -d b0.npy --record balance.txt\n"
      "         lathe calibrate net.onnx --config config.json -d b0.npy --balance-record "
      "balance.txt ...");
  const auto options = std::make_shared<BalanceOptions>();
  command->add_option("MODEL", options->model, "The float ONNX model")->required();
  command->add_option("--config", options->config.json_path, "Configuration (see 'lathe config')")
      ->required()
      ->type_name("FILE");
  AddDataArguments(*command, options->data);
  command->add_option("--record", options->record, "Where to write the factors")
      ->required()
      ->type_name("FILE");
  command->callback(
      [options, &global] { global.run = [options, &global] { return Run(*options, global); }; });
}

}  // namespace lathe::tools
