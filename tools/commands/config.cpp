// lathe config ptq|qat MODEL -o config.json: the reference's create_quant_config and
// create_quant_retrain_config.
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "lathe/backends/config/ptq_json.h"
#include "lathe/backends/config/retrain_json.h"
#include "lathe/flows/choose_retrain_config.h"
#include "lathe/flows/load_model.h"
#include "lathe/flows/make_settings.h"
#include "lathe/flows/output_paths.h"
#include "lathe/support/atomic_file.h"
#include "lathe/tools/commands/commands.h"
#include "lathe/tools/summary.h"

namespace lathe::tools {
namespace {

struct Paths {
  std::string model;
  std::string output;
};

struct PtqOptions {
  Paths paths;
  flows::ConfigRequest request;
};

struct QatOptions {
  Paths paths;
  flows::RetrainConfigRequest request;
};

// Writes the configuration and says so.
template <typename Chosen>
Status Finish(const Paths& paths, const Chosen& chosen, const StatusOr<std::string>& json,
              const GlobalOptions& global) {
  LATHE_RETURN_IF_ERROR(json.status());
  LATHE_RETURN_IF_ERROR(WriteFileAtomically(paths.output, *json));
  if (global.json) {
    PrintJson({{"model", paths.model},
               {"output", paths.output},
               {"enabled", chosen.settings.layers.size()},
               {"layers", chosen.config.layers.size()},
               {"notes", chosen.notes}});
    return OkStatus();
  }
  for (const std::string& note : chosen.notes) fmt::print("note: {}\n", note);
  fmt::print("wrote {}: {} of {} layers enabled\n", paths.output, chosen.settings.layers.size(),
             chosen.config.layers.size());
  return OkStatus();
}

Status RunPtq(const PtqOptions& options, const GlobalOptions& global) {
  LATHE_RETURN_IF_ERROR(flows::CheckOutputName(options.paths.output));
  LATHE_ASSIGN_OR_RETURN(const flows::LoadedModel loaded,
                         flows::LoadFloatModel(options.paths.model));
  LATHE_ASSIGN_OR_RETURN(const flows::ChosenConfig chosen,
                         flows::ChooseConfig(*loaded.model, options.request));
  return Finish(options.paths, chosen, backends::WritePtqJson(chosen.config), global);
}

Status RunQat(const QatOptions& options, const GlobalOptions& global) {
  LATHE_RETURN_IF_ERROR(flows::CheckOutputName(options.paths.output));
  LATHE_ASSIGN_OR_RETURN(const flows::LoadedModel loaded,
                         flows::LoadFloatModel(options.paths.model));
  LATHE_ASSIGN_OR_RETURN(const flows::ChosenRetrainConfig chosen,
                         flows::ChooseRetrainConfig(*loaded.model, options.request));
  return Finish(options.paths, chosen, backends::WriteRetrainJson(chosen.config), global);
}

void AddPaths(CLI::App& command, Paths& paths) {
  command.add_option("MODEL", paths.model, "The float ONNX model")->required();
  command.add_option("-o,--output", paths.output, "Where to write it")
      ->required()
      ->type_name("FILE");
}

// --cfg, and what cannot stand beside it.
CLI::Option* AddRules(CLI::App& command, std::string& cfg_path, int64_t& batch_num,
                      std::string_view batches, std::vector<std::string>& skip_layers) {
  CLI::Option* cfg =
      command.add_option("--cfg", cfg_path, "Simplified configuration (protobuf text)")
          ->type_name("FILE");
  command.add_option("--batch-num", batch_num, std::string(batches))
      ->capture_default_str()
      ->excludes(cfg);
  command.add_option("--skip-layer", skip_layers, "Leave a layer float; repeat for further ones")
      ->allow_extra_args(false)
      ->type_name("LAYER")
      ->excludes(cfg);
  return cfg;
}

void AddPtq(CLI::App& command, GlobalOptions& global) {
  CLI::App* ptq =
      command.add_subcommand("ptq", "Configuration of post-training quantisation (JSON)");
  ptq->footer("Example: lathe config ptq net.onnx -o config.json --batch-num 2 --skip-layer fc");
  const auto options = std::make_shared<PtqOptions>();
  AddPaths(*ptq, options->paths);
  quant::PtqOptions& defaults = options->request.options;
  CLI::Option* cfg = AddRules(*ptq, options->request.cfg_path, defaults.batch_num,
                              "Number of calibration batches", defaults.skip_layers);
  ptq->add_flag("--activation-offset,!--no-activation-offset", defaults.activation_offset,
                "Whether activations are quantised with an offset (default: yes)")
      ->excludes(cfg);
  ptq->fallthrough();
  ptq->callback(
      [options, &global] { global.run = [options, &global] { return RunPtq(*options, global); }; });
}

void AddQat(CLI::App& command, GlobalOptions& global) {
  CLI::App* qat =
      command.add_subcommand("qat", "Configuration of quantisation-aware training (JSON)");
  qat->footer("Example: lathe config qat net.onnx -o config.json --cfg retrain.cfg");
  const auto options = std::make_shared<QatOptions>();
  AddPaths(*qat, options->paths);
  quant::AmctRetrainConfig& defaults = options->request.options;
  AddRules(*qat, options->request.cfg_path, defaults.batch_num,
           "Number of batches on which activation ranges are found", defaults.skip_layers);
  qat->fallthrough();
  qat->callback(
      [options, &global] { global.run = [options, &global] { return RunQat(*options, global); }; });
}

}  // namespace

void AddConfigCommand(CLI::App& app, GlobalOptions& global) {
  CLI::App* command = app.add_subcommand("config", "Write the configuration of a quantisation");
  command->require_subcommand(1);
  AddPtq(*command, global);
  AddQat(*command, global);
}

}  // namespace lathe::tools
