// The one way to change a model. Rewriter keeps uses, order, names and origins right and tells
// listeners.
//
// A method costs what is written beside it, O(1) where nothing is; a listener's own time comes on
// top. None reads or copies tensor data. Arguments must belong to the
// rewriter's model; a value may be used by a node only if it is defined in the node's graph (use
// Capture to bring a value of an enclosing graph into a body). The verifier checks both.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "lathe/ir/model.h"

namespace lathe::ir {

// Is told of edits as they happen. The default does nothing.
class RewriteListener {
 public:
  virtual ~RewriteListener() = default;
  virtual void OnNodeCreated(Node& /*node*/) {}
  // Just before the node goes; its operands are still there.
  virtual void OnNodeErased(Node& /*node*/) {}
  // After an operand was given another value; `old_value` may be null.
  virtual void OnOperandChanged(Use& /*use*/, Value* /*old_value*/) {}
  // Operator, name, attributes, bodies, outputs, captures, number of inputs or place changed.
  virtual void OnNodeChanged(Node& /*node*/) {}
  // Name, type or data changed.
  virtual void OnValueChanged(Value& /*value*/) {}
};

// Attribute values without bodies: what CreateNode takes.
using PlainAttribute = std::variant<float, int64_t, std::string, Tensor, std::vector<float>,
                                    std::vector<int64_t>, std::vector<std::string>>;

// What CreateNode makes. Names are wishes: a taken one gets a number appended.
struct NodeSpec {
  std::string op;
  std::string domain;
  std::string name;
  std::vector<Value*> inputs;
  std::vector<std::pair<std::string, PlainAttribute>> attributes;
  // One a result. An empty name stands for "<node name>.output<i>".
  std::vector<std::string> outputs = {""};
};

class Rewriter {
 public:
  explicit Rewriter(Model& model) : model_(model) {}
  Rewriter(Model& model, RewriteListener* listener) : model_(model) { AddListener(listener); }

  Model& model() const { return model_; }
  void AddListener(RewriteListener* listener) { listeners_.push_back(listener); }
  void RemoveListener(RewriteListener* listener) { std::erase(listeners_, listener); }

  // ---- Making nodes ----

  // Creates a node in front of `before` (null: at the end) of `graph`, with unique names and the
  // current origin. O(inputs + outputs + attributes).
  Node& CreateNode(Graph& graph, Node* before, NodeSpec spec);

  // While one exists, created nodes get the merged origin of `nodes`.
  class OriginScope {
   public:
    OriginScope(Rewriter& rewriter, std::span<Node* const> nodes);
    OriginScope(Rewriter& rewriter, Node& node);
    ~OriginScope() { rewriter_.origin_ = saved_; }
    OriginScope(const OriginScope&) = delete;
    OriginScope& operator=(const OriginScope&) = delete;

   private:
    Rewriter& rewriter_;
    Origin saved_;
  };

  // ---- Changing uses ----

  // O(1). Annotations stay with the slot.
  void ReplaceUse(Use& use, Value* value);
  // Every use of `from` becomes one of `to`, names untouched. O(uses).
  void ReplaceAllUses(Value& from, Value& to);
  // The same, and where `from` is an output of a main graph or function the output keeps its name,
  // declared type and notes (unless `from` is an input, which keeps them itself): `to` takes them,
  // or, when `to` cannot (it is an input, a constant, or an output itself), an Identity node
  // carries them. O(uses).
  void ReplaceValue(Value& from, Value& to);
  // ReplaceValue for each output, then erases the node. `with` has one value an output; null for an
  // output without uses. A node that takes its place with the same origin, and has no notes of its
  // own, gets its documentation and metadata. O(uses), and what Erase costs.
  void ReplaceNode(Node& node, std::span<Value* const> with);
  void ReplaceNode(Node& node, Value& with);

  // Operands. SetInput: O(1). AddInput: amortised O(1), O(captures) when the node has bodies.
  void SetInput(Node& node, size_t i, Value* value);
  void AddInput(Node& node, Value* value);
  // Drops the inputs from `count` on. O(dropped + captures).
  void TruncateInputs(Node& node, size_t count);
  void SetAnnotation(Use& use, Name annotation) { use.annotation_ = annotation; }

  // ---- Removing ----

  // Drops the outputs from `count` on, which must have no uses. O(dropped).
  void TruncateOutputs(Node& node, size_t count);
  // The node's outputs must have no uses. O(operands + outputs + nodes of its bodies).
  void Erase(Node& node);
  // Must have no uses; of a graph input, removes the default. O(1); the next look at the graph's
  // list costs O(initializers).
  void EraseInitializer(Value& value);
  // Removes captures that the bodies of `node` no longer use. O(captures).
  void EraseUnusedCaptures(Node& node);

  // ---- Moving and changing nodes ----

