#include "lathe/ir/schema/infer_shapes.h"

#include <algorithm>
#include <exception>
#include <memory>
#include <optional>
#include <unordered_map>

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>
#include <absl/container/inlined_vector.h>
#include <onnx/defs/schema.h>
#include <onnx/shape_inference/implementation.h>

#include "lathe/ir/schema/internal/ascend_inference.h"
#include "lathe/ir/schema/internal/attribute_proto.h"
#include "lathe/ir/schema/internal/merge_types.h"
#include "lathe/ir/schema/internal/type_proto.h"

namespace lathe::ir {
namespace {

// A vector of extents that onnx propagates may not be longer: shapes are short, and a hostile file
// may claim anything.
constexpr int64_t kMaxPropagatedElements = 1024;
// Functions that call functions: how deep, and how many nodes in all, before calls stay unknown.
constexpr int kMaxCallDepth = 32;
constexpr size_t kMaxCalledNodes = size_t{1} << 20;

// What is known while one top-level graph is looked at: the main graph, or one call of a function,
// with all bodies inside.
struct Scope {
  const std::vector<OpsetImport>* opsets = nullptr;
  bool is_call = false;
  int depth = 0;
  absl::flat_hash_map<ValueId, const Type*> types;
  // Values of integer vectors as far as they are known. Addresses are handed out.
  std::unordered_map<ValueId, onnx::TensorShapeProto> propagated;
  // Constants that the caller gave to inputs, or that were made of `propagated`.
  std::unordered_map<ValueId, onnx::TensorProto> data;
  // Of a call: its attributes and the inputs it left out.
  absl::flat_hash_map<Name, const AttributeValue*> attributes;
  absl::flat_hash_set<ValueId> absent;

  Scope() = default;
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;
};

// A node as far as its operator's inference looks at it when that asks for no attribute and no
// value: results of equal ones have equal types.
struct PlainNode {
  const onnx::OpSchema* schema = nullptr;
  size_t num_outputs = 0;
  // Null for those that are left out.
  absl::InlinedVector<const Type*, 4> inputs;

  friend bool operator==(const PlainNode&, const PlainNode&) = default;
  template <typename H>
  friend H AbslHashValue(H hash, const PlainNode& node) {
    return H::combine(std::move(hash), node.schema, node.num_outputs, node.inputs);
  }
};

class Inferencer {
 public:
  Inferencer(Rewriter& rewriter, const InferShapesOptions& options);

  StatusOr<InferShapesResult> Run();

  // All nodes of a graph in a scope. Errors: strict contradictions.
  void InferGraph(const Graph& graph, Scope& scope);

  const Type* TypeOf(const Scope& scope, const Value& value) const;
  void SetType(Scope& scope, const Value& value, const Type* type);
  // `inferred` together with what is known; notes a contradiction.
  void Refine(Scope& scope, const Value& value, const Type* inferred, const Node& node);
  // The same message for equal types; null when nothing is known.
  const onnx::TypeProto* Message(const Type* type);
  const onnx::TensorProto* Data(Scope& scope, const Value& value);
  const onnx::TensorShapeProto* Propagated(Scope& scope, const Value& value);
  const onnx::TensorShapeProto* ShapeData(Scope& scope, const Value& value);

  // Null when absent, or a function's attribute that the call does not give.
  const AttributeValue* Resolve(const Scope& scope, const Node& node, std::string_view name) const;

  Model& model() const { return model_; }

 private:
  Tensor Constant(const Value& value) const;
  bool IsKnown(const Node& node, const Scope& scope) const;
  void InferNode(const Node& node, Scope& scope);
  bool InferByOperator(const Node& node, const onnx::OpSchema* schema, class NodeContext& context);
  std::optional<PlainNode> AsPlainNode(const Node& node, const Scope& scope,
                                       const onnx::OpSchema* schema) const;
  bool MayPropagate(const Node& node, const Scope& scope) const;
  void InferCall(const Node& node, const Function& function, Scope& scope);
  void Propagate(const Node& node, Scope& scope, const onnx::OpSchema& schema);
  void Conflict(const Node& node, std::string message);
  int64_t Version(const Scope& scope, std::string_view domain) const;
  const onnx::OpSchema* Schema(const Scope& scope, const Node& node);
  void Commit(const Scope& scope);
  void ListTypes();

