// Values and their uses. A value is defined once (by a node, as a graph input, as an initializer,
// or as the capture of an outer value by a body) and knows every use of it.
//
// Looking costs O(1) where nothing else is written beside a method.
#pragma once

#include <cstdint>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lathe/ir/names.h"
#include "lathe/ir/spelling.h"
#include "lathe/ir/tensor.h"
#include "lathe/ir/type.h"

namespace lathe::ir {

class Graph;
class Model;
class Node;
class Value;

using NodeId = uint32_t;
using ValueId = uint32_t;

// One operand slot of a node: input or capture. Its uses form a list at the value, in the order in
// which they were added.
class Use {
 public:
  // Null for an omitted optional input.
  Value* value() const { return value_; }
  // The node whose operand this is; a graph's outputs are the inputs of its return node.
  Node* user() const { return user_; }
  // Position among the user's operands: inputs first, then captures.
  uint32_t index() const { return index_; }
  Use* next_use() const { return next_; }
  // A note on this slot that a pass left for a later one (a quantisation point, for instance). It
  // belongs to the slot: it stays when another value is put into it and goes when its user goes.
  Name annotation() const { return annotation_; }

 private:
  friend class Graph;
  friend class Node;
  friend class Rewriter;
  friend class UseList;
  friend class Verifier;
  Value* value_ = nullptr;
  Node* user_ = nullptr;
  Use* previous_ = nullptr;
  Use* next_ = nullptr;
  uint32_t index_ = 0;
  Name annotation_;
};

// Documentation and metadata of a value_info entry; most values have none.
struct ValueNotes {
  std::string doc;
  std::vector<std::pair<std::string, std::string>> metadata;
  uint8_t spelling = 0;
  friend bool operator==(const ValueNotes&, const ValueNotes&) = default;
};

class Value {
 public:
  enum class Kind : uint8_t {
    kNodeOutput,
    kGraphInput,   // may have a tensor: its default
    kInitializer,  // a constant of the graph
    kCapture,      // stands inside a body for a value of an enclosing graph
  };

  ValueId id() const { return id_; }
  Kind kind() const { return kind_; }
  // Gone from its graph; only lists that outlive values (Graph::value_info) still point to it.
  bool erased() const { return erased_; }
  // Empty: an omitted optional output. A capture has the name and the type of the value that it
  // stands for. O(1); O(nesting) for a capture.
  Name name() const { return kind_ == Kind::kCapture ? Resolve()->name_ : name_; }
  std::string_view name_text() const;
  const Type& type() const { return *type_ref(); }
  const Type* type_ref() const { return kind_ == Kind::kCapture ? Resolve()->type_ : type_; }

  // O(1).
  uint32_t use_count() const { return use_count_; }
  bool has_uses() const { return use_count_ != 0; }
  bool has_one_use() const { return use_count_ == 1; }
  Use* first_use() const { return first_use_; }

  // The uses, oldest first. The list may not be edited while it is walked; take next_use() first or
  // copy.
  class UseIterator {
   public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = Use;
    using difference_type = std::ptrdiff_t;
    using pointer = Use*;
    using reference = Use&;
    UseIterator() = default;
    explicit UseIterator(Use* use) : use_(use) {}
    Use& operator*() const { return *use_; }
    Use* operator->() const { return use_; }
    UseIterator& operator++() {
      use_ = use_->next_use();
      return *this;
    }
    UseIterator operator++(int) {
      const UseIterator old = *this;
      ++*this;
      return old;
    }
    friend bool operator==(UseIterator, UseIterator) = default;

   private:
    Use* use_ = nullptr;
  };
  struct UseRange {
    Use* first;
    UseIterator begin() const { return UseIterator(first); }
    UseIterator end() const { return UseIterator(); }
  };
  UseRange uses() const { return {first_use_}; }

  // The node that computes it; null unless kNodeOutput.
  Node* producer() const { return kind_ == Kind::kNodeOutput ? producer_ : nullptr; }
  // Which output of the producer, which input of the graph, which capture of the body.
  uint32_t index() const { return index_; }
  // The graph in which the value is defined.
  Graph* graph() const;

  // Some use is a graph's output. O(1).
  bool is_graph_output() const { return output_count_ != 0; }

  // The initializer's or default's data; empty for other values.
  const Tensor& tensor() const { return tensor_; }
  const SparseTensor* sparse_tensor() const { return sparse_.get(); }

  // For a capture: the operand of the node that owns the body. O(1).
  Use* captured() const;
  // The value itself, or for a capture the value outside that it stands for. O(nesting).
  const Value* Resolve() const;
  Value* Resolve() { return const_cast<Value*>(std::as_const(*this).Resolve()); }

  // The constant that the value always has, looked for through captures, Constant nodes (attribute
  // `value`, value_float, value_int, value_floats, value_ints) and Identity nodes. Empty when it is
  // not constant. A graph input's default is not constant: a caller may override it. O(length of
  // the Identity chain).
  Tensor ConstantTensor() const;

  const ValueNotes* notes() const { return notes_.get(); }

 private:
  friend class Graph;
  friend class Model;
  friend class Node;
  friend class Rewriter;
  friend class UseList;
  friend class Verifier;

  ValueId id_ = 0;
  Name name_;
  const Type* type_ = nullptr;
  Use* first_use_ = nullptr;
  Use* last_use_ = nullptr;
  union {
    Node* producer_ = nullptr;  // kNodeOutput
    Graph* graph_;              // the others
  };
  uint32_t use_count_ = 0;
  // Uses by return nodes.
  uint32_t output_count_ = 0;
  uint32_t index_ = 0;
  Kind kind_ = Kind::kNodeOutput;
  bool erased_ = false;
  Tensor tensor_;
  std::unique_ptr<SparseTensor> sparse_;
  std::unique_ptr<ValueNotes> notes_;
};

}  // namespace lathe::ir
