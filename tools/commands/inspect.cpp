// lathe inspect FILE: what is in a model or a checkpoint.
#include <filesystem>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "lathe/flows/import_model.h"
#include "lathe/flows/model_inventory.h"
#include "lathe/frontends/checkpoint/checkpoint.h"
#include "lathe/ir/text/print.h"
#include "lathe/passes/core/model_form.h"
#include "lathe/tools/commands/commands.h"
#include "lathe/tools/fix_shapes.h"
#include "lathe/tools/inspect_checkpoint.h"
#include "lathe/tools/summary.h"

namespace lathe::tools {
namespace {

// Of a Caffe net: of both files.
uint64_t FileSize(const std::string& argument) {
  uint64_t sum = 0;
  for (const std::string& path : flows::FilesOf(argument)) {
    std::error_code error;
    const auto size = std::filesystem::file_size(path, error);
    if (!error) sum += size;
  }
  return sum;
}

std::string Producer(const ir::ModelInfo& info) {
  if (info.producer_name.empty()) return "";
  if (info.producer_version.empty()) return info.producer_name;
  return info.producer_name + " " + info.producer_version;
}

Json Interface(const std::vector<const ir::Value*>& values) {
  Json list = Json::array();
  for (const ir::Value* value : values) {
    list.push_back({{"name", value->name_text()}, {"type", ir::PrintType(value->type())}});
  }
  return list;
}

void PrintInterface(std::string_view heading, const std::vector<const ir::Value*>& values) {
  fmt::print("\n{}\n", heading);
  std::vector<std::vector<std::string>> rows;
  rows.reserve(values.size());
  for (const ir::Value* value : values) {
    rows.push_back({"  " + std::string(value->name_text()), ir::PrintType(value->type())});
  }
  PrintTable(rows);
}

class Inspector {
 public:
  Inspector(const ir::Model& model, std::string path)
      : model_(model),
        path_(std::move(path)),
        inventory_(flows::TakeInventory(model)),
        form_(passes::RecognizeForm(model)),
        facts_(flows::FactsOf(model)) {
    for (const ir::Value* input : model.graph().inputs()) {
      if (!input->tensor()) inputs_.push_back(input);
    }
    for (const ir::Use& output : model.graph().outputs()) outputs_.push_back(output.value());
  }

  void PrintAsJson() const {
    const ir::ModelInfo& info = model_.info();
    Json opsets = Json::object();
    for (const ir::OpsetImport& import : info.opset_imports) {
      opsets[import.domain.empty() ? "ai.onnx" : import.domain] = import.version;
    }
    Json operators = Json::object();
    for (const auto& [name, count] : inventory_.OperatorsByCount()) operators[name] = count;
    Json parameters = Json::object();
    for (const auto& [type, entry] : inventory_.parameters) {
      parameters[type] = {
          {"tensors", entry.tensors}, {"elements", entry.elements}, {"bytes", entry.bytes}};
    }
    PrintJson({{"model", path_},
               {"file_bytes", FileSize(path_)},
               {"ir_version", info.ir_version},
               {"opsets", std::move(opsets)},
               {"producer", Producer(info)},
               {"form", passes::FormText(form_.form)},
               {"facts", facts_},
               {"inputs", Interface(inputs_)},
               {"outputs", Interface(outputs_)},
               {"nodes", inventory_.nodes},
               {"bodies", inventory_.bodies},
               {"functions", model_.functions().size()},
               {"operators", std::move(operators)},
               {"parameters", std::move(parameters)}});
  }

  void PrintAsText() const {
    const ir::ModelInfo& info = model_.info();
    fmt::print("{}: {}, ONNX IR version {}", path_, SizeText(FileSize(path_)), info.ir_version);
    for (const ir::OpsetImport& import : info.opset_imports) {
      fmt::print(", {}opset {}", import.domain.empty() ? "" : import.domain + " ", import.version);
    }
    if (const std::string producer = Producer(info); !producer.empty()) {
      fmt::print(", by {}", producer);
    }
    fmt::print("\n{}{}{}\n", passes::FormText(form_.form), form_.witness == nullptr ? "" : ": ",
               form_.Evidence());
    if (!facts_.empty()) fmt::print("facts: {}\n", fmt::join(facts_, ", "));
    PrintInterface("inputs", inputs_);
    PrintInterface("outputs", outputs_);
    PrintOperators();
    PrintParameters();
  }

 private:
  void PrintOperators() const {
    fmt::print("\noperators: {} nodes", inventory_.nodes);
    if (inventory_.bodies != 0) fmt::print(", {} bodies", inventory_.bodies);
    if (!model_.functions().empty()) fmt::print(", {} functions", model_.functions().size());
    fmt::print("\n");
    std::vector<std::vector<std::string>> rows;
    for (const auto& [name, count] : inventory_.OperatorsByCount()) {
      rows.push_back({"  " + name, fmt::format("{}", count)});
    }
    PrintTable(rows);
  }

  void PrintParameters() const {
    flows::ModelInventory::Parameters all;
    std::vector<std::vector<std::string>> rows;
    for (const auto& [type, entry] : inventory_.parameters) {
      rows.push_back({"  " + type, fmt::format("{}", entry.elements), SizeText(entry.bytes),
                      fmt::format("in {} tensors", entry.tensors)});
      all.elements += entry.elements;
      all.bytes += entry.bytes;
    }
    fmt::print("\nparameters: {}, {}\n", all.elements, SizeText(all.bytes));
    PrintTable(rows);
  }

  const ir::Model& model_;
  std::string path_;
  flows::ModelInventory inventory_;
  passes::RecognizedForm form_;
  std::vector<std::string> facts_;
  // Inputs that must be fed.
  std::vector<const ir::Value*> inputs_;
  std::vector<const ir::Value*> outputs_;
};

Status Run(const std::string& path, const GlobalOptions& global) {
  if (!flows::IsCaffeNet(path)) {
    LATHE_ASSIGN_OR_RETURN(const auto form, frontends::RecognizeCheckpoint(path));
    // What is no checkpoint either is refused as a model.
    if (form.has_value() && form != frontends::CheckpointForm::kOnnx) {
      LATHE_ASSIGN_OR_RETURN(const auto checkpoint, frontends::ReadCheckpoint(path));
      PrintCheckpoint(checkpoint, global.json);
      return OkStatus();
    }
  }
  LATHE_ASSIGN_OR_RETURN(const std::unique_ptr<ir::Model> model, flows::ImportModel(path));
  ir::Rewriter rewriter(*model);
  LATHE_RETURN_IF_ERROR(FixInputShapes(rewriter, global.shapes));
  const Inspector inspector(*model, path);
  global.json ? inspector.PrintAsJson() : inspector.PrintAsText();
  return OkStatus();
}

}  // namespace

void AddInspectCommand(CLI::App& app, GlobalOptions& global) {
  CLI::App* command = app.add_subcommand(
      "inspect",
      "Show inputs, outputs, operators and parameters of a model, or a checkpoint's tensors");
  const auto path = std::make_shared<std::string>();
  command
      ->add_option("MODEL", *path,
                   "The ONNX model, a Caffe net (NET.prototxt,WEIGHTS.caffemodel), or a checkpoint "
                   "(.pth, safetensors, .npz)")
      ->required();
  command->callback(
      [path, &global] { global.run = [path, &global] { return Run(*path, global); }; });
}

}  // namespace lathe::tools
