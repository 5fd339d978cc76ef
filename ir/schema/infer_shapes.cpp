#include "lathe/ir/schema/infer_shapes.h"

#include "lathe/ir/schema/internal/inferencer.h"

namespace lathe::ir {
namespace {

// The file says what the main graph gives.
bool IsDeclaredOutput(const Value& value) {
  return value.is_graph_output() && value.graph()->owner() == nullptr &&
         value.graph()->function() == nullptr && value.type().kind != Type::Kind::kUnknown;
}

}  // namespace

Inferencer::Inferencer(Rewriter& rewriter, const InferShapesOptions& options)
    : rewriter_(rewriter), model_(rewriter.model()), options_(options) {
  for (const auto& function : model_.functions()) {
    functions_.emplace(std::tuple(function->domain(), function->name(), function->overload()),
                       function.get());
  }
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

StatusOr<InferShapesResult> InferShapes(Rewriter& rewriter, const InferShapesOptions& options) {
  return Inferencer(rewriter, options).Run();
}

}  // namespace lathe::ir
