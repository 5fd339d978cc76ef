#include "lathe/ir/rewriter.h"

#include <algorithm>
#include <array>

#include "lathe/ir/use_list.h"

namespace lathe::ir {

// ---- Making nodes ----

Node& Rewriter::CreateNode(Graph& graph, Node* before, NodeSpec spec) {
  const Name name = spec.name.empty() ? Name{} : model_.UniqueNodeName(spec.name);
  Node& node = LinkNewNode(graph, before, model_.Intern(spec.op), model_.Intern(spec.domain), name);
  LinkInputs(node, spec.inputs);
  for (auto& [key, value] : spec.attributes) {
    Attribute attribute;
    attribute.name = model_.Intern(key);
    attribute.value =
        std::visit([](auto& plain) -> AttributeValue { return std::move(plain); }, value);
    node.attributes_.push_back(std::move(attribute));
  }
  for (size_t i = 0; i < spec.outputs.size(); ++i) {
    std::string wanted = spec.outputs[i];
    if (wanted.empty()) {
      wanted =
          fmt::format("{}.output{}", name.empty() ? spec.op : std::string(model_.Text(name)), i);
    }
    LinkNewOutput(node, model_.UniqueValueName(wanted), model_.unknown_type());
  }
  for (RewriteListener* listener : listeners_) listener->OnNodeCreated(node);
  return node;
}

Rewriter::OriginScope::OriginScope(Rewriter& rewriter, std::span<Node* const> nodes)
    : rewriter_(rewriter), saved_(rewriter.origin_) {
  std::vector<Origin> origins;
  origins.reserve(nodes.size());
  for (const Node* node : nodes) origins.push_back(node->origin());
  rewriter.origin_ = rewriter.model_.MergeOrigins(origins);
}

Rewriter::OriginScope::OriginScope(Rewriter& rewriter, Node& node)
    : rewriter_(rewriter), saved_(rewriter.origin_) {
  rewriter.origin_ = node.origin();
}

// ---- Changing uses ----

void Rewriter::ReplaceUse(Use& use, Value* value) {
  Value* old_value = use.value_;
  if (old_value == value) return;
  UseList::Remove(use);
  UseList::Add(use, value);
  for (RewriteListener* listener : listeners_) listener->OnOperandChanged(use, old_value);
}

void Rewriter::ReplaceAllUses(Value& from, Value& to) {
  if (&from == &to) return;
  while (Use* use = from.first_use()) ReplaceUse(*use, &to);
}

bool Rewriter::TakesOutputName(const Value& to) const {
  return to.kind() == Value::Kind::kNodeOutput && !to.is_graph_output();
}

// What the outside knows of a graph output: its declared type, its documentation.
void Rewriter::HandOnOutput(const Value& from, Value& to) {
  if (from.type().kind != Type::Kind::kUnknown) SetType(to, from.type_ref());
  if (from.notes() != nullptr) SetNotes(to, *from.notes());
}

void Rewriter::ReplaceValue(Value& from, Value& to) {
  if (&from == &to) return;
  const bool keeps_name = from.kind() != Value::Kind::kGraphInput && from.is_graph_output() &&
                          from.graph()->owner() == nullptr;
  if (!keeps_name) return ReplaceAllUses(from, to);
  const Name name = from.name();
  if (TakesOutputName(to)) {
    Rename(from, to.name());
    Rename(to, name);
    HandOnOutput(from, to);
    return ReplaceAllUses(from, to);
  }
  NodeSpec spec;
  spec.op = "Identity";
  spec.inputs = {&to};
  Node& identity = CreateNode(*from.graph(), nullptr, std::move(spec));
  HandOnOutput(from, *identity.output());
  Rename(from, identity.output()->name());
  Rename(*identity.output(), name);
  for (Use* use = from.first_use(); use != nullptr;) {
    Use* next = use->next_use();
    ReplaceUse(*use, use->user()->is_return() ? identity.output() : &to);
    use = next;
  }
}

// Where one node takes the place of another, and stands for the same nodes of the user's model.
void Rewriter::HandOnNotes(const Node& from, Node* to) {
  if (from.notes() == nullptr || to == nullptr || to == &from || to->notes() != nullptr) return;
  if (to->origin() != from.origin()) return;
  SetNotes(*to, {.doc = from.notes()->doc, .metadata = from.notes()->metadata});
}

void Rewriter::ReplaceNode(Node& node, std::span<Value* const> with) {
  for (size_t i = 0; i < node.num_outputs(); ++i) {
    if (with[i] == nullptr) continue;
    ReplaceValue(*node.output(i), *with[i]);
    HandOnNotes(node, with[i]->producer());
  }
  Erase(node);
}

void Rewriter::ReplaceNode(Node& node, Value& with) {
  const std::array<Value*, 1> values = {&with};
  ReplaceNode(node, values);
}

void Rewriter::SetInput(Node& node, size_t i, Value* value) {
  ReplaceUse(node.operands_[i], value);
}

void Rewriter::AddInput(Node& node, Value* value) {
  InsertOperand(node, node.num_inputs_, value);
  ++node.num_inputs_;
  for (RewriteListener* listener : listeners_) {
    listener->OnOperandChanged(node.operands_[node.num_inputs_ - 1], nullptr);
  }
}

void Rewriter::TruncateInputs(Node& node, size_t count) {
  if (count >= node.num_inputs_) return;
  const auto dropped = static_cast<uint32_t>(node.num_inputs_ - count);
  for (uint32_t i = static_cast<uint32_t>(count); i < node.num_inputs_; ++i) {
    UseList::Remove(node.operands_[i]);
  }
  for (uint32_t i = 0; i < node.num_captures_; ++i) {
    const auto to = static_cast<uint32_t>(count + i);
    UseList::Relocate(node.operands_[to + dropped], node.operands_[to]);
    node.operands_[to].index_ = to;
  }
  node.num_inputs_ = static_cast<uint32_t>(count);
  NotifyChanged(node);
}

void Rewriter::GrowOperands(Node& node, uint32_t capacity) {
  auto operands = std::make_unique<Use[]>(capacity);
  const uint32_t count = node.num_inputs_ + node.num_captures_;
  for (uint32_t i = 0; i < count; ++i) UseList::Relocate(node.operands_[i], operands[i]);
  node.operands_ = std::move(operands);
  node.operand_capacity_ = capacity;
}

void Rewriter::InsertOperand(Node& node, uint32_t position, Value* value) {
  const uint32_t count = node.num_inputs_ + node.num_captures_;
  if (count == node.operand_capacity_) GrowOperands(node, std::max<uint32_t>(2, 2 * count));
  for (uint32_t i = count; i > position; --i) {
    UseList::Relocate(node.operands_[i - 1], node.operands_[i]);
    node.operands_[i].index_ = i;
  }
  Use& use = node.operands_[position];
  use = Use();
  use.user_ = &node;
  use.index_ = position;
  UseList::Add(use, value);
}

// ---- Changing nodes ----

void Rewriter::SetOperator(Node& node, std::string_view op, std::string_view domain) {
  node.op_ = model_.Intern(op);
  node.domain_ = model_.Intern(domain);
  NotifyChanged(node);
}

void Rewriter::SetAttribute(Node& node, std::string_view name, AttributeValue value) {
  const Name key = model_.Intern(name);
  auto it = std::ranges::find(node.attributes_, key, &Attribute::name);
  if (it == node.attributes_.end()) {
    it = node.attributes_.emplace(node.attributes_.end());
    it->name = key;
  }
  EraseBodies(node, *it);
  it->value = std::move(value);
  it->reference = {};
  it->spelling = 0;
  NotifyChanged(node);
}

void Rewriter::RemoveAttribute(Node& node, std::string_view name) {
  const auto it = std::ranges::find_if(node.attributes_, [&](const Attribute& attribute) {
    return model_.Text(attribute.name) == name;
  });
  if (it == node.attributes_.end()) return;
  EraseBodies(node, *it);
  node.attributes_.erase(it);
  NotifyChanged(node);
}

void Rewriter::Rename(Node& node, Name name) {
  node.name_ = name;
  if (model_.node_names_.built) model_.node_names_.names.insert(name);
  NotifyChanged(node);
}

void Rewriter::SetNotes(Node& node, NodeNotes notes) {
  node.notes_ = std::make_unique<NodeNotes>(std::move(notes));
}

// ---- Values ----

void Rewriter::Rename(Value& value, Name name) {
  Value& named = *value.Resolve();
  named.name_ = name;
  if (model_.value_names_.built) model_.value_names_.names.insert(name);
  for (RewriteListener* listener : listeners_) listener->OnValueChanged(named);
}

void Rewriter::SetType(Value& value, const Type* type) {
  Value& typed = *value.Resolve();
  if (typed.type_ == type) return;
  typed.type_ = type;
  for (RewriteListener* listener : listeners_) listener->OnValueChanged(typed);
}

void Rewriter::SetNotes(Value& value, ValueNotes notes) {
  value.notes_ = std::make_unique<ValueNotes>(std::move(notes));
}

void Rewriter::SetTensor(Value& value, Tensor tensor) {
  const std::vector<int64_t> dims(tensor.dims().begin(), tensor.dims().end());
  value.type_ = model_.Intern(Type::Tensor(tensor.element_type(), dims));
  value.tensor_ = std::move(tensor);
  for (RewriteListener* listener : listeners_) listener->OnValueChanged(value);
}

void Rewriter::FreezeInput(Value& graph_input) {
  std::vector<Value*>& inputs = graph_input.graph_->inputs_;
  inputs.erase(inputs.begin() + graph_input.index_);
  for (uint32_t i = graph_input.index_; i < inputs.size(); ++i) inputs[i]->index_ = i;
  graph_input.kind_ = Value::Kind::kInitializer;
  graph_input.index_ = 0;
  for (RewriteListener* listener : listeners_) listener->OnValueChanged(graph_input);
}

// ---- Graphs ----

Value& Rewriter::CreateInitializer(Graph& graph, std::string_view wanted_name, Tensor tensor) {
  return AddInitializer(graph, model_.UniqueValueName(wanted_name), std::move(tensor));
}

Value& Rewriter::Capture(Graph& body, Value& outer) {
  if (outer.graph() == &body) return outer;
  Value& around = Capture(*body.parent(), outer);
  for (Value* capture : body.captures_) {
    if (capture->captured()->value() == &around) return *capture;
  }
  return AddCapture(body, around);
}

}  // namespace lathe::ir
