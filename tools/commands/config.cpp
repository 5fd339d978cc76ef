// lathe config ptq MODEL -o config.json: the reference's create_quant_config.
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "lathe/backends/config/ptq_json.h"
#include "lathe/flows/load_model.h"
#include "lathe/flows/make_settings.h"
#include "lathe/flows/output_paths.h"
#include "lathe/support/atomic_file.h"
#include "lathe/tools/commands/commands.h"
#include "lathe/tools/summary.h"

namespace lathe::tools {
namespace {

struct ConfigOptions {
  std::string model;
  std::string output;
  flows::ConfigRequest request;
};

Status RunPtq(const ConfigOptions& options, const GlobalOptions& global) {
  LATHE_RETURN_IF_ERROR(flows::CheckOutputName(options.output));
  LATHE_ASSIGN_OR_RETURN(const flows::LoadedModel loaded, flows::LoadFloatModel(options.model));
  LATHE_ASSIGN_OR_RETURN(const flows::ChosenConfig chosen,
                         flows::ChooseConfig(*loaded.model, options.request));
  LATHE_ASSIGN_OR_RETURN(const std::string json, backends::WritePtqJson(chosen.config));
  LATHE_RETURN_IF_ERROR(WriteFileAtomically(options.output, json));
  if (global.json) {
    PrintJson({{"model", options.model},
               {"output", options.output},
               {"enabled", chosen.settings.layers.size()},
               {"layers", chosen.config.layers.size()},
               {"notes", chosen.notes}});
    return OkStatus();
  }
  for (const std::string& note : chosen.notes) fmt::print("note: {}\n", note);
  fmt::print("wrote {}: {} of {} layers enabled\n", options.output, chosen.settings.layers.size(),
             chosen.config.layers.size());
  return OkStatus();
}

}  // namespace

void AddConfigCommand(CLI::App& app, GlobalOptions& global) {
  CLI::App* command = app.add_subcommand("config", "Write the configuration of a quantisation");
  command->require_subcommand(1);
  CLI::App* ptq =
      command->add_subcommand("ptq", "Configuration of post-training quantisation (JSON)");
  ptq->footer("Example: lathe config ptq net.onnx -o config.json --batch-num 2 --skip-layer fc");
  const auto options = std::make_shared<ConfigOptions>();
  ptq->add_option("MODEL", options->model, "The float ONNX model")->required();
  ptq->add_option("-o,--output", options->output, "Where to write it")
      ->required()
      ->type_name("FILE");
  CLI::Option* cfg = ptq->add_option("--cfg", options->request.cfg_path,
                                     "Simplified configuration (protobuf text)")
                         ->type_name("FILE");
  quant::PtqOptions& defaults = options->request.options;
  ptq->add_option("--batch-num", defaults.batch_num, "Number of calibration batches")
      ->capture_default_str()
      ->excludes(cfg);
  ptq->add_option("--skip-layer", defaults.skip_layers,
                  "Leave a layer float; repeat for further ones")
      ->allow_extra_args(false)
      ->type_name("LAYER")
      ->excludes(cfg);
  ptq->add_flag("--activation-offset,!--no-activation-offset", defaults.activation_offset,
                "Whether activations are quantised with an offset (default: yes)")
      ->excludes(cfg);
  ptq->fallthrough();
  ptq->callback(
      [options, &global] { global.run = [options, &global] { return RunPtq(*options, global); }; });
}

}  // namespace lathe::tools
