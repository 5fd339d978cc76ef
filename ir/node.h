// A node: an operator applied to values.
//
// Looking costs O(1) where nothing else is written beside a method.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <absl/container/inlined_vector.h>

#include "lathe/ir/attribute.h"
#include "lathe/ir/value.h"

namespace lathe::ir {

// Documentation, metadata and other parts of a NodeProto that no pass interprets; most nodes have
// none.
struct NodeNotes {
  std::string doc;
  std::vector<std::pair<std::string, std::string>> metadata;
  // Serialised NodeDeviceConfigurationProto messages.
  std::vector<std::string> device_configurations;
  uint8_t spelling = 0;
};

// A set of names of original nodes, as one number (see Model::OriginNames).
struct Origin {
  uint32_t id = 0;
  friend bool operator==(Origin, Origin) = default;
};

class Node {
 public:
  NodeId id() const { return id_; }
  Name op() const { return op_; }
  Name domain() const { return domain_; }
  Name overload() const { return overload_; }
  // May be empty: ONNX does not ask for names.
  Name name() const { return name_; }
  std::string_view op_text() const;
  std::string_view domain_text() const;
  std::string_view name_text() const;
  // The name, or where there is none the first original name, or "node_<id>"; for messages.
  std::string display_name() const;
  // An operator of ONNX's own domain ("" or "ai.onnx") with this type.
  bool Is(std::string_view op) const;

  Graph* graph() const { return graph_; }
  Model& model() const;
  Node* next() const { return next_; }
  Node* previous() const { return previous_; }
  // Comes before `other` in the node list of their graph; the return node comes last. O(1).
  bool IsBefore(const Node& other) const;
  // The pseudo node whose inputs are the graph's outputs; not in the node list.
  bool is_return() const { return is_return_; }

  // Operands: the inputs as ONNX lists them, then the captures of the bodies.
  std::span<Use> operands() { return {operands_.get(), num_inputs_ + num_captures_}; }
  std::span<const Use> operands() const { return {operands_.get(), num_inputs_ + num_captures_}; }
  std::span<Use> inputs() { return {operands_.get(), num_inputs_}; }
  std::span<const Use> inputs() const { return {operands_.get(), num_inputs_}; }
  std::span<Use> captures() { return {operands_.get() + num_inputs_, num_captures_}; }
  std::span<const Use> captures() const { return {operands_.get() + num_inputs_, num_captures_}; }
  size_t num_inputs() const { return num_inputs_; }
  // The input's value; null when it is omitted or beyond the last.
  Value* input(size_t i) const { return i < num_inputs_ ? operands_[i].value() : nullptr; }
  // The value inside a body that capture i stands for.
  Value* capture_value(size_t i) const { return capture_values_[i]; }

  std::span<Value* const> outputs() const { return {outputs_.data(), outputs_.size()}; }
  size_t num_outputs() const { return outputs_.size(); }
  Value* output(size_t i = 0) const { return i < outputs_.size() ? outputs_[i] : nullptr; }

  const std::vector<Attribute>& attributes() const { return attributes_; }
  // O(attributes), and so are the methods that follow. Null when there is none.
  const Attribute* FindAttribute(std::string_view name) const;
  // The attribute's value, or the default when it is absent or of another kind.
  int64_t IntAttribute(std::string_view name, int64_t absent) const;
  float FloatAttribute(std::string_view name, float absent) const;
  std::string StringAttribute(std::string_view name, std::string_view absent) const;
  // Empty when absent.
  std::vector<int64_t> IntsAttribute(std::string_view name) const;
  // Null when absent.
  const Tensor* TensorAttribute(std::string_view name) const;
  // The body graphs, in attribute order.
  std::vector<Graph*> bodies() const;
  bool has_bodies() const { return has_bodies_; }

  Origin origin() const { return origin_; }
  const NodeNotes* notes() const { return notes_.get(); }

 private:
  friend class Graph;
  friend class Model;
  friend class Rewriter;
  friend class Verifier;

  NodeId id_ = 0;
  Name op_;
  Name domain_;
  Name name_;
  Name overload_;
  Origin origin_;
  Graph* graph_ = nullptr;
  Node* previous_ = nullptr;
  Node* next_ = nullptr;
  std::unique_ptr<Use[]> operands_;
  // Grows along the node list; see Rewriter::Link.
  uint64_t order_ = 0;
  uint32_t num_inputs_ = 0;
  uint32_t num_captures_ = 0;
  uint32_t operand_capacity_ = 0;
  absl::InlinedVector<Value*, 1> outputs_;
  std::vector<Attribute> attributes_;
  std::vector<Value*> capture_values_;
  std::unique_ptr<NodeNotes> notes_;
  bool is_return_ = false;
  bool has_bodies_ = false;
  bool erased_ = false;
};

}  // namespace lathe::ir
