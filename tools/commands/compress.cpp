// lathe prune create|restore|save and lathe compress create|restore|save: the reference's create,
// restore and save of prune_retrain_model and compressed_retrain_model. Pruning is compression
// whose configuration says nothing of quantisation, so the two share all but their words.
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "lathe/backends/config/record.h"
#include "lathe/backends/onnx/export.h"
#include "lathe/flows/compress_model.h"
#include "lathe/flows/output_paths.h"
#include "lathe/support/atomic_file.h"
#include "lathe/tools/commands/commands.h"
#include "lathe/tools/commands/retrain_data.h"
#include "lathe/tools/interrupt.h"
#include "lathe/tools/summary.h"

namespace lathe::tools {
namespace {

struct CompressOptions {
  flows::CompressRequest request;
  // A file, or for `save` a prefix.
  std::string output;
  DataArguments data;
};

Status StageRecord(const std::string& path, const quant::Record& record, AtomicFileSet& files) {
  LATHE_ASSIGN_OR_RETURN(AtomicFileSet::File * file, files.Add(path));
  return file->Append(backends::WriteRecord(record));
}

// "3 groups, 120 of 400 output channels pruned".
std::string SummaryOf(const flows::SparsityReport& sparsity) {
  std::string text = fmt::format("{} of {} output channels pruned in {} groups", sparsity.pruned,
                                 sparsity.channels, sparsity.groups);
  if (sparsity.masked_layers > 0) {
    text += fmt::format(", weights masked in {} layers", sparsity.masked_layers);
  }
  return text;
}

Status Finish(AtomicFileSet& files, const CompressOptions& options, size_t quantised,
              const flows::SparsityReport& sparsity, const std::vector<std::string>& notes,
              const std::vector<std::string>& written, const GlobalOptions& global) {
  LATHE_RETURN_IF_ERROR(StopIfInterrupted());
  LATHE_RETURN_IF_ERROR(files.Commit());
  if (global.json) {
    PrintJson({{"model", options.request.model_path},
               {"layers", quantised},
               {"groups", sparsity.groups},
               {"channels", sparsity.channels},
               {"pruned", sparsity.pruned},
               {"masked_layers", sparsity.masked_layers},
               {"outputs", written},
               {"notes", notes}});
    return OkStatus();
  }
  for (const std::string& note : notes) fmt::print("note: {}\n", note);
  fmt::print("{}\n", SummaryOf(sparsity));
  for (const std::string& path : written) fmt::print("wrote {}\n", path);
  return OkStatus();
}

Status RunCreate(const CompressOptions& options, const GlobalOptions& global) {
  LATHE_RETURN_IF_ERROR(flows::CheckOutputName(options.output));
  LATHE_RETURN_IF_ERROR(flows::CheckOutputName(options.request.record_path));
  LATHE_ASSIGN_OR_RETURN(const auto data, RetrainDataSource::Open(options.data, global));
  LATHE_ASSIGN_OR_RETURN(const flows::CompressedModel made,
                         flows::CreateCompressedModel(options.request, data->get()));
  AtomicFileSet files;
  LATHE_RETURN_IF_ERROR(backends::StageOnnx(*made.model, options.output, &files));
  LATHE_RETURN_IF_ERROR(StageRecord(options.request.record_path, made.record, files));
  return Finish(files, options, made.layers.size(), made.sparsity, made.notes,
                {options.output, options.request.record_path}, global);
}

Status RunRestore(const CompressOptions& options, const GlobalOptions& global) {
  LATHE_RETURN_IF_ERROR(flows::CheckOutputName(options.output));
  LATHE_ASSIGN_OR_RETURN(const flows::CompressedModel made,
                         flows::RestoreCompressedModel(options.request));
  AtomicFileSet files;
  LATHE_RETURN_IF_ERROR(backends::StageOnnx(*made.model, options.output, &files));
  return Finish(files, options, made.layers.size(), made.sparsity, made.notes, {options.output},
                global);
}

Status RunSave(const CompressOptions& options, const GlobalOptions& global) {
  LATHE_RETURN_IF_ERROR(flows::CheckOutputName(options.output));
  LATHE_ASSIGN_OR_RETURN(const auto data, RetrainDataSource::Open(options.data, global));
  LATHE_ASSIGN_OR_RETURN(const flows::SavedCompressedModel saved,
                         flows::SaveCompressedModel(options.request, data->get()));
  LATHE_ASSIGN_OR_RETURN(const flows::OutputPaths paths, flows::MakeOutputPaths(options.output));
  AtomicFileSet files;
  LATHE_RETURN_IF_ERROR(backends::StageOnnx(*saved.models.deploy, paths.deploy, &files));
  LATHE_RETURN_IF_ERROR(backends::StageOnnx(*saved.models.fake_quant, paths.fake_quant, &files));
  std::vector<std::string> written = {paths.deploy, paths.fake_quant};
  const std::string& record = options.request.record_path;
  if (record != paths.record) {
    LATHE_RETURN_IF_ERROR(StageRecord(paths.record, saved.record, files));
    written.push_back(paths.record);
  }
  if (saved.record_changed) {
    LATHE_RETURN_IF_ERROR(StageRecord(record, saved.record, files));
    written.push_back(record);
  }
  return Finish(files, options, saved.record.entries.size(), saved.sparsity, saved.notes, written,
                global);
}

// What the two commands are called, and what they say.
struct Words {
  bool only_prunes;
  std::string_view name;
  std::string_view configuration;
  std::string_view create;
  std::string_view save;
  std::string_view record;
};

constexpr Words kPrune = {
    true,
    "prune",
    "The configuration of pruning",
    "Take out channels, put masks on weights",
    "Make the sparse models of what was trained",
    "The prune record",
};
constexpr Words kCompress = {
    false,
    "compress",
    "The configuration of pruning and quantisation",
    "Take out channels, put masks on weights, insert quantisers that can be trained",
    "Make deploy and fake-quant models and the record of what was trained",
    "The prune record; factors are added to it",
};

CLI::App* AddPart(CLI::App& command, const std::string& name, std::string_view summary,
                  const Words& words, std::string_view record, CompressOptions& options) {
  options.request.only_prunes = words.only_prunes;
  CLI::App* part = command.add_subcommand(name, std::string(summary));
  part->add_option("MODEL", options.request.model_path,
                   name == "create" ? "The float ONNX model"
                                    : "The float ONNX model, or one that create or restore made")
      ->required();
  part->add_option("--cfg", options.request.cfg_path, std::string(words.configuration))
      ->required()
      ->type_name("FILE");
  part->add_option("--record", options.request.record_path, std::string(record))
      ->required()
      ->type_name("FILE");
  part->fallthrough();
  return part;
}

CLI::Option* AddCheckpoint(CLI::App& part, CompressOptions& options) {
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

void AddOutput(CLI::App& part, CompressOptions& options, const std::string& what,
               const std::string& type) {
  part.add_option("-o,--output", options.output, what)->required()->type_name(type);
}

void AddSearchN(CLI::App& part, const Words& words, CompressOptions& options,
                const std::string& what) {
  if (!words.only_prunes) AddSearchNOption(part, options.request.search_n, what);
}

void AddCreate(CLI::App& command, const Words& words, GlobalOptions& global) {
  const auto options = std::make_shared<CompressOptions>();
  CLI::App* create =
      AddPart(command, "create", words.create, words, "Where to write what is pruned", *options);
  create->footer(
      fmt::format("Example: lathe {} create net.onnx --cfg {}.cfg --record record.txt -o "
                  "sparse.onnx",
                  words.name, words.name));
  AddOutput(*create, *options, "Where to write the model to train", "FILE");
  create
      ->add_option_function<std::string>(
          "--reach",
          [options](const std::string& reach) {
            options->request.reach =
                reach == "full" ? passes::PruneReach::kFull : passes::PruneReach::kReference;
          },
          "How far channels are followed: as the reference does, or through every operator that "
          "is known (default: reference)")
      ->check(CLI::IsMember({"reference", "full"}))
      ->type_name("REACH");
  AddSearchN(*create, words, *options, "Put searchN layers behind the layers");
  if (!words.only_prunes) AddDataArguments(*create, options->data);
  create->callback([options, &global] {
    global.run = [options, &global] { return RunCreate(*options, global); };
  });
}

void AddRestore(CLI::App& command, const Words& words, GlobalOptions& global) {
  const auto options = std::make_shared<CompressOptions>();
  CLI::App* restore = AddPart(command, "restore", "The same with the weights of a checkpoint",
                              words, "The prune record", *options);
  restore->footer(
      fmt::format("Example: lathe {} restore net.onnx --cfg {}.cfg --record record.txt "
                  "--checkpoint trained.pth -o sparse.onnx",
                  words.name, words.name));
  AddCheckpoint(*restore, *options)->required();
  AddOutput(*restore, *options, "Where to write the model to train", "FILE");
  AddSearchN(*restore, words, *options,
             "Put searchN layers behind the layers (default: as in the model)");
  restore->callback([options, &global] {
    global.run = [options, &global] { return RunRestore(*options, global); };
  });
}

void AddSave(CLI::App& command, const Words& words, GlobalOptions& global) {
  const auto options = std::make_shared<CompressOptions>();
  CLI::App* save = AddPart(command, "save", words.save, words, words.record, *options);
  save->footer(
      fmt::format("Example: lathe {} save net.onnx --cfg {}.cfg --record record.txt "
                  "--checkpoint trained.pth -o out/net",
                  words.name, words.name));
  AddCheckpoint(*save, *options);
  AddOutput(*save, *options, "Folder and beginning of the names of the results", "PREFIX");
  AddSearchN(*save, words, *options,
             "Search the shift N of each layer on the data (default: as in the model)");
  if (!words.only_prunes) AddDataArguments(*save, options->data);
  save->callback([options, &global] {
    global.run = [options, &global] { return RunSave(*options, global); };
  });
}

void AddParts(CLI::App& command, const Words& words, GlobalOptions& global) {
  command.require_subcommand(1);
  AddCreate(command, words, global);
  AddRestore(command, words, global);
  AddSave(command, words, global);
}

}  // namespace

void AddPruneCommand(CLI::App& app, GlobalOptions& global) {
  AddParts(*app.add_subcommand("prune", "Channel pruning and N:M sparsity"), kPrune, global);
}

void AddCompressCommand(CLI::App& app, GlobalOptions& global) {
  AddParts(*app.add_subcommand("compress", "Pruning and quantisation-aware training together"),
           kCompress, global);
}

}  // namespace lathe::tools
