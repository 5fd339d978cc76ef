// lathe retrain create|restore|save: the reference's create, restore and save_quant_retrain_model.
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "lathe/backends/config/record.h"
#include "lathe/backends/onnx/export.h"
#include "lathe/flows/output_paths.h"
#include "lathe/flows/retrain_model.h"
#include "lathe/support/atomic_file.h"
#include "lathe/tools/commands/commands.h"
#include "lathe/tools/commands/retrain_data.h"
#include "lathe/tools/interrupt.h"
#include "lathe/tools/summary.h"

namespace lathe::tools {
namespace {

struct RetrainOptions {
  flows::RetrainRequest request;
  std::string record;
  // A file, or for `save` a prefix.
  std::string output;
  DataArguments data;
};

// Adds text to the files that are written together.
Status StageRecord(const std::string& path, const quant::Record& record, AtomicFileSet& files) {
  LATHE_ASSIGN_OR_RETURN(AtomicFileSet::File * file, files.Add(path));
  return file->Append(backends::WriteRecord(record));
}

Status Finish(AtomicFileSet& files, const RetrainOptions& options, size_t layers,
              const std::vector<std::string>& notes, const std::vector<std::string>& written,
              const GlobalOptions& global) {
  LATHE_RETURN_IF_ERROR(StopIfInterrupted());
  LATHE_RETURN_IF_ERROR(files.Commit());
  if (global.json) {
    PrintJson({{"model", options.request.model_path},
               {"layers", layers},
               {"outputs", written},
               {"notes", notes}});
    return OkStatus();
  }
  for (const std::string& note : notes) fmt::print("note: {}\n", note);
  for (const std::string& path : written) fmt::print("wrote {}\n", path);
  return OkStatus();
}

Status CheckOutputs(const RetrainOptions& options) {
  LATHE_RETURN_IF_ERROR(flows::CheckOutputName(options.output));
  return flows::CheckOutputName(options.record);
}

// The retrain model, and the record emptied: its factors are those of a network that was trained.
Status WriteRetrainModel(const StatusOr<flows::RetrainModel>& made, const RetrainOptions& options,
                         const GlobalOptions& global) {
  LATHE_RETURN_IF_ERROR(made.status());
  AtomicFileSet files;
  LATHE_RETURN_IF_ERROR(backends::StageOnnx(*made->model, options.output, &files));
  LATHE_RETURN_IF_ERROR(StageRecord(options.record, {}, files));
  return Finish(files, options, made->layers.size(), made->notes, {options.output, options.record},
                global);
}

Status RunCreate(const RetrainOptions& options, const GlobalOptions& global) {
  LATHE_RETURN_IF_ERROR(CheckOutputs(options));
  LATHE_ASSIGN_OR_RETURN(const auto data, RetrainDataSource::Open(options.data, global));
  return WriteRetrainModel(flows::CreateRetrainModel(options.request, data->get()), options,
                           global);
}

Status RunRestore(const RetrainOptions& options, const GlobalOptions& global) {
  LATHE_RETURN_IF_ERROR(CheckOutputs(options));
  return WriteRetrainModel(flows::RestoreRetrainModel(options.request), options, global);
}

Status RunSave(const RetrainOptions& options, const GlobalOptions& global) {
  LATHE_RETURN_IF_ERROR(flows::CheckOutputName(options.output));
  if (!options.record.empty()) LATHE_RETURN_IF_ERROR(flows::CheckOutputName(options.record));
  LATHE_ASSIGN_OR_RETURN(const auto data, RetrainDataSource::Open(options.data, global));
  LATHE_ASSIGN_OR_RETURN(const flows::SavedRetrainModel saved,
                         flows::SaveRetrainModel(options.request, data->get()));
  LATHE_ASSIGN_OR_RETURN(const flows::OutputPaths paths, flows::MakeOutputPaths(options.output));
  const std::string& record = options.record.empty() ? paths.record : options.record;
  AtomicFileSet files;
  LATHE_RETURN_IF_ERROR(backends::StageOnnx(*saved.models.deploy, paths.deploy, &files));
  LATHE_RETURN_IF_ERROR(backends::StageOnnx(*saved.models.fake_quant, paths.fake_quant, &files));
  LATHE_RETURN_IF_ERROR(StageRecord(record, saved.record, files));
  return Finish(files, options, saved.record.entries.size(), saved.notes,
                {paths.deploy, paths.fake_quant, record}, global);
}

CLI::App* AddPart(CLI::App& command, const std::string& name, const std::string& summary,
                  const std::string& model, RetrainOptions& options) {
  CLI::App* part = command.add_subcommand(name, summary);
  part->add_option("MODEL", options.request.model_path, model)->required();
  part->add_option("--config", options.request.config_path,
                   "Its configuration, from 'lathe config qat'")
      ->required()
      ->type_name("FILE");
  part->fallthrough();
  return part;
}

CLI::Option* AddCheckpoint(CLI::App& part, RetrainOptions& options) {
  CLI::Option* checkpoint =
      part.add_option("--checkpoint", options.request.checkpoint_path,
                      "What training saved: .pth, .safetensors, .npz or .onnx")
          ->type_name("FILE");
  part.add_option("--state-dict-name", options.request.state_dict_name,
                  "The key of the state in the checkpoint (default: the checkpoint itself)")
      ->type_name("KEY")
      ->needs(checkpoint);
  return checkpoint;
}

void AddRecordAndModel(CLI::App& part, RetrainOptions& options) {
  part.add_option("--record", options.record, "The file that factors will be written to; emptied")
      ->required()
      ->type_name("FILE");
  part.add_option("-o,--output", options.output, "Where to write the retrain model")
      ->required()
      ->type_name("FILE");
}

void AddCreate(CLI::App& command, GlobalOptions& global) {
  const auto options = std::make_shared<RetrainOptions>();
  CLI::App* create = AddPart(command, "create", "Insert quantisers that can be trained",
                             "The float ONNX model", *options);
  create->footer(
      "With data, ranges that the configuration does not give start where IFMR finds them on its "
      "first batch_num batches; else at -1 and 1.\n\n"
      "Example: lathe retrain create net.onnx --config config.json --record record.txt -o "
      "retrain.onnx");
  AddRecordAndModel(*create, *options);
  AddSearchNOption(*create, options->request.search_n, "Put searchN layers behind the layers");
  AddDataArguments(*create, options->data);
  create->callback([options, &global] {
    global.run = [options, &global] { return RunCreate(*options, global); };
  });
}

void AddRestore(CLI::App& command, GlobalOptions& global) {
  const auto options = std::make_shared<RetrainOptions>();
  CLI::App* restore = AddPart(command, "restore", "The same with the weights of a checkpoint",
                              "The float ONNX model, or a retrain model", *options);
  restore->footer(
      "Example: lathe retrain restore net.onnx --config config.json --checkpoint trained.pth "
      "--record record.txt -o retrain.onnx");
  AddCheckpoint(*restore, *options)->required();
  AddRecordAndModel(*restore, *options);
  AddSearchNOption(*restore, options->request.search_n,
                   "Put searchN layers behind the layers (default: as in the retrain model)");
  restore->callback([options, &global] {
    global.run = [options, &global] { return RunRestore(*options, global); };
  });
}

void AddSave(CLI::App& command, GlobalOptions& global) {
  const auto options = std::make_shared<RetrainOptions>();
  CLI::App* save = AddPart(command, "save",
                           "Make deploy and fake-quant models and the record of what was trained",
                           "The float ONNX model that was trained, or a retrain model", *options);
  save->footer(
      "Data is for searching shifts only.\n\n"
      "Example: lathe retrain save net.onnx --config config.json --checkpoint trained.pth -o "
      "out/net");
  AddCheckpoint(*save, *options);
  save->add_option("--record", options->record,
                   "Where to write the factors (default: PREFIX_record.txt)")
      ->type_name("FILE");
  save->add_option("-o,--output", options->output,
                   "Folder and beginning of the names of the results")
      ->required()
      ->type_name("PREFIX");
  AddSearchNOption(
      *save, options->request.search_n,
      "Search the shift N of each layer on the data (default: as in the retrain model)");
  AddDataArguments(*save, options->data);
  save->callback([options, &global] {
    global.run = [options, &global] { return RunSave(*options, global); };
  });
}

}  // namespace

void AddRetrainCommand(CLI::App& app, GlobalOptions& global) {
  CLI::App* command = app.add_subcommand("retrain", "Quantisation-aware training");
  command->require_subcommand(1);
  AddCreate(*command, global);
  AddRestore(*command, global);
  AddSave(*command, global);
}

}  // namespace lathe::tools
