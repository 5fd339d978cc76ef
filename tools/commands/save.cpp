// lathe save MODIFIED --record R -o PREFIX: the reference's save_model.
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "lathe/backends/onnx/export.h"
#include "lathe/flows/load_model.h"
#include "lathe/flows/output_paths.h"
#include "lathe/flows/save_model.h"
#include "lathe/frontends/config/record.h"
#include "lathe/support/atomic_file.h"
#include "lathe/support/text_file.h"
#include "lathe/tools/commands/commands.h"
#include "lathe/tools/interrupt.h"
#include "lathe/tools/summary.h"

namespace lathe::tools {
namespace {

struct SaveOptions {
  std::string model;
  std::string record;
  std::string prefix;
  std::string emit = "both";
};

Status Run(const SaveOptions& options, const GlobalOptions& global) {
  LATHE_ASSIGN_OR_RETURN(std::unique_ptr<ir::Model> model, flows::LoadModifiedModel(options.model));
  LATHE_ASSIGN_OR_RETURN(const std::string text, ReadTextFile(options.record));
  const StatusOr<quant::Record> record = frontends::ParseRecord(text);
  if (!record.ok()) return WithContext(record.status(), ErrorContext::kFile, options.record);
  AtomicFileSet files;
  std::vector<std::string> written;
  if (options.emit == "qdq") {
    auto qdq = flows::LowerToQdq(std::move(model), *record);
    if (!qdq.ok()) return WithContext(qdq.status(), ErrorContext::kFile, options.record);
    LATHE_ASSIGN_OR_RETURN(const flows::OutputPaths paths, flows::MakeOutputPaths(options.prefix));
    LATHE_RETURN_IF_ERROR(backends::StageOnnx(**qdq, paths.qdq, &files));
    written.push_back(paths.qdq);
  } else {
    StatusOr<flows::SavedModels> saved = flows::LowerModel(std::move(model), *record);
    if (!saved.ok()) return WithContext(saved.status(), ErrorContext::kFile, options.record);
    LATHE_ASSIGN_OR_RETURN(const flows::OutputPaths paths, flows::MakeOutputPaths(options.prefix));
    if (options.emit != "fake-quant") {
      LATHE_RETURN_IF_ERROR(backends::StageOnnx(*saved->deploy, paths.deploy, &files));
      written.push_back(paths.deploy);
    }
    if (options.emit != "deploy") {
      LATHE_RETURN_IF_ERROR(backends::StageOnnx(*saved->fake_quant, paths.fake_quant, &files));
      written.push_back(paths.fake_quant);
    }
  }
  LATHE_RETURN_IF_ERROR(StopIfInterrupted());
  LATHE_RETURN_IF_ERROR(files.Commit());
  if (global.json) {
    PrintJson({{"model", options.model}, {"record", options.record}, {"outputs", written}});
    return OkStatus();
  }
  for (const std::string& path : written) fmt::print("wrote {}\n", path);
  return OkStatus();
}

}  // namespace

void AddSaveCommand(CLI::App& app, GlobalOptions& global) {
  CLI::App* command = app.add_subcommand(
      "save", "Make deploy and fake-quant models, or a QDQ model, of a calibrated model");
  command->footer("Example: lathe save modified.onnx --record record.txt -o out/net");
  const auto options = std::make_shared<SaveOptions>();
  command->add_option("MODIFIED", options->model, "The model that 'lathe calibrate' wrote")
      ->required();
  command->add_option("--record", options->record, "The factors of its layers")
      ->required()
      ->type_name("FILE");
  command
      ->add_option("-o,--output", options->prefix,
                   "Folder and beginning of the names of the results")
      ->required()
      ->type_name("PREFIX");
  command
      ->add_option("--emit", options->emit,
                   "Which models to write; qdq: ONNX's own operators, for any runtime")
      ->check(CLI::IsMember({"both", "deploy", "fake-quant", "qdq"}))
      ->capture_default_str();
  command->callback(
      [options, &global] { global.run = [options, &global] { return Run(*options, global); }; });
}

}  // namespace lathe::tools
