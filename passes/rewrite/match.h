// What a pattern found in a graph, and why it found nothing.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lathe/ir/model.h"

namespace lathe::passes {

// Names of the parts of a pattern. They are how a callback asks for what was matched, and they
// appear in messages. Handles with one name are one handle: a value bound twice must be the same
// value.
struct NodeHandle {
  std::string_view name;
};
struct ValueHandle {
  std::string_view name;
};
// The operands that a Rest stands for.
struct ValuesHandle {
  std::string_view name;
};
// An extent in a shape.
struct DimHandle {
  std::string_view name;
};

// The nodes and values that the handles of a pattern stand for. O(handles) a question.
class Match {
 public:
  // The node; the handle must be part of the pattern, and of no alternative that was not taken.
  ir::Node& operator[](NodeHandle handle) const { return *Find(handle); }
  // The value; the handle must be part of the pattern and not of an optional operand or an
  // alternative that was not taken.
  ir::Value& operator[](ValueHandle handle) const { return *Find(handle); }
  // Null when an optional part is not there.
  ir::Node* Find(NodeHandle handle) const;
  ir::Value* Find(ValueHandle handle) const;
  // In operand order; empty when the part is not there. Null where an omitted operand was allowed.
  const std::vector<ir::Value*>& operator[](ValuesHandle handle) const;
  // Known or a symbol; unknown when the part is not there.
  ir::Dim operator[](DimHandle handle) const;
  // The value's constant (see Value::ConstantTensor); empty when it is not there or not constant.
  ir::Tensor Constant(ValueHandle handle) const;

  // Every matched node once, operands before users; the last is the root.
  const std::vector<ir::Node*>& nodes() const { return nodes_; }
  ir::Node& root() const { return *nodes_.back(); }

 private:
  friend class Matcher;
  std::vector<ir::Node*> nodes_;
  std::vector<std::pair<std::string_view, ir::Node*>> bound_nodes_;
  std::vector<std::pair<std::string_view, ir::Value*>> bound_values_;
  std::vector<std::pair<std::string_view, std::vector<ir::Value*>>> bound_lists_;
  std::vector<std::pair<std::string_view, ir::Dim>> bound_dims_;
};

// Why a pattern does not fit a node. Where the pattern has alternatives: of the attempt that got
// furthest.
struct Refusal {
  // The node or the producer of the value in question; null for a value without a producer.
  const ir::Node* node = nullptr;
  // "condition 'has one consumer' does not hold", "operand 1 is not constant", ...; in a named part
  // of the pattern "in PART: ...".
  std::string reason;
  // The operators fit and a named condition or a type refused: worth a remark.
  bool by_condition = false;
  // How many nodes fitted before.
  size_t matched_nodes = 0;

  // "node 'conv1': <reason>".
  std::string ToText() const;
};

}  // namespace lathe::passes
