#include "lathe/frontends/onnx/internal/scope.h"

#include <vector>

#include "lathe/support/onnx_fields.h"
#include "lathe/support/wire_reader.h"

namespace lathe::frontends {
namespace {

namespace fields = onnx_fields::node;

// What ExplainUndefined needs to know of a NodeProto.
struct NodeSketch {
  std::string_view name;
  std::vector<std::string_view> inputs;
  std::vector<std::string_view> outputs;
};

std::vector<NodeSketch> SketchNodes(const Scope& scope) {
  std::vector<NodeSketch> nodes;
  WireReader graph(scope.message);
  for (WireField field; graph.Next(&field);) {
    if (field.number != scope.node_field) continue;
    NodeSketch& node = nodes.emplace_back();
    WireReader reader(field.bytes);
    for (WireField part; reader.Next(&part);) {
      const std::string_view text(reinterpret_cast<const char*>(part.bytes.data()),
                                  part.bytes.size());
      if (part.number == fields::kName) node.name = text;
      if (part.number == fields::kInput) node.inputs.push_back(text);
      if (part.number == fields::kOutput) node.outputs.push_back(text);
    }
  }
  return nodes;
}

// Some path from node `from` against the direction of data reaches node `to`.
bool DependsOn(const std::vector<NodeSketch>& nodes,
               const absl::flat_hash_map<std::string_view, size_t>& producers, size_t from,
               size_t to) {
  std::vector<bool> seen(nodes.size());
  std::vector<size_t> pending = {from};
  while (!pending.empty()) {
    const size_t node = pending.back();
    pending.pop_back();
    if (node == to) return true;
    if (seen[node]) continue;
    seen[node] = true;
    for (const std::string_view input : nodes[node].inputs) {
      if (const auto it = producers.find(input); it != producers.end()) {
        pending.push_back(it->second);
      }
    }
  }
  return false;
}

}  // namespace

ir::Value* ValuesByName::Find(ir::Name name) const {
  if (all_names_) return name.id < by_id_.size() ? by_id_[name.id] : nullptr;
  const auto it = by_name_.find(name);
  return it == by_name_.end() ? nullptr : it->second;
}

ir::Value* ValuesByName::Add(ir::Name name, ir::Value& value) {
  if (!all_names_) return by_name_.try_emplace(name, &value).first->second;
  if (name.id >= by_id_.size()) by_id_.resize(size_t{name.id} + 1);
  ir::Value*& place = by_id_[name.id];
  if (place == nullptr) place = &value;
  return place;
}

Status Define(Scope& scope, ir::Value& value) {
  const ir::Value* known = scope.values.Add(value.name(), value);
  if (known == &value) return OkStatus();
  if (known->kind() == ir::Value::Kind::kCapture) {
    return InvalidInput("'{}' is defined after it was used for a value of an enclosing graph",
                        value.name_text());
  }
  return InvalidInput("'{}' is defined twice", value.name_text());
}

ir::Value* Find(ir::Rewriter& rewriter, Scope& scope, ir::Name name) {
  if (ir::Value* value = scope.values.Find(name)) return value;
  if (scope.outer == nullptr) return nullptr;
  ir::Value* outer = Find(rewriter, *scope.outer, name);
  if (outer == nullptr) return nullptr;
  ir::Value& inner = rewriter.AddCapture(*scope.graph, *outer);
  scope.values.Add(name, inner);
  return &inner;
}

Status ExplainUndefined(const Scope& scope, size_t index, std::string_view name) {
  for (const Scope* each = &scope; each != nullptr; each = each->outer) {
    const std::vector<NodeSketch> nodes = SketchNodes(*each);
    absl::flat_hash_map<std::string_view, size_t> producers;
    for (size_t i = 0; i < nodes.size(); ++i) {
      for (const std::string_view output : nodes[i].outputs) producers.emplace(output, i);
    }
    const auto it = producers.find(name);
    if (it == producers.end()) continue;
    const size_t producer = it->second;
    const std::string place = nodes[producer].name.empty()
                                  ? fmt::format("node #{}", producer)
                                  : fmt::format("node '{}' (#{})", nodes[producer].name, producer);
    if (each == &scope && index < nodes.size() && DependsOn(nodes, producers, producer, index)) {
      return InvalidInput("'{}' depends on itself: its producer, {}, needs a result of this node",
                          name, place);
    }
    return InvalidInput("'{}' is used before it is defined, by {}", name, place);
  }
  return InvalidInput("'{}' is not defined by any node, input or initializer", name);
}

}  // namespace lathe::frontends
