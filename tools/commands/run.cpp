// lathe run MODEL -i NAME=FILE.npy... -o DIR: executes a model.
#include <filesystem>
#include <memory>
#include <system_error>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "lathe/backends/data/npy_writer.h"
#include "lathe/flows/import_model.h"
#include "lathe/frontends/data/npy.h"
#include "lathe/ir/input_spec.h"
#include "lathe/runtime/engine.h"
#include "lathe/support/atomic_file.h"
#include "lathe/support/nearest_names.h"
#include "lathe/tools/commands/commands.h"
#include "lathe/tools/exit_status.h"
#include "lathe/tools/interrupt.h"
#include "lathe/tools/summary.h"

namespace lathe::tools {
namespace {

struct RunOptions {
  std::string model;
  std::vector<std::string> inputs;
  std::string folder;
};

// Tensors in the order of the graph's inputs.
StatusOr<std::vector<ir::Tensor>> ReadInputs(const std::vector<std::string>& arguments,
                                             std::span<const ir::InputSpec> specs) {
  std::vector<ir::Tensor> tensors(specs.size());
  for (const std::string& argument : arguments) {
    const size_t equals = argument.find('=');
    // A model with one input needs no name.
    const bool named = equals != std::string::npos;
    if (!named && specs.size() != 1) {
      return UsageError(InvalidInput("'{}': the model has {} inputs, so -i takes NAME=FILE.npy",
                                     argument, specs.size()));
    }
    const std::string name = named ? argument.substr(0, equals) : specs[0].name;
    size_t at = 0;
    std::vector<std::string_view> names;
    for (const ir::InputSpec& spec : specs) names.push_back(spec.name);
    while (at < specs.size() && specs[at].name != name) ++at;
    if (at == specs.size()) {
      const Status status = InvalidInput("the model has no input '{}'", name);
      const std::string near = DidYouMean(name, names);
      return near.empty() ? status : WithContext(status, ErrorContext::kHint, near);
    }
    LATHE_ASSIGN_OR_RETURN(tensors[at],
                           frontends::ReadNpy(named ? argument.substr(equals + 1) : argument));
  }
  for (size_t i = 0; i < specs.size(); ++i) {
    if (tensors[i]) continue;
    return InvalidInput("input '{}' {} is missing: give -i {}=FILE.npy", specs[i].name,
                        ir::ShapeText(specs[i].shape), specs[i].name);
  }
  return tensors;
}

// "/" cannot stand in a file's name.
std::string FileName(std::string_view output) {
  std::string name(output);
  for (char& c : name) {
    if (c == '/') c = '_';
  }
  return name + ".npy";
}

Status Run(const RunOptions& options, const GlobalOptions& global) {
  LATHE_ASSIGN_OR_RETURN(const std::unique_ptr<ir::Model> model, flows::ImportModel(options.model));
  LATHE_ASSIGN_OR_RETURN(const std::vector<ir::InputSpec> specs,
                         ir::InputSpecs(model->graph(), global.shapes));
  LATHE_ASSIGN_OR_RETURN(const std::vector<ir::Tensor> inputs, ReadInputs(options.inputs, specs));
  const std::unique_ptr<eval::Engine> engine = runtime::MakeEngine(
      {.isa = {}, .note = [](const std::string& note) { fmt::print(stderr, "note: {}\n", note); }});
  eval::CompileOptions compile;
  compile.threads = global.threads;
  compile.input_shapes = global.shapes;
  auto compiled = engine->Compile(*model, compile);
  if (!compiled.ok()) return WithContext(compiled.status(), ErrorContext::kFile, options.model);
  LATHE_RETURN_IF_ERROR(StopIfInterrupted());
  auto outputs = (*compiled)->Run(inputs);
  if (!outputs.ok()) return WithContext(outputs.status(), ErrorContext::kFile, options.model);

  std::error_code error;
  std::filesystem::create_directories(options.folder, error);
  if (error) return IoError("cannot make the folder '{}': {}", options.folder, error.message());
  AtomicFileSet files;
  Json written = Json::array();
  std::string text;
  for (size_t i = 0; i < outputs->size(); ++i) {
    const std::string_view name = model->graph().outputs()[i].value()->name_text();
    const std::string path = (std::filesystem::path(options.folder) / FileName(name)).string();
    LATHE_RETURN_IF_ERROR(backends::StageNpy((*outputs)[i], path, &files));
    text += fmt::format("wrote {} {}\n", path, ir::ShapeText((*outputs)[i].dims()));
    written.push_back({{"name", name}, {"file", path}});
  }
  LATHE_RETURN_IF_ERROR(StopIfInterrupted());
  LATHE_RETURN_IF_ERROR(files.Commit());
  if (global.json) {
    PrintJson({{"model", options.model}, {"outputs", std::move(written)}});
  } else {
    fmt::print("{}", text);
  }
  return OkStatus();
}

}  // namespace

void AddRunCommand(CLI::App& app, GlobalOptions& global) {
  CLI::App* command = app.add_subcommand("run", "Execute a model on the CPU");
  command->footer(
      "Outputs are written as DIR/NAME.npy, '/' in a name as '_':\n"
      "  lathe run net.onnx -i image=x.npy -o out");
  const auto options = std::make_shared<RunOptions>();
  command
      ->add_option("MODEL", options->model,
                   "The ONNX model, or a Caffe net: NET.prototxt,WEIGHTS.caffemodel")
      ->required();
  command->add_option("-i,--input", options->inputs, "NAME=FILE.npy, once an input")
      ->type_name("INPUT");
  command->add_option("-o,--output", options->folder, "Folder for the outputs")
      ->required()
      ->type_name("DIR");
  command->callback(
      [options, &global] { global.run = [options, &global] { return Run(*options, global); }; });
}

}  // namespace lathe::tools
