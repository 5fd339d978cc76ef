// lathe convert-qat MODEL -o PREFIX: the ONNX flavour's convert_qat_model.
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "lathe/backends/config/record.h"
#include "lathe/backends/onnx/export.h"
#include "lathe/flows/convert_qat_model.h"
#include "lathe/flows/output_paths.h"
#include "lathe/support/atomic_file.h"
#include "lathe/tools/commands/commands.h"
#include "lathe/tools/interrupt.h"
#include "lathe/tools/summary.h"

namespace lathe::tools {
namespace {

struct ConvertOptions {
  std::string model;
  std::string prefix;
};

nlohmann::json NotesJson(const std::vector<passes::QdqNote>& notes) {
  nlohmann::json list = nlohmann::json::array();
  for (const passes::QdqNote& note : notes) {
    list.push_back({{"node", note.node}, {"reason", note.reason}});
  }
  return list;
}

void PrintNotes(std::string_view what, const std::vector<passes::QdqNote>& notes) {
  for (const passes::QdqNote& note : notes) {
    fmt::print("{}: {}: {}\n", what, note.node, note.reason);
  }
}

Status Run(const ConvertOptions& options, const GlobalOptions& global) {
  LATHE_RETURN_IF_ERROR(flows::CheckOutputName(options.prefix));
  LATHE_ASSIGN_OR_RETURN(const flows::ConvertedModel converted,
                         flows::ConvertQatModel(options.model));
  LATHE_ASSIGN_OR_RETURN(const flows::OutputPaths paths, flows::MakeOutputPaths(options.prefix));
  AtomicFileSet files;
  LATHE_RETURN_IF_ERROR(backends::StageOnnx(*converted.models.deploy, paths.deploy, &files));
  LATHE_RETURN_IF_ERROR(
      backends::StageOnnx(*converted.models.fake_quant, paths.fake_quant, &files));
  LATHE_ASSIGN_OR_RETURN(AtomicFileSet::File * record, files.Add(paths.record));
  LATHE_RETURN_IF_ERROR(record->Append(backends::WriteRecord(converted.record)));
  LATHE_RETURN_IF_ERROR(StopIfInterrupted());
  LATHE_RETURN_IF_ERROR(files.Commit());
  const std::vector<std::string> written = {paths.deploy, paths.fake_quant, paths.record};
  const passes::QdqReport& report = converted.report;
  if (global.json) {
    PrintJson({{"model", options.model},
               {"integer_layers", report.layers},
               {"rounded_values", report.pairs},
               {"float_layers", NotesJson(report.float_layers)},
               {"kept", NotesJson(report.kept)},
               {"outputs", written},
               {"notes", converted.notes}});
    return OkStatus();
  }
  for (const std::string& note : converted.notes) fmt::print("note: {}\n", note);
  PrintNotes("float", report.float_layers);
  PrintNotes("kept", report.kept);
  fmt::print(
      "{} layers in integers, {} values rounded on their own, {} layers float, {} nodes kept\n",
      report.layers, report.pairs, report.float_layers.size(), report.kept.size());
  for (const std::string& path : written) fmt::print("wrote {}\n", path);
  return OkStatus();
}

}  // namespace

void AddConvertQatCommand(CLI::App& app, GlobalOptions& global) {
  CLI::App* command = app.add_subcommand(
      "convert-qat", "Make deploy and fake-quant models of a QDQ model that another tool made");
  command->footer("Example: lathe convert-qat qdq.onnx -o out/net");
  const auto options = std::make_shared<ConvertOptions>();
  command
      ->add_option("MODEL", options->model,
                   "The ONNX model with QuantizeLinear and DequantizeLinear")
      ->required();
  command
      ->add_option("-o,--output", options->prefix,
                   "Folder and beginning of the names of the results")
      ->required()
      ->type_name("PREFIX");
  command->callback(
      [options, &global] { global.run = [options, &global] { return Run(*options, global); }; });
}

}  // namespace lathe::tools