  Rewriter& rewriter_;
  Model& model_;
  const InferShapesOptions& options_;
  InferShapesResult result_;
  Status status_ = OkStatus();
  size_t called_nodes_ = 0;
  absl::flat_hash_map<const Type*, std::unique_ptr<onnx::TypeProto>> messages_;
  absl::flat_hash_map<ValueId, std::unique_ptr<onnx::TensorProto>> constants_;
  absl::flat_hash_map<std::tuple<Name, Name, int64_t>, const onnx::OpSchema*> schemas_;
  absl::flat_hash_map<std::tuple<Name, Name, Name>, const Function*> functions_;
  // Types of the results. Large graphs have few kinds of nodes.
  absl::flat_hash_map<PlainNode, std::vector<const Type*>> plain_results_;
};

// onnx's view of a body: gives types to its inputs, infers it, reports the types of its outputs.
class BodyInferencer : public onnx::GraphInferencer {
 public:
  BodyInferencer(Inferencer& inferencer, Scope& scope, const Node& node, const Graph& body)
      : inferencer_(inferencer), scope_(scope), node_(node), body_(body) {}

  std::vector<const onnx::TypeProto*> doInferencing(
      const std::vector<const onnx::TypeProto*>& types,
      const std::vector<const onnx::TensorProto*>& data) override {
    if (types.size() != body_.inputs().size()) {
      fail_type_inference("the body has ", body_.inputs().size(), " inputs and gets ",
                          types.size());
    }
    for (size_t i = 0; i < types.size(); ++i) {
      const Value& input = *body_.inputs()[i];
      if (types[i] != nullptr) {
        inferencer_.Refine(scope_, input, FromTypeProto(inferencer_.model(), *types[i]), node_);
      }
      if (i < data.size() && data[i] != nullptr) scope_.data.emplace(input.id(), *data[i]);
    }
    inferencer_.InferGraph(body_, scope_);
    ran_ = true;
    std::vector<const onnx::TypeProto*> result;
    for (const Use& output : std::as_const(*body_.return_node()).inputs()) {
      const onnx::TypeProto* type =
          inferencer_.Message(inferencer_.TypeOf(scope_, *output.value()));
      unknown_ |= type == nullptr;
      result.push_back(type == nullptr ? &onnx::TypeProto::default_instance() : type);
    }
    return result;
  }

  bool ran() const { return ran_; }
  // Some output's type is unknown; what onnx says about the node then is no contradiction.
  bool unknown() const { return unknown_; }

 private:
  Inferencer& inferencer_;
  Scope& scope_;
  const Node& node_;
  const Graph& body_;
  bool ran_ = false;
  bool unknown_ = false;
};

// Attributes of one node as messages, made when asked for.
class AttributeMessages {
 public:
  AttributeMessages(const Inferencer& inferencer, const Scope& scope, const Node& node)
      : inferencer_(inferencer), scope_(scope), node_(node) {}

  const onnx::AttributeProto* Find(const std::string& name) const {
    if (const auto it = made_.find(name); it != made_.end()) return it->second.get();
    const AttributeValue* value = inferencer_.Resolve(scope_, node_, name);
    if (value == nullptr) return nullptr;
    auto message = std::make_unique<onnx::AttributeProto>(ToAttributeProto(name, *value));
    return made_.emplace(name, std::move(message)).first->second.get();
  }

