// lathe kv-cache MODEL (--cfg F | --layer L...) -d DATA... --record R: the reference's
// create_quant_cali_config, create_quant_cali_model and the calibration run.
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "lathe/backends/config/record.h"
#include "lathe/flows/batch_count.h"
#include "lathe/flows/calibrate_kv_cache.h"
#include "lathe/flows/load_model.h"
#include "lathe/flows/output_paths.h"
#include "lathe/frontends/config/kv_cfg.h"
#include "lathe/runtime/openvino/engine.h"
#include "lathe/support/atomic_file.h"
#include "lathe/support/text_file.h"
#include "lathe/tools/commands/commands.h"
#include "lathe/tools/commands/data_options.h"
#include "lathe/tools/interrupt.h"
#include "lathe/tools/summary.h"

namespace lathe::tools {
namespace {

struct KvCacheOptions {
  std::string model;
  std::string record;
  std::string cfg;
  std::vector<std::string> layers;
  DataArguments data;
};

StatusOr<quant::KvConfig> ReadConfig(const KvCacheOptions& options) {
  quant::KvConfig config;
  for (const std::string& name : options.layers) {
    config.layers.emplace_back().name = name;
  }
  if (options.cfg.empty()) return config;
  LATHE_ASSIGN_OR_RETURN(const std::string text, ReadTextFile(options.cfg));
  auto read = frontends::ParseKvCfg(text);
  if (!read.ok()) return WithContext(read.status(), ErrorContext::kFile, options.cfg);
  return read;
}

Status Run(const KvCacheOptions& options, const GlobalOptions& global) {
  LATHE_RETURN_IF_ERROR(CheckDataArguments(options.data));
  LATHE_RETURN_IF_ERROR(flows::CheckOutputName(options.record));
  LATHE_ASSIGN_OR_RETURN(const quant::KvConfig config, ReadConfig(options));
  LATHE_ASSIGN_OR_RETURN(flows::LoadedModel loaded, flows::LoadFloatModel(options.model));
  LATHE_ASSIGN_OR_RETURN(const auto data, OpenData(options.data, *loaded.model, global));
  std::vector<std::string> notes = std::move(loaded.notes);
  flows::NoteUnusedBatches(config.batch_num, *data, notes);
  Progress progress;
  const std::unique_ptr<eval::Engine> engine = runtime::MakeOpenVinoEngine();
  LATHE_ASSIGN_OR_RETURN(const quant::Record record,
                         flows::CalibrateKvCache(*loaded.model, config, *engine, *data,
                                                 MakeRunControl(global, progress)));
  LATHE_RETURN_IF_ERROR(StopIfInterrupted());
  LATHE_RETURN_IF_ERROR(WriteFileAtomically(options.record, backends::WriteRecord(record)));
  PrintRecordSummary({.model = options.model,
                      .record = options.record,
                      .done = "calibrated",
                      .layers = record.entries.size(),
                      .notes = std::move(notes)},
                     global.json);
  return OkStatus();
}

}  // namespace

void AddKvCacheCommand(CLI::App& app, GlobalOptions& global) {
  CLI::App* command = app.add_subcommand(
      "kv-cache", "Find the factors of the keys and values that a cache is to hold in 8 bits");
  command->footer(
      "Example: lathe kv-cache net.onnx --layer k_proj --layer v_proj -d b0.npy --record kv.txt");
  const auto options = std::make_shared<KvCacheOptions>();
  command->add_option("MODEL", options->model, "The float ONNX model")->required();
  CLI::App* choice = command->add_option_group("layers");
  choice->require_option(1);
  choice->add_option("--cfg", options->cfg, "Simplified configuration (protobuf text)")
      ->type_name("FILE");
  choice
      ->add_option("--layer", options->layers,
                   "A layer (Gemm, MatMul) whose output is cached; repeat for further ones")
      ->allow_extra_args(false)
      ->type_name("LAYER");
  AddDataArguments(*command, options->data);
  command->add_option("--record", options->record, "Where to write the factors")
      ->required()
      ->type_name("FILE");
  command->callback(
      [options, &global] { global.run = [options, &global] { return Run(*options, global); }; });
}

}  // namespace lathe::tools
