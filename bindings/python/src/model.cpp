#include "lathe/bindings/python/src/model.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include "lathe/backends/onnx/export.h"
#include "lathe/bindings/python/src/arrays.h"
#include "lathe/bindings/python/src/border.h"
#include "lathe/flows/model_inventory.h"
#include "lathe/frontends/onnx/import.h"
#include "lathe/ir/schema/verify_operators.h"
#include "lathe/ir/text/parse.h"
#include "lathe/ir/text/print.h"
#include "lathe/ir/verifier.h"
#include "lathe/passes/core/fact_table.h"
#include "lathe/passes/core/model_form.h"
#include "lathe/support/nearest_names.h"
#include "lathe/support/quoted.h"

namespace lathe::python {
namespace {

// An input, output or other value, or what is known of it.
struct ValueInfo {
  std::string name;
  std::string element_type;
  // None: the rank is free. Each extent: a number, the symbol of a free dimension, or None.
  nb::object shape;
};

struct NodeInfo {
  std::string name;
  std::string op;
  std::string domain;
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;
  nb::dict attributes;
};

ValueInfo InfoOf(const ir::Value& value) {
  ValueInfo info;
  info.name = value.name_text();
  info.shape = nb::none();
  const ir::Type& type = value.type();
  if (!type.is_tensor()) {
    info.element_type = ir::PrintType(type);
    return info;
  }
  info.element_type = ir::ElementTypeName(type.element);
  if (!type.shape) return info;
  nb::list extents;
  for (const ir::Dim& dim : *type.shape) {
    if (dim.is_known()) {
      extents.append(dim.extent());
    } else if (dim.is_symbol()) {
      extents.append(nb::cast(std::string(dim.symbol())));
    } else {
      extents.append(nb::none());
    }
  }
  info.shape = nb::tuple(extents);
  return info;
}

std::vector<ValueInfo> Inputs(const Model& self) {
  std::vector<ValueInfo> result;
  for (const ir::Value* input : self.model->graph().inputs()) {
    if (!input->tensor()) result.push_back(InfoOf(*input));
  }
  return result;
}

std::vector<ValueInfo> Outputs(const Model& self) {
  std::vector<ValueInfo> result;
  for (const ir::Use& output : self.model->graph().outputs()) {
    result.push_back(InfoOf(*output.value()));
  }
  return result;
}

// None stands for what Python has no value for: graphs, types, sparse tensors.
nb::object AttributeOf(const ir::Attribute& attribute) {
  nb::object result = nb::none();
  const auto take = [&]<typename T>(const T* value) {
    if (value != nullptr) result = nb::cast(*value);
  };
  take(attribute.get_if<float>());
  take(attribute.get_if<int64_t>());
  take(attribute.get_if<std::vector<float>>());
  take(attribute.get_if<std::vector<int64_t>>());
  // ONNX's strings are bytes.
  const auto text = [](const std::string& value) {
    return nb::steal(PyUnicode_DecodeUTF8(value.data(), static_cast<Py_ssize_t>(value.size()),
                                          "surrogateescape"));
  };
  if (const auto* value = attribute.get_if<std::string>()) result = text(*value);
  if (const auto* values = attribute.get_if<std::vector<std::string>>()) {
    nb::list list;
    for (const std::string& value : *values) list.append(text(value));
    result = list;
  }
  if (const auto* tensor = attribute.get_if<ir::Tensor>()) result = ToArray(*tensor);
  return result;
}

NodeInfo InfoOf(const ir::Model& model, const ir::Node& node) {
  NodeInfo info{.name = node.display_name(),
                .op = std::string(node.op_text()),
                .domain = std::string(node.domain_text()),
                .inputs = {},
                .outputs = {},
                .attributes = {}};
  for (const ir::Use& input : node.inputs()) {
    info.inputs.emplace_back(input.value() == nullptr ? "" : input.value()->name_text());
  }
  for (const ir::Value* output : node.outputs()) info.outputs.emplace_back(output->name_text());
  for (const ir::Attribute& attribute : node.attributes()) {
    info.attributes[nb::cast(std::string(model.Text(attribute.name)))] = AttributeOf(attribute);
  }
  return info;
}

std::vector<NodeInfo> Nodes(const Model& self) {
  std::vector<NodeInfo> result;
  for (const ir::Node& node : self.model->graph().nodes()) {
    result.push_back(InfoOf(*self.model, node));
  }
  return result;
}

std::vector<std::string> Initializers(const Model& self) {
  std::vector<std::string> result;
  for (const ir::Value* value : self.model->graph().initializers()) {
    if (value->tensor()) result.emplace_back(value->name_text());
  }
  return result;
}

nb::object Initializer(const Model& self, const std::string& name) {
  std::vector<std::string_view> names;
  for (const ir::Value* value : self.model->graph().initializers()) {
    if (!value->tensor()) continue;
    if (value->name_text() == name) return ToArray(value->tensor());
    names.push_back(value->name_text());
  }
  Status status = NotFound("the model has no initializer {}", Quoted(name));
  if (const std::string near = DidYouMean(name, names); !near.empty()) {
    status = WithContext(std::move(status), ErrorContext::kHint, near);
  }
  throw StatusError(std::move(status));
}

std::map<std::string, int64_t> Opsets(const Model& self) {
  std::map<std::string, int64_t> result;
  for (const ir::OpsetImport& import : self.model->info().opset_imports) {
    result[import.domain.empty() ? "ai.onnx" : import.domain] = import.version;
  }
  return result;
}

std::string Text(const Model& self, const std::string& weights) {
  ir::PrintOptions options;
  if (weights == "elided") {
    options.weights = ir::WeightText::kElided;
  } else if (weights == "file") {
    options.weights = ir::WeightText::kFile;
  } else if (weights != "exact") {
    Check(InvalidInput("weights is {}: give 'elided', 'exact' or 'file'", Quoted(weights)));
  }
  return Call().Run([&] { return ir::PrintModel(*self.model, options); });
}

nb::dict Inspect(const Model& self) {
  const flows::ModelInventory inventory = flows::TakeInventory(*self.model);
  nb::dict operators;
  for (const auto& [name, count] : inventory.OperatorsByCount()) operators[name.c_str()] = count;
  nb::dict parameters;
  for (const auto& [type, entry] : inventory.parameters) {
    nb::dict of_type;
    of_type["tensors"] = entry.tensors;
    of_type["elements"] = entry.elements;
    of_type["bytes"] = entry.bytes;
    parameters[type.c_str()] = of_type;
  }
  nb::dict result;
  result["form"] = passes::FormText(passes::RecognizeForm(*self.model).form);
  result["facts"] = nb::cast(flows::FactsOf(*self.model));
  result["nodes"] = inventory.nodes;
  result["bodies"] = inventory.bodies;
  result["functions"] = self.model->functions().size();
  result["operators"] = operators;
  result["parameters"] = parameters;
  return result;
}

StatusOr<Model> LoadOnnx(const std::string& path) {
  LATHE_ASSIGN_OR_RETURN(auto model, frontends::ImportOnnx(path));
  return Model{std::move(model), path};
}

StatusOr<Model> LoadText(const std::string& text) {
  LATHE_ASSIGN_OR_RETURN(auto model, ir::ParseModel(text));
  return Model{std::move(model), ""};
}

StatusOr<Model> LoadBytes(const nb::bytes& bytes, const std::string& name) {
  const std::span<const char> chars(bytes.c_str(), bytes.size());
  LATHE_ASSIGN_OR_RETURN(auto model, frontends::ImportOnnxBytes(std::as_bytes(chars), name));
  return Model{std::move(model), name};
}

Status Verify(const Model& self) {
  Status status = ir::VerifyModel(*self.model);
  if (status.ok()) status = ir::VerifyOperators(*self.model);
  return self.path.empty() ? status
                           : WithContext(std::move(status), ErrorContext::kFile, self.path);
}

// For Call::Run, which wants a value.
StatusOr<bool> Done(const Status& status) {
  LATHE_RETURN_IF_ERROR(status);
  return true;
}

void AddInfos(nb::module_& module) {
  nb::class_<ValueInfo>(module, "ValueInfo",
                        "A value of a graph: its name and what is known of it.")
      .def_ro("name", &ValueInfo::name)
      .def_ro("element_type", &ValueInfo::element_type, "\"f32\", \"i8\", ...")
      .def_ro("shape", &ValueInfo::shape,
              nb::sig("def shape(self) -> tuple[int | str | None, ...] | None"),
              "Extents; a free dimension is its symbol or None. None: the rank is free.")
      .def("__repr__", [](const ValueInfo& self) {
        return nb::str("ValueInfo({!r}, {!r}, {!r})")
            .format(self.name, self.element_type, self.shape);
      });
  nb::class_<NodeInfo>(module, "NodeInfo", "A node of a graph.")
      .def_ro("name", &NodeInfo::name)
      .def_ro("op", &NodeInfo::op)
      .def_ro("domain", &NodeInfo::domain)
      .def_ro("inputs", &NodeInfo::inputs, "Names of values; \"\" where one is omitted.")
      .def_ro("outputs", &NodeInfo::outputs)
      .def_ro("attributes", &NodeInfo::attributes,
              nb::sig("def attributes(self) -> dict[str, typing.Any]"),
              "Numbers, texts, lists of them, and arrays; None where there is no such value.")
      .def("__repr__", [](const NodeInfo& self) {
        return nb::str("NodeInfo({!r}, {!r})").format(self.name, self.op);
      });
}

}  // namespace

std::string PathOf(nb::handle path) {
  return nb::cast<std::string>(nb::module_::import_("os").attr("fspath")(path));
}

ModelArgument::ModelArgument(nb::handle given) {
  if (nb::isinstance<Model>(given)) {
    const auto& known = nb::cast<const Model&>(given);
    model = known.model.get();
    path = known.path;
    object = nb::borrow(given);
  } else {
    path = PathOf(given);
  }
}

StatusOr<std::unique_ptr<ir::Model>> ModelArgument::Load() const {
  if (model != nullptr) return model->Clone();
  return frontends::ImportOnnx(path);
}

StatusOr<flows::LoadedModel> ModelArgument::LoadFloat() const {
  if (model != nullptr) return flows::PrepareFloatModel(model->Clone(), path);
  return flows::LoadFloatModel(path);
}

StatusOr<std::unique_ptr<ir::Model>> ModelArgument::LoadModified() const {
  if (model != nullptr) return flows::PrepareModifiedModel(model->Clone(), path);
  return flows::LoadModifiedModel(path);
}

void AddModel(nb::module_& module) {
  AddInfos(module);
  nb::class_<Model>(
      module, "Model",
      "A network in memory. Its weights stay in the file that it came from until they "
      "are needed.\n\nOne thread at a time may change a model.")
      .def_prop_ro(
          "path", [](const Model& self) { return self.path; },
          "The file that it came from, or \"\".")
      .def_prop_ro("inputs", &Inputs, "What must be fed.")
      .def_prop_ro("outputs", &Outputs)
      .def_prop_ro("nodes", &Nodes, "The nodes of the main graph, in execution order.")
      .def_prop_ro("opsets", &Opsets, "Versions of operator sets; ONNX's own is \"ai.onnx\".")
      .def_prop_ro("initializers", &Initializers, "Names of the constants of the main graph.")
      .def("initializer", &Initializer, nb::arg("name"),
           nb::sig("def initializer(self, name: str) -> numpy.ndarray"),
           "A constant of the main graph, as a read-only array that shares its memory.")
      .def(
          "save",
          [](const Model& self, nb::handle path) {
            Call().Run(
                [&, to = PathOf(path)] { return Done(backends::ExportOnnx(*self.model, to)); });
          },
          nb::arg("path"), nb::sig("def save(self, path: str | os.PathLike[str]) -> None"),
          "Writes an ONNX file, whole or not at all.")
      .def(
          "to_bytes",
          [](const Model& self) {
            const std::string message =
                Call().Run([&] { return backends::SerializeOnnx(*self.model); });
            return nb::bytes(message.data(), message.size());
          },
          "The ONNX message, all weights in it.")
      .def("text", &Text, nb::arg("weights") = "elided",
           "The text form (docs/text-form.md); weights: \"elided\", \"exact\" or \"file\".")
      .def(
          "verify", [](const Model& self) { Call().Run([&] { return Done(Verify(self)); }); },
          "Raises lathe.Error when the graph is not well formed or an operator is used wrongly.")
      .def(
          "clone",
          [](const Model& self) {
            return Model{self.model->Clone(), self.path};
          },
          "A copy of the graph; weights are shared.")
      .def("inspect", &Inspect, nb::sig("def inspect(self) -> dict[str, typing.Any]"),
           "Form, facts, operators and parameters, as 'lathe inspect --json' shows them.")
      .def("__str__", [](const Model& self) { return Text(self, "elided"); })
      .def("__repr__", [](const Model& self) {
        return nb::str("<lathe.Model {!r}: {} nodes>")
            .format(self.path, self.model->graph().num_nodes());
      });
  module.def(
      "load",
      [](nb::handle path) { return Call().Run([from = PathOf(path)] { return LoadOnnx(from); }); },
      nb::arg("path"), nb::sig("def load(path: str | os.PathLike[str]) -> Model"),
      "Reads an ONNX file.");
  module.def(
      "load_bytes",
      [](const nb::bytes& data, const std::string& name) {
        return Call().Run([&] { return LoadBytes(data, name); });
      },
      nb::arg("data"), nb::arg("name") = "",
      "Reads an ONNX message, which is copied once; `name` stands for its file in messages.");
  module.def(
      "parse", [](const std::string& text) { return Call().Run([&] { return LoadText(text); }); },
      nb::arg("text"), "Reads the text form (docs/text-form.md).");
}

}  // namespace lathe::python
