// Types of the nodes of a model, by onnx's inference functions and those of the Ascend operators.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>
#include <absl/container/inlined_vector.h>
#include <onnx/defs/schema.h>

#include "lathe/ir/schema/infer_shapes.h"

namespace lathe::ir {

// A vector of extents that onnx propagates may not be longer: shapes are short, and a hostile file
// may claim anything.
inline constexpr int64_t kMaxPropagatedElements = 1024;

// Of integers that may be a shape.
inline bool IsShapeElement(ElementType type) {
  return type == ElementType::kInt64 || type == ElementType::kInt32;
}

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

class NodeContext;

// One run of InferShapes: what is known of values (infer_values.cpp), the nodes one by one
// (infer_nodes.cpp), and what goes back into the model (infer_shapes.cpp). What contradicts itself
// is noted, and kept as a status when the options are strict.
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
  bool InferByOperator(const Node& node, const onnx::OpSchema* schema, NodeContext& context);
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

}  // namespace lathe::ir