  // In front of `before` (null: the end) of the same graph. O(1), amortised O(log nodes) where many
  // go to one place (so do new nodes).
  void Move(Node& node, Node* before);
  // O(length of the texts).
  void SetOperator(Node& node, std::string_view op, std::string_view domain);
  // O(attributes). Replaces or appends. `value` may not hold bodies (see AddBody); bodies that it
  // replaces are erased with their captures.
  void SetAttribute(Node& node, std::string_view name, AttributeValue value);
  // O(attributes), and the size of bodies that go.
  void RemoveAttribute(Node& node, std::string_view name);
  void Rename(Node& node, Name name);
  void SetOrigin(Node& node, Origin origin) { node.origin_ = origin; }
  void SetNotes(Node& node, NodeNotes notes);

  // ---- Values ----

  // Names and types of captures are those of the value captured: given a capture, these two change
  // that value.
  void Rename(Value& value, Name name);
  void SetType(Value& value, const Type* type);
  void SetNotes(Value& value, ValueNotes notes);
  // Replaces an initializer's data and its type with it. O(rank).
  void SetTensor(Value& value, Tensor tensor);
  // Makes a graph input that has a default an initializer, which callers cannot override.
  // O(inputs).
  void FreezeInput(Value& graph_input);

  // ---- Graphs ----

  // A new constant with a unique name, of the tensor's type. O(rank); the name as in
  // Model::UniqueValueName.
  Value& CreateInitializer(Graph& graph, std::string_view wanted_name, Tensor tensor);
  // The value that stands for `outer` inside `body` (through all graphs between), made if need be.
  // Returns `outer` when it is defined in `body` itself. O(captures · nesting).
  Value& Capture(Graph& body, Value& outer);

  // ---- Building blocks of readers: exact names, no checks of uniqueness ----

  Node& InsertNode(Graph& graph, Node* before, Name op, Name domain, Name name);
  // As AddInput for a node without inputs, in one step. O(inputs).
  void SetInputs(Node& node, std::span<Value* const> values);
  Value& AddOutput(Node& node, Name name, const Type* type);
  void AddAttribute(Node& node, Attribute attribute);
  // O(attributes).
  void SetAttributeDoc(Node& node, Name attribute, Name doc);
  void SetOverload(Node& node, Name overload) { node.overload_ = overload; }
  // A body as (next) value of the attribute `name`, which is appended unless it is the last one;
  // `several` makes it an attribute of kind graphs.
  Graph& AddBody(Node& node, Name name, bool several);
  // `outer_of_owner` is defined in the graph of the body's owner.
  Value& AddCapture(Graph& body, Value& outer_of_owner);
  Value& AddGraphInput(Graph& graph, Name name, const Type* type);
  void AddGraphOutput(Graph& graph, Value* value);
  Value& AddInitializer(Graph& graph, Name name, Tensor tensor);
  Value& AddSparseInitializer(Graph& graph, Name name, SparseTensor tensor);
  // Makes `tensor` the default of a graph input, last in the list of initializers if it had none.
  // O(1), O(initializers) after an erasure.
  void SetDefault(Value& graph_input, Tensor tensor);
  void SetDefault(Value& graph_input, SparseTensor tensor);
  void AddValueInfo(Graph& graph, ValueInfo info);
  void SetGraphText(Graph& graph, std::string name, std::string doc,
                    std::vector<std::pair<std::string, std::string>> metadata,
                    uint8_t spelling = 0);
  void AddQuantizationAnnotation(Graph& graph, std::string message);
  ModelInfo& MutableInfo() { return model_.info_; }
  Function& AddFunction(Name domain, Name name, Name overload);
  void SetFunctionInterface(Function& function, std::vector<Name> attributes,
                            std::vector<Attribute> defaults,
                            std::vector<OpsetImport> opset_imports);
  // O(functions + size of the body).
  void EraseFunction(const Function& function);

 private:
  void GrowOperands(Node& node, uint32_t capacity);
  void InsertOperand(Node& node, uint32_t position, Value* value);
  void Unlink(Node& node);
  void Link(Node& node, Graph& graph, Node* before);
  void SpreadOrder(Node& node);
  Node& LinkNewNode(Graph& graph, Node* before, Name op, Name domain, Name name);
  Value& LinkNewOutput(Node& node, Name name, const Type* type);
  void LinkInputs(Node& node, std::span<Value* const> values);
  void NotifyChanged(Node& node);
  template <typename Predicate>
  void EraseCapturesIf(Node& node, Predicate goes);
  void EraseBodies(Node& node, Attribute& attribute);
  void EraseBody(Graph& body);
  void DropNode(Node& node);
  void DropValue(Value& value);
  Value& NewValue(Value::Kind kind, Name name, const Type* type);
  bool TakesOutputName(const Value& to) const;
  void HandOnOutput(const Value& from, Value& to);
  void HandOnNotes(const Node& from, Node* to);

  Model& model_;
  std::vector<RewriteListener*> listeners_;
  Origin origin_;
};

}  // namespace lathe::ir
