// A graph: the main graph of a model, the body of a function, or a body of If, Loop or Scan.
//
// Looking costs O(1) where nothing else is written beside a method.
#pragma once

#include <cstdint>
#include <iterator>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "lathe/ir/node.h"

namespace lathe::ir {

class Function;

// A value_info entry of the file. Most belong to a value, whose present name, type and notes export
// writes. One that names no value of the graph (left behind by another tool), or says something
// else than the value's definition, is kept as it is. The entry of a value that was erased since
// stays in the list and stands for nothing.
struct ValueInfo {
  Value* value = nullptr;
  // Only when value is null; notes may be null.
  Name name;
  const Type* type = nullptr;
  std::shared_ptr<const ValueNotes> notes = nullptr;
};

class Graph {
 public:
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;
  ~Graph();

  Model& model() const { return *model_; }
  // The node whose body this is; null for the main graph and for functions.
  Node* owner() const { return owner_; }
  Function* function() const { return function_; }
  // The graph around the owner; null at the top.
  Graph* parent() const { return owner_ == nullptr ? nullptr : owner_->graph(); }
  const std::string& name() const { return name_; }
  const std::string& doc() const { return doc_; }
  const std::vector<std::pair<std::string, std::string>>& metadata() const { return metadata_; }
  // Of the graph, or of the function whose body it is.
  uint8_t spelling() const { return spelling_; }

  std::span<Value* const> inputs() const { return inputs_; }
  // Outputs are the inputs of the return node, so a graph output is a use like any other.
  Node* return_node() const { return return_node_; }
  std::span<Use> outputs() const { return return_node_->inputs(); }
  // Initializers in order, graph inputs with a default among them. O(1), O(initializers) after an
  // erasure.
  std::span<Value* const> initializers() const;
  // The values that stand for values of enclosing graphs.
  std::span<Value* const> captures() const { return captures_; }

  // Nodes in execution order: every operand is defined before its user.
  class NodeIterator {
   public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = Node;
    using difference_type = std::ptrdiff_t;
    using pointer = Node*;
    using reference = Node&;
    NodeIterator() = default;
    explicit NodeIterator(Node* node) : node_(node) {}
    Node& operator*() const { return *node_; }
    Node* operator->() const { return node_; }
    NodeIterator& operator++() {
      node_ = node_->next();
      return *this;
    }
    NodeIterator operator++(int) {
      const NodeIterator old = *this;
      ++*this;
      return old;
    }
    friend bool operator==(NodeIterator, NodeIterator) = default;

   private:
    Node* node_ = nullptr;
  };
  struct NodeRange {
    Node* first;
    NodeIterator begin() const { return NodeIterator(first); }
    NodeIterator end() const { return NodeIterator(); }
  };
  NodeRange nodes() const { return {first_node_}; }
  Node* first_node() const { return first_node_; }
  Node* last_node() const { return last_node_; }
  size_t num_nodes() const { return num_nodes_; }
  // Of these, the nodes that have bodies.
  size_t num_nodes_with_bodies() const { return num_nodes_with_bodies_; }

  const std::vector<ValueInfo>& value_info() const { return value_info_; }
  // Serialised TensorAnnotation messages (quantization_annotation), kept as they are.
  const std::vector<std::string>& quantization_annotations() const {
    return quantization_annotations_;
  }

 private:
  friend class Model;
  friend class Node;
  friend class Rewriter;
  friend class Verifier;
  friend struct GraphDeleter;
  explicit Graph(Model* model) : model_(model) {}

  Model* model_;
  Node* owner_ = nullptr;
  Function* function_ = nullptr;
  std::string name_;
  std::string doc_;
  std::vector<std::pair<std::string, std::string>> metadata_;
  uint8_t spelling_ = 0;
  std::vector<Value*> inputs_;
  mutable std::vector<Value*> initializers_;
  mutable bool initializers_erased_ = false;
  std::vector<Value*> captures_;
  Node* return_node_ = nullptr;
  Node* first_node_ = nullptr;
  Node* last_node_ = nullptr;
  size_t num_nodes_ = 0;
  size_t num_nodes_with_bodies_ = 0;
  std::vector<ValueInfo> value_info_;
  std::vector<std::string> quantization_annotations_;
};

}  // namespace lathe::ir
