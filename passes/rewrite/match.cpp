#include "lathe/passes/rewrite/match.h"

#include <fmt/format.h>

#include "lathe/support/quoted.h"

namespace lathe::passes {
namespace {

// What the name stands for; null when it stands for nothing.
template <typename T>
const T* Lookup(const std::vector<std::pair<std::string_view, T>>& bound, std::string_view name) {
  for (const auto& [key, value] : bound) {
    if (key == name) return &value;
  }
  return nullptr;
}

}  // namespace

ir::Node* Match::Find(NodeHandle handle) const {
  ir::Node* const* node = Lookup(bound_nodes_, handle.name);
  return node == nullptr ? nullptr : *node;
}

ir::Value* Match::Find(ValueHandle handle) const {
  ir::Value* const* value = Lookup(bound_values_, handle.name);
  return value == nullptr ? nullptr : *value;
}

const std::vector<ir::Value*>& Match::operator[](ValuesHandle handle) const {
  static const std::vector<ir::Value*> kNone;
  const std::vector<ir::Value*>* values = Lookup(bound_lists_, handle.name);
  return values == nullptr ? kNone : *values;
}

ir::Dim Match::operator[](DimHandle handle) const {
  const ir::Dim* dim = Lookup(bound_dims_, handle.name);
  return dim == nullptr ? ir::Dim() : *dim;
}

ir::Tensor Match::Constant(ValueHandle handle) const {
  const ir::Value* value = Find(handle);
  return value == nullptr ? ir::Tensor() : value->ConstantTensor();
}

std::string Refusal::ToText() const {
  if (node == nullptr) return reason;
  return fmt::format("node {}: {}", Quoted(node->display_name()), reason);
}

}  // namespace lathe::passes
