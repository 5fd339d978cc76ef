#include "lathe/ir/text/print.h"

#include <span>
#include <type_traits>

#include <absl/container/flat_hash_set.h>
#include <fmt/format.h>

#include "lathe/ir/text/internal/literals.h"
#include "lathe/ir/text/internal/number_texts.h"

namespace lathe::ir {
namespace {

using text::Base64;
using text::FloatText;
using text::IsPlainName;
using text::NumberTexts;
using text::QuotedText;
using text::WordText;

// Named so in references; indexed by AttributeKind.
constexpr std::string_view kKindNames[] = {
    "undefined", "float", "int",     "string",  "tensor",         "sparse_tensor", "graph", "type",
    "floats",    "ints",  "strings", "tensors", "sparse_tensors", "graphs",        "types"};

// An operator of such a name, at the beginning of its line, would be taken for something else.
bool IsKeyword(std::string_view text) {
  for (const std::string_view word :
       {"attribute", "default", "device", "doc", "import", "init", "metadata", "name", "notes",
        "origin", "quantization_annotation", "return", "spelling", "value_info"}) {
    if (text == word) return true;
  }
  return false;
}

std::string OperatorText(std::string_view text) {
  return IsKeyword(text) ? QuotedText(text) : WordText(text);
}

using Metadata = std::vector<std::pair<std::string, std::string>>;

std::string MetadataText(const Metadata& metadata) {
  std::string result = "metadata {";
  for (size_t i = 0; i < metadata.size(); ++i) {
    if (i > 0) result += ", ";
    result += QuotedText(metadata[i].first) + " = " + QuotedText(metadata[i].second);
  }
  return result + "}";
}

std::string BytesText(std::string_view bytes) {
  return fmt::format("base64 \"{}\"", Base64(std::as_bytes(std::span(bytes))));
}

class Printer {
 public:
  Printer(const Model& model, const PrintOptions& options, bool bodies)
      : model_(model), options_(options), bodies_(bodies) {
    if (options.unlisted_types) return;
    for (const Graph* graph : model.AllGraphs()) {
      for (const ValueInfo& info : graph->value_info()) listed_.insert(info.value);
    }
  }

  void PrintAll();
  void PrintNode(const Node& node);

  std::string&& Take() { return std::move(out_); }
  const Status& status() const { return status_; }

 private:
  template <typename... Args>
  void Add(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(out_), format, std::forward<Args>(args)...);
  }
  void NewLine() {
    out_ += '\n';
    out_.append(2 * indent_, ' ');
  }

  // The start of a line of its own inside of braces.
  template <typename... Args>
  void Line(fmt::format_string<Args...> format, Args&&... args) {
    NewLine();
    Add(format, std::forward<Args>(args)...);
  }

  std::string ValueName(const Value& value) const {
    const std::string_view name = model_.Text(value.name());
    if (name.empty()) return "_";
    return "%" + (IsPlainName(name) ? std::string(name) : QuotedText(name));
  }

  const Type* ShownType(const Value& result) const {
    const bool shown =
        options_.unlisted_types || result.is_graph_output() || listed_.contains(&result);
    return shown ? result.type_ref() : model_.unknown_type();
  }

  void AddSpelling(uint8_t spelling) {
    if (spelling != 0) Add(" spelling {}", spelling);
  }
  void AddOperand(const Use& use) {
    out_ += use.value() == nullptr ? "_" : ValueName(*use.value());
    if (!use.annotation().empty()) Add(" {{{}}}", QuotedText(model_.Text(use.annotation())));
  }
  void AddValueNotes(const ValueNotes* notes) {
    if (notes == nullptr) return;
    std::string parts;
    const auto add = [&](const std::string& part) { parts += (parts.empty() ? "" : ", ") + part; };
    if (!notes->doc.empty()) add("doc " + QuotedText(notes->doc));
    if (!notes->metadata.empty()) add(MetadataText(notes->metadata));
    if (notes->spelling != 0) add(fmt::format("spelling {}", notes->spelling));
    if (!parts.empty()) Add(" notes({})", parts);
  }

  void AddTensor(const Tensor& tensor);
  void AddElements(const Tensor& tensor);
  void AddSparse(const SparseTensor& tensor);
  void AddAttribute(const Attribute& attribute);
  void AddAttributes(const Node& node);
  void AddGraph(const Graph& graph);
  void AddGraphContents(const Graph& graph);
  void AddInputs(const Graph& graph);
  void AddImports(const std::vector<OpsetImport>& imports);
  void AddFunction(const Function& function);
  void AddInfo();
  void AddBlobs();