 private:
  const Inferencer& inferencer_;
  const Scope& scope_;
  const Node& node_;
  mutable absl::flat_hash_map<std::string, std::unique_ptr<onnx::AttributeProto>> made_;
};

// onnx's view of a node.
class NodeContext : public onnx::InferenceContext {
 public:
  NodeContext(Inferencer& inferencer, Scope& scope, const Node& node)
      : inferencer_(inferencer),
        scope_(scope),
        node_(node),
        attributes_(inferencer, scope, node),
        outputs_(node.num_outputs()) {}

  const onnx::AttributeProto* getAttribute(const std::string& name) const override {
    return attributes_.Find(name);
  }
  size_t getNumInputs() const override { return node_.num_inputs(); }
  bool hasInput(size_t index) const override {
    const Value* value = node_.input(index);
    return value != nullptr && !scope_.absent.contains(value->Resolve()->id());
  }
  const onnx::TypeProto* getInputType(size_t index) const override {
    if (!hasInput(index)) return nullptr;
    return inferencer_.Message(inferencer_.TypeOf(scope_, *node_.input(index)));
  }
  const onnx::TensorProto* getInputData(size_t index) const override {
    asked_for_values_ = true;
    return hasInput(index) ? inferencer_.Data(scope_, *node_.input(index)) : nullptr;
  }
  const onnx::SparseTensorProto* getInputSparseData(size_t) const override { return nullptr; }
  const onnx::TensorShapeProto* getSymbolicInput(size_t index) const override {
    asked_for_values_ = true;
    return hasInput(index) ? inferencer_.Propagated(scope_, *node_.input(index)) : nullptr;
  }
  size_t getNumOutputs() const override { return outputs_.size(); }
  onnx::TypeProto* getOutputType(size_t index) override { return &outputs_.at(index); }
  bool hasOutput(size_t index) override {
    return index < outputs_.size() && !node_.output(index)->name().empty();
  }
  onnx::GraphInferencer* getGraphAttributeInferencer(const std::string& name) override {
    const Attribute* attribute = node_.FindAttribute(name);
    const GraphPtr* body = attribute == nullptr ? nullptr : attribute->get_if<GraphPtr>();
    if (body == nullptr) fail_type_inference("attribute '", name, "' is no graph");
    auto& inferencer = bodies_[body->get()];
    if (inferencer == nullptr) {
      inferencer = std::make_unique<BodyInferencer>(inferencer_, scope_, node_, **body);
    }
    return inferencer.get();
  }
  std::string getDisplayName() const override { return node_.display_name(); }

  bool Inferred(const Graph* body) const {
    const auto it = bodies_.find(body);
    return it != bodies_.end() && it->second->ran();
  }
  // Some input or some output of a body is unknown.
  bool sees_unknown() const {
    for (size_t i = 0; i < node_.num_inputs(); ++i) {
      if (!hasInput(i)) continue;
      const Type& type = *inferencer_.TypeOf(scope_, *node_.input(i));
      if (type.kind == Type::Kind::kUnknown ||
          (type.is_tensor() && (!type.shape || type.element == ElementType::kUndefined))) {
        return true;
      }
    }
    return std::ranges::any_of(bodies_, [](const auto& body) { return body.second->unknown(); });
  }
  // The types of the results follow from more than those of the inputs.
  bool asked_for_values() const { return asked_for_values_; }
  const onnx::TypeProto& output(size_t i) const { return outputs_[i]; }
  void ForgetOutputs() {
    for (onnx::TypeProto& output : outputs_) output.Clear();
  }

 private:
  Inferencer& inferencer_;
  Scope& scope_;
  const Node& node_;
  AttributeMessages attributes_;
  std::vector<onnx::TypeProto> outputs_;
  mutable bool asked_for_values_ = false;
  absl::flat_hash_map<const Graph*, std::unique_ptr<BodyInferencer>> bodies_;
};

// onnx's view of a node whose integers are followed.
class PropagationContext : public onnx::DataPropagationContext {
 public:
  PropagationContext(Inferencer& inferencer, Scope& scope, const Node& node)
      : inferencer_(inferencer), scope_(scope), node_(node), attributes_(inferencer, scope, node) {}

