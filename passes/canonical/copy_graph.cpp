#include "lathe/passes/canonical/copy_graph.h"

#include <utility>
#include <vector>

#include "lathe/passes/core/tensor_edit.h"

namespace lathe::passes {

// ---- Copies ----

void GraphCopier::Copy(const ir::Graph& from) {
  ir::Graph& to = *before_.graph();
  CopyConstants(from, to, &before_);
  for (const ir::Node& node : from.nodes()) CopyNode(node, to, &before_, choices_.types);
  if (choices_.types) CopyValueInfo(from, to);
}

ir::Value* GraphCopier::MapUse(const ir::Use& use) const {
  return use.value() == nullptr ? nullptr : values_.at(use.value());
}

void GraphCopier::MapNew(const ir::Value& from, ir::Value& to, bool types) {
  values_[&from] = &to;
  if (types && from.kind() != ir::Value::Kind::kCapture) rewriter_.SetType(to, from.type_ref());
  if (from.notes() != nullptr) rewriter_.SetNotes(to, *from.notes());
}

ir::AttributeValue GraphCopier::CopyValue(const ir::AttributeValue& value) const {
  return std::visit(
      [](const auto& member) -> ir::AttributeValue {
        using Member = std::decay_t<decltype(member)>;
        if constexpr (std::is_same_v<Member, ir::GraphPtr> ||
                      std::is_same_v<Member, std::vector<ir::GraphPtr>>) {
          // Bodies are made by AddBody.
          return Member();
        } else {
          return member;
        }
      },
      value);
}

void GraphCopier::CopyAttributes(const ir::Node& node, ir::Node& copy) {
  for (const ir::Attribute& attribute : node.attributes()) {
    ir::Attribute made;
    made.name = attribute.name;
    made.doc = attribute.doc;
    made.spelling = attribute.spelling;
    if (!attribute.reference.empty() && choices_.attribute) {
      const ir::AttributeValue* value = choices_.attribute(attribute.reference);
      if (value == nullptr) continue;
      made.value = CopyValue(*value);
      made.spelling = 0;
    } else {
      made.value = CopyValue(attribute.value);
      made.reference = attribute.reference;
      made.reference_kind = attribute.reference_kind;
    }
    rewriter_.AddAttribute(copy, std::move(made));
    if (const auto* body = attribute.get_if<ir::GraphPtr>()) {
      bodies_[body->get()] = &rewriter_.AddBody(copy, attribute.name, false);
    } else if (const auto* several = attribute.get_if<std::vector<ir::GraphPtr>>()) {
      for (const ir::GraphPtr& each : *several) {
        bodies_[each.get()] = &rewriter_.AddBody(copy, attribute.name, true);
      }
    }
  }
}

void GraphCopier::CopyNode(const ir::Node& node, ir::Graph& to, ir::Node* before, bool types) {
  ir::Node& copy =
      rewriter_.InsertNode(to, before, node.op(), node.domain(), choices_.node_name(node.name()));
  rewriter_.SetOverload(copy, node.overload());
  rewriter_.SetOrigin(copy, choices_.origin(node));
  if (node.notes() != nullptr) rewriter_.SetNotes(copy, *node.notes());
  std::vector<ir::Value*> inputs;
  for (const ir::Use& use : node.inputs()) inputs.push_back(MapUse(use));
  rewriter_.SetInputs(copy, inputs);
  CopyAttributes(node, copy);
  for (size_t i = 0; i < node.captures().size(); ++i) {
    const ir::Value& inner = *node.capture_value(i);
    ir::Value& outer = *MapUse(node.captures()[i]);
    values_[&inner] = &rewriter_.AddCapture(*bodies_.at(inner.graph()), outer);
  }
  for (size_t i = 0; i < node.operands().size(); ++i) {
    rewriter_.SetAnnotation(copy.operands()[i], node.operands()[i].annotation());
  }
  for (const ir::Graph* body : std::as_const(node).bodies()) CopyBody(*body, *bodies_.at(body));
  for (const ir::Value* output : node.outputs()) {
    // An omitted output has no name.
    const ir::Name name = output->name().empty() ? ir::Name{} : choices_.value_name(output->name());
    MapNew(*output, rewriter_.AddOutput(copy, name, rewriter_.model().unknown_type()), types);
  }
}

void GraphCopier::CopyConstants(const ir::Graph& from, ir::Graph& to, ir::Node* before) {
  for (const ir::Value* value : from.initializers()) {
    if (value->kind() == ir::Value::Kind::kGraphInput) continue;
    const ir::Name name = choices_.value_name(value->name());
    const ir::SparseTensor* sparse = value->sparse_tensor();
    if (to.function() == nullptr) {
      MapNew(*value,
             sparse == nullptr ? rewriter_.AddInitializer(to, name, value->tensor())
                               : rewriter_.AddSparseInitializer(to, name, *sparse),
             true);
      continue;
    }
    ir::Model& model = rewriter_.model();
    ir::Node& node = rewriter_.InsertNode(to, before, model.Intern("Constant"), {}, ir::Name{});
    ir::Attribute attribute;
    attribute.name = model.Intern(sparse == nullptr ? "value" : "sparse_value");
    if (sparse == nullptr) {
      attribute.value = value->tensor();
    } else {
      attribute.value = *sparse;
    }
    rewriter_.AddAttribute(node, std::move(attribute));
    MapNew(*value, rewriter_.AddOutput(node, name, value->type_ref()), true);
  }
}

void GraphCopier::CopyBody(const ir::Graph& from, ir::Graph& to) {
  rewriter_.SetGraphText(to, from.name(), from.doc(), from.metadata(), from.spelling());
  for (const ir::Value* input : from.inputs()) {
    MapNew(*input,
           rewriter_.AddGraphInput(to, choices_.value_name(input->name()), input->type_ref()),
           true);
  }
  CopyConstants(from, to, nullptr);
  for (const ir::Value* value : from.initializers()) {
    if (value->kind() != ir::Value::Kind::kGraphInput) continue;
    if (value->sparse_tensor() != nullptr) {
      rewriter_.SetDefault(*Mapped(*value), *value->sparse_tensor());
    } else {
      rewriter_.SetDefault(*Mapped(*value), value->tensor());
    }
  }
  for (const ir::Node& node : from.nodes()) CopyNode(node, to, nullptr, true);
  for (const ir::Use& output : from.outputs()) rewriter_.AddGraphOutput(to, MapUse(output));
  for (size_t i = 0; i < from.outputs().size(); ++i) {
    rewriter_.SetAnnotation(to.outputs()[i], from.outputs()[i].annotation());
  }
  CopyValueInfo(from, to);
  for (const std::string& text : from.quantization_annotations()) {
    rewriter_.AddQuantizationAnnotation(to, text);
  }
}

void GraphCopier::CopyValueInfo(const ir::Graph& from, ir::Graph& to) {
  if (to.function() != nullptr) return;
  for (ir::ValueInfo info : from.value_info()) {
    // What names no value of the graph says nothing about the copy.
    if (info.value == nullptr || info.value->erased()) continue;
    const auto it = values_.find(info.value);
    if (it == values_.end() || it->second == nullptr || it->second->graph() != &to) continue;
    if (it->second->kind() != ir::Value::Kind::kNodeOutput) continue;
    info.value = it->second;
    rewriter_.AddValueInfo(to, std::move(info));
  }
}

// ---- Names ----

void MovedNames::Build() {
  if (counts_.built) return;
  counts_.built = true;
  for (ir::ValueId id = 0; id < model_.value_id_end(); ++id) {
    const ir::Value* value = model_.FindValue(id);
    if (value != nullptr && value->kind() != ir::Value::Kind::kCapture) {
      ++counts_.values[value->name()];
    }
  }
  for (ir::NodeId id = 0; id < model_.node_id_end(); ++id) {
    if (const ir::Node* node = model_.FindNode(id)) ++counts_.nodes[node->name()];
  }
}

ir::Name MovedNames::OfValue(ir::Name name) {
  Build();
  uint32_t& count = counts_.values[name];
  if (count <= 1) return name;
  --count;
  return model_.UniqueValueName(model_.Text(name));
}

ir::Name MovedNames::OfNode(ir::Name name) {
  if (name.empty()) return name;
  Build();
  uint32_t& count = counts_.nodes[name];
  if (count <= 1) return name;
  --count;
  return model_.UniqueNodeName(model_.Text(name));
}

void MovedNames::Forget(const ir::Graph& graph) {
  Build();
  const auto drop = [](auto& counts, ir::Name name) {
    if (const auto it = counts.find(name); it != counts.end() && it->second > 0) --it->second;
  };
  for (const ir::Value* value : graph.inputs()) drop(counts_.values, value->name());
  for (const ir::Value* value : graph.initializers()) {
    if (value->kind() == ir::Value::Kind::kInitializer) drop(counts_.values, value->name());
  }
  for (const ir::Node& node : graph.nodes()) {
    drop(counts_.nodes, node.name());
    for (const ir::Value* output : node.outputs()) drop(counts_.values, output->name());
    for (const ir::Graph* body : node.bodies()) Forget(*body);
  }
}

// ---- In the place of the node ----

void ReplaceResult(ir::Rewriter& rewriter, ir::Node& node, ir::Value& result, ir::Value& value) {
  const bool is_body_output = result.is_graph_output() && node.graph()->owner() != nullptr;
  if (!is_body_output ||
      (value.kind() == ir::Value::Kind::kNodeOutput && !value.is_graph_output())) {
    rewriter.ReplaceValue(result, value);
    return;
  }
  const ir::Rewriter::OriginScope scope(rewriter, node);
  ir::NodeSpec spec;
  spec.op = "Identity";
  spec.inputs = {&value};
  spec.outputs = {std::string(result.name_text())};
  ir::Value& identity = *rewriter.CreateNode(*node.graph(), &node, std::move(spec)).output();
  rewriter.SetType(identity, result.type_ref());
  for (ir::Use* use = result.first_use(); use != nullptr;) {
    ir::Use* next = use->next_use();
    rewriter.ReplaceUse(*use, use->user()->is_return() ? &identity : &value);
    use = next;
  }
}

void EraseWithOperands(ir::Rewriter& rewriter, ir::Node& node) {
  std::vector<ir::Value*> operands;
  for (const ir::Use& operand : node.operands()) {
    if (operand.value() != nullptr) operands.push_back(operand.value());
  }
  rewriter.Erase(node);
  for (ir::Value* operand : operands) EraseIfUnused(rewriter, *operand);
}

}  // namespace lathe::passes