  void AddValue(std::monostate) { out_ += "unset"; }
  void AddValue(float value) { out_ += FloatText(value); }
  void AddValue(int64_t value) { Add("{}", value); }
  void AddValue(const std::string& value) { out_ += QuotedText(value); }
  void AddValue(const Tensor& value) {
    out_ += "tensor ";
    AddTensor(value);
  }
  void AddValue(const SparseTensor& value) {
    out_ += "sparse_tensor ";
    AddSparse(value);
  }
  void AddValue(const GraphPtr& value) { AddGraph(*value); }
  void AddValue(const Type* value) { out_ += "type " + PrintType(*value); }
  template <typename T>
  void AddValue(const std::vector<T>& values);

  void AddMember(float value) { out_ += FloatText(value); }
  void AddMember(int64_t value) { Add("{}", value); }
  void AddMember(const std::string& value) { out_ += QuotedText(value); }
  void AddMember(const Tensor& value) { AddTensor(value); }
  void AddMember(const SparseTensor& value) { AddSparse(value); }
  void AddMember(const GraphPtr& value) { AddGraph(*value); }
  void AddMember(const Type* value) { out_ += PrintType(*value); }

  const Model& model_;
  const PrintOptions& options_;
  absl::flat_hash_set<const Value*> listed_;
  bool bodies_;
  std::string out_;
  size_t indent_ = 0;
  std::vector<Tensor> blobs_;
  Status status_ = OkStatus();
};

// ---- Tensors ----

void Printer::AddElements(const Tensor& tensor) {
  const bool large = tensor.num_elements() > options_.inline_elements;
  if (tensor.element_type() == ElementType::kString) {
    if (large && options_.weights == WeightText::kElided) {
      out_ += "{...}";
      return;
    }
    out_ += '{';
    for (size_t i = 0; i < tensor.strings().size(); ++i) {
      if (i > 0) out_ += ", ";
      out_ += QuotedText(tensor.strings()[i]);
    }
    out_ += '}';
    return;
  }
  if (large) {
    const auto file = tensor.file_range();
    if (options_.weights == WeightText::kElided) {
      out_ += "{...}";
    } else if (options_.weights == WeightText::kFile && file) {
      Add("file({}, {})", QuotedText(file->path), file->offset);
    } else {
      Add("blob {}", blobs_.size());
      blobs_.push_back(tensor);
    }
    return;
  }
  const StatusOr<TensorBytes> bytes = tensor.Read();
  if (!bytes.ok()) {
    if (status_.ok()) status_ = bytes.status();
    out_ += "{...}";
    return;
  }
  const auto count = static_cast<size_t>(tensor.num_elements());
  const std::string numbers = NumberTexts(tensor.element_type(), bytes->bytes(), count);
  if (numbers.empty() && bytes->size() != 0) {
    Add("base64 \"{}\"", Base64(bytes->bytes()));
  } else {
    Add("{{{}}}", numbers);
  }
}

void Printer::AddTensor(const Tensor& tensor) {
  if (!tensor) {
    out_ += "none";
    return;
  }
  Add("{}[{}] ", ElementTypeName(tensor.element_type()), fmt::join(tensor.dims(), ","));
  AddElements(tensor);
  const TensorNotes& notes = tensor.notes();
  if (notes.empty()) return;
  std::string parts;
  const auto add = [&](const std::string& part) { parts += (parts.empty() ? "" : ", ") + part; };
  if (!notes.name.empty()) add("name " + QuotedText(notes.name));
  if (!notes.doc.empty()) add("doc " + QuotedText(notes.doc));
  if (!notes.metadata.empty()) add(MetadataText(notes.metadata));
  if (notes.typed_field) add("typed_field");
  if (notes.external) add("external");
  if (notes.spelling != 0) add(fmt::format("spelling {}", notes.spelling));
  Add(" notes({})", parts);
}

void Printer::AddSparse(const SparseTensor& tensor) {
  out_ += '(';
  AddTensor(tensor.values);
  out_ += ", ";
  AddTensor(tensor.indices);
  Add(", [{}])", fmt::join(tensor.dims, ", "));
}

// ---- Attributes ----

template <typename T>
void Printer::AddValue(const std::vector<T>& values) {
  // Lists whose members do not tell their type, and empty ones, begin with it.
  constexpr bool kSelfEvident =
      std::is_same_v<T, float> || std::is_same_v<T, int64_t> || std::is_same_v<T, std::string>;
  if (!kSelfEvident || values.empty()) {
    out_ += kKindNames[AttributeValue(std::in_place_type<std::vector<T>>).index()];
    out_ += ' ';
  }
  out_ += '[';
  for (size_t i = 0; i < values.size(); ++i) {
    if (i > 0) out_ += ", ";
    AddMember(values[i]);
  }
  out_ += ']';
}

void Printer::AddAttribute(const Attribute& attribute) {
  out_ += WordText(model_.Text(attribute.name));
  if (!attribute.doc.empty()) Add(" doc {}", QuotedText(model_.Text(attribute.doc)));
  AddSpelling(attribute.spelling);
  out_ += " = ";
  if (!attribute.reference.empty()) {
    Add("ref {} : {}", QuotedText(model_.Text(attribute.reference)),
        kKindNames[static_cast<size_t>(attribute.reference_kind)]);
    return;
  }
  std::visit([this](const auto& value) { AddValue(value); }, attribute.value);
}

void Printer::AddAttributes(const Node& node) {
  if (node.attributes().empty()) return;
  out_ += " {";
  bool first = true;
  for (const Attribute& attribute : node.attributes()) {
    if (!first) out_ += ", ";
    first = false;
    AddAttribute(attribute);
  }
  out_ += '}';
}

// ---- Nodes ----

void Printer::PrintNode(const Node& node) {
  bool typed = false;
  for (size_t i = 0; i < node.num_outputs(); ++i) {
    if (i > 0) out_ += ", ";
    const Value& output = *node.output(i);
    out_ += ValueName(output);
    typed |= ShownType(output) != model_.unknown_type() || output.notes() != nullptr;
  }
  if (node.num_outputs() > 0) out_ += " = ";
  if (!node.domain().empty()) Add("{}::", OperatorText(node.domain_text()));
  out_ += OperatorText(node.op_text());
  if (!node.overload().empty()) Add("@{}", WordText(model_.Text(node.overload())));
  out_ += '(';
  for (const Use& use : node.inputs()) {
    if (use.index() > 0) out_ += ", ";
    AddOperand(use);
  }
  out_ += ')';
  AddAttributes(node);
  if (typed) {
    out_ += " : ";
    for (size_t i = 0; i < node.num_outputs(); ++i) {
      if (i > 0) out_ += ", ";
      out_ += PrintType(*ShownType(*node.output(i)));
      AddValueNotes(node.output(i)->notes());
    }
  }
  if (!node.name().empty()) Add(" name {}", QuotedText(node.name_text()));
  if (node.origin() != model_.OriginOf(node.name())) {
    out_ += " origin [";
    const std::vector<Name> names = model_.OriginNames(node.origin());
    for (size_t i = 0; i < names.size(); ++i) {
      Add("{}{}", i > 0 ? ", " : "", QuotedText(model_.Text(names[i])));
    }
    out_ += ']';
  }
  if (const NodeNotes* notes = node.notes()) {
    if (!notes->doc.empty()) Add(" doc {}", QuotedText(notes->doc));
    if (!notes->metadata.empty()) Add(" {}", MetadataText(notes->metadata));
    for (const std::string& bytes : notes->device_configurations) {
      Add(" device {}", BytesText(bytes));
    }
    AddSpelling(notes->spelling);
  }
}

// ---- Graphs ----

void Printer::AddInputs(const Graph& graph) {
  out_ += '(';
  for (const Value* input : graph.inputs()) {
    if (input->index() > 0) out_ += ", ";
    Add("{} : {}", ValueName(*input), PrintType(input->type()));
    AddValueNotes(input->notes());
  }
  out_ += ')';
}

void Printer::AddGraphContents(const Graph& graph) {
  if (!graph.doc().empty()) Line("doc {}", QuotedText(graph.doc()));
  if (!graph.metadata().empty()) Line("{}", MetadataText(graph.metadata()));
  for (const Value* value : graph.initializers()) {
    const bool is_default = value->kind() == Value::Kind::kGraphInput;
    Line("{} {}", is_default ? "default" : "init", ValueName(*value));
    if (!is_default) {
      Add(" : {}", PrintType(value->type()));
      AddValueNotes(value->notes());
    }
    out_ += " = ";
    if (const SparseTensor* sparse = value->sparse_tensor()) {
      out_ += "sparse_tensor ";
      AddSparse(*sparse);
    } else {
      AddTensor(value->tensor());
    }
  }
  for (const Node& node : graph.nodes()) {
    NewLine();
    PrintNode(node);
  }
  if (!graph.outputs().empty()) {
    Line("return ");
    for (const Use& use : std::as_const(*graph.return_node()).inputs()) {
      if (use.index() > 0) out_ += ", ";
      AddOperand(use);
    }
  }
  for (const ValueInfo& info : graph.value_info()) {
    if (info.value == nullptr) {
      Line("value_info {} : {}", QuotedText(model_.Text(info.name)), PrintType(*info.type));
      AddValueNotes(info.notes.get());
    } else if (!info.value->erased()) {
      Line("value_info {}", ValueName(*info.value));
    }
  }
  for (const std::string& bytes : graph.quantization_annotations()) {
    Line("quantization_annotation {}", BytesText(bytes));
  }
}

void Printer::AddGraph(const Graph& graph) {
  if (!bodies_) {
    Add("graph {}(...)", QuotedText(graph.name()));
    return;
  }
  Add("graph {}", QuotedText(graph.name()));
  AddSpelling(graph.spelling());
  AddInputs(graph);
  if (!graph.captures().empty()) {
    out_ += " captures (";
    for (const Value* capture : graph.captures()) {
      if (capture != graph.captures().front()) out_ += ", ";
      AddOperand(*capture->captured());
    }
    out_ += ')';
  }
  out_ += " {";
  ++indent_;
  AddGraphContents(graph);
  --indent_;
  Line("}}");
}

// ---- The model ----

void Printer::AddImports(const std::vector<OpsetImport>& imports) {
  for (const OpsetImport& import : imports) {
    Line("import {} {}", QuotedText(import.domain), import.version);
    AddSpelling(import.spelling);
  }
}

void Printer::AddFunction(const Function& function) {
  const Graph& body = function.body();
  Add("function {}::{}", WordText(model_.Text(function.domain())),
      WordText(model_.Text(function.name())));
  if (!function.overload().empty()) Add("@{}", WordText(model_.Text(function.overload())));
  AddSpelling(body.spelling());
  AddInputs(body);
  out_ += " {";
  ++indent_;
  AddImports(function.opset_imports());
  for (const Name name : function.attributes()) {
    Line("attribute {}", WordText(model_.Text(name)));
  }
  for (const Attribute& attribute : function.attribute_defaults()) {
    Line("attribute ");
    AddAttribute(attribute);
  }
  AddGraphContents(body);
  --indent_;
  Line("}}");
}

void Printer::AddInfo() {
  const ModelInfo& info = model_.info();
  out_ += "model {";
  ++indent_;
  Line("ir_version {}", info.ir_version);
  AddImports(info.opset_imports);
  const auto text = [&](std::string_view key, const std::string& value, bool stated) {
    if (stated || !value.empty()) Line("{} {}", key, QuotedText(value));
  };
  text("producer_name", info.producer_name, info.has_producer_name);
  text("producer_version", info.producer_version, info.has_producer_version);
  text("domain", info.domain, info.has_domain);
  if (info.has_model_version || info.model_version != 0) {
    Line("model_version {}", info.model_version);
  }
  text("doc", info.doc, info.has_doc);
  if (!info.metadata.empty()) Line("{}", MetadataText(info.metadata));
  for (const std::string& bytes : info.training_info) Line("training_info {}", BytesText(bytes));
  for (const std::string& bytes : info.device_configurations) {
    Line("device_configuration {}", BytesText(bytes));
  }
  --indent_;
  Line("}}");
}

void Printer::AddBlobs() {
  if (blobs_.empty()) return;
  out_ += "\n\nblobs {";
  for (size_t i = 0; i < blobs_.size(); ++i) {
    const StatusOr<TensorBytes> bytes = blobs_[i].Read();
    if (!bytes.ok()) {
      if (status_.ok()) status_ = bytes.status();
      return;
    }
    Add("\n  {} base64 \"{}\"", i, Base64(bytes->bytes()));
  }
  out_ += "\n}";
}

void Printer::PrintAll() {
  AddInfo();
  out_ += "\n\n";
  AddGraph(model_.graph());
  for (const auto& function : model_.functions()) {
    out_ += "\n\n";
    AddFunction(*function);
  }
  AddBlobs();
  out_ += '\n';
}

}  // namespace

StatusOr<std::string> PrintModel(const Model& model, const PrintOptions& options) {
  Printer printer(model, options, true);
  printer.PrintAll();
  LATHE_RETURN_IF_ERROR(printer.status());
  return printer.Take();
}

std::string PrintNode(const Node& node) {
  const PrintOptions options = {.weights = WeightText::kElided};
  Printer printer(node.model(), options, false);
  printer.PrintNode(node);
  return printer.Take();
}

}  // namespace lathe::ir