  const onnx::AttributeProto* getAttribute(const std::string& name) const override {
    return attributes_.Find(name);
  }
  size_t getNumInputs() const override { return node_.num_inputs(); }
  const onnx::TypeProto* getInputType(size_t index) const override {
    const Value* value = node_.input(index);
    return value == nullptr ? nullptr : inferencer_.Message(inferencer_.TypeOf(scope_, *value));
  }
  size_t getNumOutputs() const override { return node_.num_outputs(); }
  const onnx::TypeProto* getOutputType(size_t index) const override {
    const Value* value = node_.output(index);
    return value == nullptr ? nullptr : inferencer_.Message(inferencer_.TypeOf(scope_, *value));
  }
  const onnx::TensorShapeProto* getInputData(size_t index) override {
    const Value* value = node_.input(index);
    return value == nullptr ? nullptr : inferencer_.ShapeData(scope_, *value);
  }
  void addOutputData(size_t index, onnx::TensorShapeProto&& data) override {
    const Value* value = node_.output(index);
    if (value == nullptr || data.dim_size() > kMaxPropagatedElements) return;
    scope_.propagated[value->id()] = std::move(data);
  }

 private:
  Inferencer& inferencer_;
  Scope& scope_;
  const Node& node_;
  AttributeMessages attributes_;
};

bool IsShapeElement(ElementType type) {
  return type == ElementType::kInt64 || type == ElementType::kInt32;
}

// onnx's message as one line without its brackets.
std::string Tidy(std::string_view message) {
  while (message.starts_with('[')) {
    const size_t end = message.find(']');
    if (end == std::string_view::npos) break;
    message.remove_prefix(end + 1);
    while (message.starts_with(' ')) message.remove_prefix(1);
  }
  return std::string(message.substr(0, message.find('\n')));
}

Inferencer::Inferencer(Rewriter& rewriter, const InferShapesOptions& options)
    : rewriter_(rewriter), model_(rewriter.model()), options_(options) {
  for (const auto& function : model_.functions()) {
    functions_.emplace(std::tuple(function->domain(), function->name(), function->overload()),
                       function.get());
  }
}

// ---- What is known ----

const Type* Inferencer::TypeOf(const Scope& scope, const Value& value) const {
  const Value* resolved = value.Resolve();
  const auto it = scope.types.find(resolved->id());
  return it == scope.types.end() ? resolved->type_ref() : it->second;
}

void Inferencer::SetType(Scope& scope, const Value& value, const Type* type) {
  scope.types[value.Resolve()->id()] = type;
}

void Inferencer::Conflict(const Node& node, std::string message) {
  if (options_.strict && status_.ok()) {
    status_ = WithContext(InvalidInput("{}", message), ErrorContext::kNode, node.display_name());
  }
  result_.conflicts.push_back({node.display_name(), std::move(message)});
}

void Inferencer::Refine(Scope& scope, const Value& value, const Type* inferred, const Node& node) {
  std::string conflict;
  const Type* known = TypeOf(scope, value);
  const Type* merged = MergeTypes(model_, known, inferred, &conflict);
  if (!conflict.empty()) {
    // A function's body may be written for one type and called with another.
    if (scope.is_call) {
      merged = inferred;
    } else {
      Conflict(node, fmt::format("value '{}': {}", value.name_text(), conflict));
    }
  }
  if (merged != known) SetType(scope, value, merged);
}

const onnx::TypeProto* Inferencer::Message(const Type* type) {
  if (type->kind == Type::Kind::kUnknown) return nullptr;
  auto& message = messages_[type];
  if (message == nullptr) message = std::make_unique<onnx::TypeProto>(ToTypeProto(*type));
  return message.get();
}

const onnx::TensorShapeProto* Inferencer::Propagated(Scope& scope, const Value& value) {
  const auto it = scope.propagated.find(value.Resolve()->id());
  return it == scope.propagated.end() ? nullptr : &it->second;
}

// Before IR version 4 every initializer had to be an input as well, so a default says what is
// meant.
Tensor Inferencer::Constant(const Value& value) const {
  const Value* resolved = value.Resolve();
  const bool has_default = resolved->kind() == Value::Kind::kGraphInput && resolved->tensor();
  return has_default && model_.info().ir_version < 4 ? resolved->tensor() : value.ConstantTensor();
}

const onnx::TensorProto* Inferencer::Data(Scope& scope, const Value& value) {
  const Value* resolved = value.Resolve();
  if (const auto it = scope.data.find(resolved->id()); it != scope.data.end()) return &it->second;
  if (const auto it = constants_.find(resolved->id()); it != constants_.end()) {
    return it->second.get();
  }
  if (const Tensor tensor = Constant(value)) {
    auto& message = constants_[resolved->id()];
    if (tensor.num_elements() <= kMaxConstantElements) {
      message = std::make_unique<onnx::TensorProto>(ToTensorProto(tensor));
    }
    return message.get();
  }
  // Integers that are all known are as good as a constant.
  const onnx::TensorShapeProto* propagated = Propagated(scope, value);
  const Type& type = *TypeOf(scope, value);
  if (propagated == nullptr || !type.is_tensor() || !IsShapeElement(type.element) ||
      type.rank() < 0 || type.rank() > 1) {
    return nullptr;
  }
  onnx::TensorProto message;
  message.set_data_type(static_cast<int32_t>(type.element));
  if (type.rank() == 1) message.add_dims(propagated->dim_size());
  if (type.rank() == 0 && propagated->dim_size() != 1) return nullptr;
  for (const auto& dim : propagated->dim()) {
    if (!dim.has_dim_value()) return nullptr;
    if (type.element == ElementType::kInt64) {
      message.add_int64_data(dim.dim_value());
    } else {
      message.add_int32_data(static_cast<int32_t>(dim.dim_value()));
    }
  }
  return &scope.data.emplace(resolved->id(), std::move(message)).first->second;
}

const onnx::TensorShapeProto* Inferencer::ShapeData(Scope& scope, const Value& value) {
  if (const onnx::TensorShapeProto* known = Propagated(scope, value)) return known;
  const ValueId id = value.Resolve()->id();
  if (const Tensor tensor = Constant(value)) {
    if (tensor.rank() > 1 || !IsShapeElement(tensor.element_type()) ||
        tensor.num_elements() > kMaxPropagatedElements) {
      return nullptr;
    }
    const StatusOr<std::vector<int64_t>> extents = tensor.ValuesAsInt64();
    if (!extents.ok()) return nullptr;
    onnx::TensorShapeProto& shape = scope.propagated[id];
    for (const int64_t extent : *extents) shape.add_dim()->set_dim_value(extent);
    return &shape;
  }
  // A vector of known length is that many unknown integers.
  const Type& type = *TypeOf(scope, value);
  if (!type.is_tensor() || !IsShapeElement(type.element) || type.rank() != 1) return nullptr;
  const Dim& length = type.shape->front();
  if (!length.is_known() || length.extent() > kMaxPropagatedElements) return nullptr;
  onnx::TensorShapeProto& shape = scope.propagated[id];
  for (int64_t i = 0; i < length.extent(); ++i) shape.add_dim();
  return &shape;
}

const AttributeValue* Inferencer::Resolve(const Scope& scope, const Node& node,
                                          std::string_view name) const {
  const Attribute* attribute = node.FindAttribute(name);
  if (attribute == nullptr) return nullptr;
  if (attribute->reference.empty()) return &attribute->value;
  const auto it = scope.attributes.find(attribute->reference);
  return it == scope.attributes.end() ? nullptr : it->second;
}

// ---- Nodes ----

int64_t Inferencer::Version(const Scope& scope, std::string_view domain) const {
  for (const OpsetImport& import : *scope.opsets) {
    if (import.domain == domain || (domain.empty() && import.domain == "ai.onnx")) {
      return import.version;
    }
  }
  return 0;
}

const onnx::OpSchema* Inferencer::Schema(const Scope& scope, const Node& node) {
  const std::string_view domain = node.domain_text() == "ai.onnx" ? "" : node.domain_text();
  const int64_t version = Version(scope, domain);
  if (version <= 0) return nullptr;
  const auto [it, inserted] =
      schemas_.try_emplace(std::tuple(node.domain(), node.op(), version), nullptr);
  if (inserted) {
    it->second = onnx::OpSchemaRegistry::Schema(
        std::string(node.op_text()), static_cast<int>(std::min<int64_t>(version, INT32_MAX)),
        std::string(domain));
  }
  return it->second;
}

// Deploy graphs put narrow integers into these operators, which ONNX's own do not take; what comes
// out is the accumulator. Wider integers are ONNX's: MatMul and Gemm of int64 give int64.
bool Accumulates(const Node& node, ElementType operand) {
  if (!IsInteger(operand)) return false;
  for (const ElementType wide :
       {ElementType::kInt32, ElementType::kInt64, ElementType::kUint32, ElementType::kUint64}) {
    if (operand == wide) return false;
  }
  for (const std::string_view op : {"Conv", "ConvTranspose", "Gemm", "MatMul", "AveragePool"}) {
    if (node.Is(op)) return true;
  }
  return false;
}

// onnx's inference of the oldest Squeeze takes its axes for ascending, which they need not be, and
// finds a wrong shape.
bool IsMisread(const Node& node, const onnx::OpSchema& schema) {
  return node.Is("Squeeze") && schema.since_version() == 1 &&
         !std::ranges::is_sorted(node.IntsAttribute("axes"));
}

bool Inferencer::InferByOperator(const Node& node, const onnx::OpSchema* schema,
                                 NodeContext& context) {
  if (InferAscendOperator(node.domain_text(), node.op_text(), context)) return true;
  if (schema == nullptr || IsMisread(node, *schema)) return false;
  if (schema->has_type_and_shape_inference_function()) {
    schema->GetTypeAndShapeInferenceFunction()(context);
  } else if (schema->HasFunction()) {
    onnx::shape_inference::InferShapeForFunctionNode(*schema->GetFunction(),
                                                     onnx::OpSchemaRegistry::Instance(), context);
  }
  return true;
}

// All there is to know about the results is known. Not of integers that may be a shape: their
// values are of interest.
bool Inferencer::IsKnown(const Node& node, const Scope& scope) const {
  if (node.has_bodies()) return false;
  return std::ranges::all_of(node.outputs(), [&](const Value* output) {
    const Type& type = *TypeOf(scope, *output);
    return type.is_tensor() && type.element != ElementType::kUndefined && type.has_rank() &&
           std::ranges::all_of(*type.shape, &Dim::is_known) &&
           (type.rank() > 1 || !IsShapeElement(type.element));
  });
}

std::optional<PlainNode> Inferencer::AsPlainNode(const Node& node, const Scope& scope,
                                                 const onnx::OpSchema* schema) const {
  if (schema == nullptr || !node.attributes().empty()) return std::nullopt;
  PlainNode plain{schema, node.num_outputs(), {}};
  for (const Use& input : node.inputs()) {
    const bool given =
        input.value() != nullptr && !scope.absent.contains(input.value()->Resolve()->id());
    plain.inputs.push_back(given ? TypeOf(scope, *input.value()) : nullptr);
  }
  // A result without a name is one that is omitted.
  const bool omits = std::ranges::any_of(
      node.outputs(), [](const Value* output) { return output->name().empty(); });
  return omits ? std::nullopt : std::optional(std::move(plain));
}

// Some operand may be a shape whose extents are of interest.
bool Inferencer::MayPropagate(const Node& node, const Scope& scope) const {
  return node.num_inputs() == 0 || std::ranges::any_of(node.inputs(), [&](const Use& input) {
           if (input.value() == nullptr) return false;
           const Type& type = *TypeOf(scope, *input.value());
           return !type.is_tensor() || type.element == ElementType::kUndefined ||
                  IsShapeElement(type.element) ||
                  scope.propagated.contains(input.value()->Resolve()->id());
         });
}

void Inferencer::InferNode(const Node& node, Scope& scope) {
  if (options_.skip_known && !scope.is_call && IsKnown(node, scope)) return;
  if (!functions_.empty()) {
    const auto function = functions_.find(std::tuple(node.domain(), node.op(), node.overload()));
    if (function != functions_.end()) {
      InferCall(node, *function->second, scope);
      return;
    }
  }
  const onnx::OpSchema* schema = Schema(scope, node);
  const std::optional<PlainNode> plain = AsPlainNode(node, scope, schema);
  const auto known = plain ? plain_results_.find(*plain) : plain_results_.end();
  if (known != plain_results_.end()) {
    for (size_t i = 0; i < node.num_outputs(); ++i) {
      Refine(scope, *node.output(i), known->second[i], node);
    }
    if (MayPropagate(node, scope)) Propagate(node, scope, *schema);
    return;
  }
  NodeContext context(*this, scope, node);
  bool failed = false;
  try {
    InferByOperator(node, schema, context);
  } catch (const std::exception& error) {
    failed = true;
    context.ForgetOutputs();
    if (!context.sees_unknown()) Conflict(node, Tidy(error.what()));
  }
  for (const Graph* body : node.bodies()) {
    if (!context.Inferred(body)) InferGraph(*body, scope);
  }
  const Value* first = node.input(0);
  const bool accumulates = first != nullptr && Accumulates(node, TypeOf(scope, *first)->element);
  std::vector<const Type*> types;
  for (size_t i = 0; i < node.num_outputs(); ++i) {
    const Type* type = FromTypeProto(model_, context.output(i));
    if (accumulates && type->is_tensor()) {
      Type accumulator = *type;
      accumulator.element = ElementType::kInt32;
      type = model_.Intern(std::move(accumulator));
    }
    types.push_back(type);
    Refine(scope, *node.output(i), type, node);
  }
  if (plain && !failed && !context.asked_for_values()) {
    plain_results_.emplace(*plain, std::move(types));
  }
  if (schema != nullptr) Propagate(node, scope, *schema);
}

void Inferencer::Propagate(const Node& node, Scope& scope, const onnx::OpSchema& schema) {
  if (!schema.has_data_propagation_function()) return;
  PropagationContext context(*this, scope, node);
  try {
    schema.GetDataPropagationFunction()(context);
  } catch (const std::exception&) {
    // The values stay unknown.
    for (const Value* output : node.outputs()) scope.propagated.erase(output->id());
  }
}

void Inferencer::InferCall(const Node& node, const Function& function, Scope& scope) {
  const Graph& body = function.body();
  called_nodes_ += body.num_nodes();
  if (scope.depth >= kMaxCallDepth || called_nodes_ > kMaxCalledNodes) return;
  Scope call;
  call.is_call = true;
  call.depth = scope.depth + 1;
  call.opsets = &function.opset_imports();
  for (size_t i = 0; i < body.inputs().size(); ++i) {
    const Value& formal = *body.inputs()[i];
    const Value* actual = node.input(i);
    if (actual == nullptr || scope.absent.contains(actual->Resolve()->id())) {
      call.absent.insert(formal.id());
      continue;
    }
    SetType(call, formal, TypeOf(scope, *actual));
    if (const onnx::TensorProto* data = Data(scope, *actual)) call.data.emplace(formal.id(), *data);
    if (const auto* known = Propagated(scope, *actual))
      call.propagated.emplace(formal.id(), *known);
  }
  for (const Attribute& attribute : node.attributes()) {
    const AttributeValue* value = Resolve(scope, node, model_.Text(attribute.name));
    if (value != nullptr) call.attributes.emplace(attribute.name, value);
  }
  for (const Attribute& attribute : function.attribute_defaults()) {
    call.attributes.emplace(attribute.name, &attribute.value);
  }
  InferGraph(body, call);
  const std::span<const Use> results = std::as_const(*body.return_node()).inputs();
  for (size_t i = 0; i < std::min(results.size(), node.num_outputs()); ++i) {
    Refine(scope, *node.output(i), TypeOf(call, *results[i].value()), node);
    if (const auto* known = Propagated(call, *results[i].value())) {
      scope.propagated[node.output(i)->id()] = *known;
    }
  }
}

void Inferencer::InferGraph(const Graph& graph, Scope& scope) {
  for (const Node& node : graph.nodes()) {
    if (!status_.ok()) return;
    InferNode(node, scope);
  }
}

// ---- The model ----

// The file says what the main graph gives.
bool IsDeclaredOutput(const Value& value) {
  return value.is_graph_output() && value.graph()->owner() == nullptr &&
         value.graph()->function() == nullptr && value.type().kind != Type::Kind::kUnknown;
}

void Inferencer::Commit(const Scope& scope) {
  absl::flat_hash_set<const Value*> listed;
  for (const Graph* graph : model_.AllGraphs()) {
    for (const ValueInfo& info : graph->value_info()) listed.insert(info.value);
  }
  for (ValueId id = 0; id < model_.value_id_end(); ++id) {
    Value* value = model_.FindValue(id);
    // An output without a name is one that is omitted.
    if (value == nullptr || value->name().empty()) continue;
    const auto it = scope.types.find(id);
    if (it == scope.types.end() || it->second == value->type_ref()) continue;
    if (!options_.list_types && IsDeclaredOutput(*value)) continue;
    rewriter_.SetType(*value, it->second);
    ++result_.changed;
    if (value->kind() == Value::Kind::kGraphInput || value->is_graph_output() ||
        listed.contains(value)) {
      ++result_.shown;
    }
  }
}

void Inferencer::ListTypes() {
  for (Graph* graph : model_.AllGraphs()) {
    absl::flat_hash_set<const Value*> listed;
    for (const ValueInfo& info : graph->value_info()) listed.insert(info.value);
    for (const Use& output : graph->outputs()) listed.insert(output.value());
    for (const Node& node : graph->nodes()) {
      for (Value* output : node.outputs()) {
        if (output->name().empty() || output->type().kind == Type::Kind::kUnknown ||
            listed.contains(output) || graph->function() != nullptr) {
          continue;
        }
        ValueInfo info;
        info.value = output;
        info.type = output->type_ref();
        rewriter_.AddValueInfo(*graph, std::move(info));
      }
    }
  }
}

StatusOr<InferShapesResult> Inferencer::Run() {
  Scope scope;
  scope.opsets = &model_.info().opset_imports;
  InferGraph(model_.graph(), scope);
  LATHE_RETURN_IF_ERROR(status_);
  Commit(scope);
  if (options_.list_types) ListTypes();
  for (const Graph* graph : model_.AllGraphs()) {
    if (graph->function() != nullptr) continue;
    for (const Node& node : graph->nodes()) {
      for (const Value* output : node.outputs()) {
        const Type& type = output->type();
        result_.unknown += type.kind == Type::Kind::kUnknown || (type.is_tensor() && !type.shape);
      }
    }
  }
  return std::move(result_);
}

}  // namespace

StatusOr<InferShapesResult> InferShapes(Rewriter& rewriter, const InferShapesOptions& options) {
  return Inferencer(rewriter, options).Run();
}

}  // namespace lathe::ir
