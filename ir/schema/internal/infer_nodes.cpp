// Types of the results of nodes.
#include <algorithm>
#include <exception>

#include <onnx/shape_inference/implementation.h>

#include "lathe/ir/schema/internal/ascend_inference.h"
#include "lathe/ir/schema/internal/inference_contexts.h"

namespace lathe::ir {
namespace {

// Functions that call functions: how deep, and how many nodes in all, before calls stay unknown.
constexpr int kMaxCallDepth = 32;
constexpr size_t kMaxCalledNodes = size_t{1} << 20;

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

}  // namespace

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

// The result, or some operand, may be a shape whose extents are of interest.
bool Inferencer::MayPropagate(const Node& node, const Scope& scope) const {
  if (node.Is("Shape") || node.Is("Size")) return true;
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

}  // namespace lathe::ir
