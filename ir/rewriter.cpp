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

// ---- Removing ----

void Rewriter::DropValue(Value& value) {
  value.erased_ = true;
  value.tensor_ = {};
  value.sparse_.reset();
  value.notes_.reset();
}

void Rewriter::DropNode(Node& node) {
  for (Use& use : node.operands()) UseList::Remove(use);
  for (Graph* body : node.bodies()) EraseBody(*body);
  for (Value* output : node.outputs_) DropValue(*output);
  node.operands_.reset();
  node.num_inputs_ = node.num_captures_ = node.operand_capacity_ = 0;
  std::vector<Attribute>().swap(node.attributes_);
  std::vector<Value*>().swap(node.capture_values_);
  node.notes_.reset();
  node.erased_ = true;
}

void Rewriter::EraseBody(Graph& body) {
  // The return node first, then from the end, so that a value goes after its uses.
  DropNode(*body.return_node_);
  for (Node* node = body.last_node_; node != nullptr;) {
    Node* previous = node->previous_;
    for (RewriteListener* listener : listeners_) listener->OnNodeErased(*node);
    DropNode(*node);
    node = previous;
  }
  for (Value* value : body.inputs_) DropValue(*value);
  for (Value* value : body.initializers()) DropValue(*value);
  for (Value* value : body.captures_) DropValue(*value);
}

void Rewriter::EraseBodies(Node& node, Attribute& attribute) {
  absl::flat_hash_set<const Graph*> gone;
  if (const auto* body = attribute.get_if<GraphPtr>()) gone.insert(body->get());
  if (const auto* several = attribute.get_if<std::vector<GraphPtr>>()) {
    for (const GraphPtr& body : *several) gone.insert(body.get());
  }
  if (gone.empty()) return;
  for (const Graph* body : gone) EraseBody(const_cast<Graph&>(*body));
  EraseCapturesIf(node, [&](const Value& inner) { return gone.contains(inner.graph()); });
}

void Rewriter::Erase(Node& node) {
  for (RewriteListener* listener : listeners_) listener->OnNodeErased(node);
  Unlink(node);
  DropNode(node);
}

void Rewriter::TruncateOutputs(Node& node, size_t count) {
  if (count >= node.outputs_.size()) return;
  for (size_t i = count; i < node.outputs_.size(); ++i) DropValue(*node.outputs_[i]);
  node.outputs_.resize(count);
  NotifyChanged(node);
}

void Rewriter::EraseInitializer(Value& value) {
  value.graph_->initializers_erased_ = true;
  if (value.kind() == Value::Kind::kGraphInput) {
    value.tensor_ = {};
    value.sparse_.reset();
  } else {
    DropValue(value);
  }
}

template <typename Predicate>
void Rewriter::EraseCapturesIf(Node& node, Predicate goes) {
  uint32_t kept = 0;
  for (uint32_t i = 0; i < node.num_captures_; ++i) {
    Use& from = node.operands_[node.num_inputs_ + i];
    Value* inner = node.capture_values_[i];
    if (goes(*inner)) {
      UseList::Remove(from);
      DropValue(*inner);
      continue;
    }
    if (kept != i) {
      Use& to = node.operands_[node.num_inputs_ + kept];
      UseList::Relocate(from, to);
      to.index_ = node.num_inputs_ + kept;
      inner->index_ = kept;
      node.capture_values_[kept] = inner;
    }
    ++kept;
  }
  if (kept == node.num_captures_) return;
  for (Graph* body : node.bodies()) {
    std::erase_if(body->captures_, [](const Value* inner) { return inner->erased_; });
  }
  node.num_captures_ = kept;
  node.capture_values_.resize(kept);
  NotifyChanged(node);
}

void Rewriter::EraseUnusedCaptures(Node& node) {
  EraseCapturesIf(node, [](const Value& inner) { return !inner.has_uses(); });
}

// ---- Moving and changing nodes ----

void Rewriter::Link(Node& node, Graph& graph, Node* before) {
  Node* after = before != nullptr ? before->previous_ : graph.last_node_;
  node.graph_ = &graph;
  node.previous_ = after;
  node.next_ = before;
  (after != nullptr ? after->next_ : graph.first_node_) = &node;
  (before != nullptr ? before->previous_ : graph.last_node_) = &node;
  ++graph.num_nodes_;
  if (node.has_bodies_) ++graph.num_nodes_with_bodies_;
  // Order numbers lie below 2^62. New last nodes leave room before them, others take the middle
  // between their neighbours; where there is none, numbers nearby are dealt anew.
  constexpr uint64_t kEnd = uint64_t{1} << 62;
  constexpr uint64_t kStride = uint64_t{1} << 32;
  const uint64_t low = after != nullptr ? after->order_ : 0;
  const uint64_t high = before != nullptr ? before->order_ : std::min(low + 2 * kStride, kEnd);
  node.order_ = low + (high - low) / 2;
  if (node.order_ == low) SpreadOrder(node);
}

void Rewriter::SpreadOrder(Node& node) {
  // Spreads the smallest aligned range of numbers around the node that is sparse enough: range 2^i
  // may hold (2/1.3)^i nodes, so each spreading pays for many insertions (amortised O(log nodes)).
  Node* first = &node;
  Node* last = &node;
  uint64_t count = 1;
  double allowed = 1;
  for (int bits = 1; bits <= 62; ++bits) {
    allowed *= 2 / 1.3;
    const uint64_t begin = node.order_ >> bits << bits;
    const uint64_t end = begin + (uint64_t{1} << bits);
    while (first->previous_ != nullptr && first->previous_->order_ >= begin) {
      first = first->previous_;
      ++count;
    }
    while (last->next_ != nullptr && last->next_->order_ < end) {
      last = last->next_;
      ++count;
    }
    const uint64_t step = (end - begin) / (count + 1);
    if (static_cast<double>(count) > allowed || step < 2) continue;
    uint64_t order = begin;
    for (Node* each = first; each != last->next_; each = each->next_) each->order_ = order += step;
    return;
  }
}

void Rewriter::Unlink(Node& node) {
  Graph& graph = *node.graph_;
  (node.previous_ != nullptr ? node.previous_->next_ : graph.first_node_) = node.next_;
  (node.next_ != nullptr ? node.next_->previous_ : graph.last_node_) = node.previous_;
  node.previous_ = node.next_ = nullptr;
  --graph.num_nodes_;
  if (node.has_bodies_) --graph.num_nodes_with_bodies_;
}

void Rewriter::Move(Node& node, Node* before) {
  if (&node == before || node.next_ == before) return;
  Graph& graph = *node.graph_;
  Unlink(node);
  Link(node, graph, before);
  NotifyChanged(node);
}

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

// ---- Building blocks of readers ----

Value& Rewriter::NewValue(Value::Kind kind, Name name, const Type* type) {
  ValueId id = 0;
  Value& value = *model_.values_.Create(&id);
  value.id_ = id;
  value.kind_ = kind;
  value.name_ = name;
  value.type_ = type;
  if (model_.value_names_.built) model_.value_names_.names.insert(name);
  return value;
}

void Rewriter::NotifyChanged(Node& node) {
  for (RewriteListener* listener : listeners_) listener->OnNodeChanged(node);
}

Node& Rewriter::LinkNewNode(Graph& graph, Node* before, Name op, Name domain, Name name) {
  NodeId id = 0;
  Node& node = *model_.nodes_.Create(&id);
  node.id_ = id;
  node.op_ = op;
  node.domain_ = domain;
  node.name_ = name;
  node.origin_ = origin_;
  Link(node, graph, before);
  if (model_.node_names_.built) model_.node_names_.names.insert(name);
  return node;
}

Node& Rewriter::InsertNode(Graph& graph, Node* before, Name op, Name domain, Name name) {
  Node& node = LinkNewNode(graph, before, op, domain, name);
  for (RewriteListener* listener : listeners_) listener->OnNodeCreated(node);
  return node;
}

void Rewriter::LinkInputs(Node& node, std::span<Value* const> values) {
  if (values.empty()) return;
  GrowOperands(node, static_cast<uint32_t>(values.size()) + node.num_captures_);
  for (Value* value : values) {
    InsertOperand(node, node.num_inputs_, value);
    ++node.num_inputs_;
  }
}

void Rewriter::SetInputs(Node& node, std::span<Value* const> values) {
  LinkInputs(node, values);
  NotifyChanged(node);
}

Value& Rewriter::LinkNewOutput(Node& node, Name name, const Type* type) {
  Value& value = NewValue(Value::Kind::kNodeOutput, name, type);
  value.producer_ = &node;
  value.index_ = static_cast<uint32_t>(node.outputs_.size());
  node.outputs_.push_back(&value);
  return value;
}

Value& Rewriter::AddOutput(Node& node, Name name, const Type* type) {
  Value& value = LinkNewOutput(node, name, type);
  NotifyChanged(node);
  return value;
}

void Rewriter::AddAttribute(Node& node, Attribute attribute) {
  node.attributes_.push_back(std::move(attribute));
  NotifyChanged(node);
}

void Rewriter::SetAttributeDoc(Node& node, Name attribute, Name doc) {
  const auto it = std::ranges::find(node.attributes_, attribute, &Attribute::name);
  if (it != node.attributes_.end()) it->doc = doc;
}

Graph& Rewriter::AddBody(Node& node, Name name, bool several) {
  GraphPtr body(new Graph(&model_));
  body->owner_ = &node;
  if (!node.has_bodies_) ++node.graph_->num_nodes_with_bodies_;
  node.has_bodies_ = true;
  NodeId id = 0;
  body->return_node_ = model_.nodes_.Create(&id);
  body->return_node_->id_ = id;
  body->return_node_->graph_ = body.get();
  body->return_node_->is_return_ = true;
  Graph& result = *body;
  if (node.attributes_.empty() || node.attributes_.back().name != name) {
    node.attributes_.emplace_back().name = name;
  }
  AttributeValue& value = node.attributes_.back().value;
  if (!several) {
    value = std::move(body);
    NotifyChanged(node);
    return result;
  }
  if (!std::holds_alternative<std::vector<GraphPtr>>(value)) value = std::vector<GraphPtr>();
  std::get<std::vector<GraphPtr>>(value).push_back(std::move(body));
  NotifyChanged(node);
  return result;
}

Value& Rewriter::AddCapture(Graph& body, Value& outer_of_owner) {
  Node& owner = *body.owner_;
  Value& inner = NewValue(Value::Kind::kCapture, {}, nullptr);
  inner.graph_ = &body;
  inner.index_ = owner.num_captures_;
  InsertOperand(owner, owner.num_inputs_ + owner.num_captures_, &outer_of_owner);
  ++owner.num_captures_;
  owner.capture_values_.push_back(&inner);
  body.captures_.push_back(&inner);
  NotifyChanged(owner);
  return inner;
}

Value& Rewriter::AddGraphInput(Graph& graph, Name name, const Type* type) {
  Value& value = NewValue(Value::Kind::kGraphInput, name, type);
  value.graph_ = &graph;
  value.index_ = static_cast<uint32_t>(graph.inputs_.size());
  graph.inputs_.push_back(&value);
  return value;
}

void Rewriter::AddGraphOutput(Graph& graph, Value* value) {
  Node& node = *graph.return_node_;
  InsertOperand(node, node.num_inputs_, value);
  ++node.num_inputs_;
  NotifyChanged(node);
}

Value& Rewriter::AddInitializer(Graph& graph, Name name, Tensor tensor) {
  Value& value = NewValue(Value::Kind::kInitializer, name, model_.unknown_type());
  value.graph_ = &graph;
  graph.initializers_.push_back(&value);
  SetTensor(value, std::move(tensor));
  return value;
}

Value& Rewriter::AddSparseInitializer(Graph& graph, Name name, SparseTensor tensor) {
  Type type = Type::Tensor(tensor.values ? tensor.values.element_type() : ElementType::kUndefined,
                           tensor.dims);
  Value& value = NewValue(Value::Kind::kInitializer, name, model_.Intern(std::move(type)));
  value.graph_ = &graph;
  value.sparse_ = std::make_unique<SparseTensor>(std::move(tensor));
  graph.initializers_.push_back(&value);
  return value;
}

void Rewriter::SetDefault(Value& graph_input, Tensor tensor) {
  // Looking at the list first drops what was erased: this very input may be among it.
  if (graph_input.tensor_) {
    graph_input.tensor_ = std::move(tensor);
    return;
  }
  graph_input.graph_->initializers();
  graph_input.tensor_ = std::move(tensor);
  graph_input.graph_->initializers_.push_back(&graph_input);
}

void Rewriter::SetDefault(Value& graph_input, SparseTensor tensor) {
  graph_input.sparse_ = std::make_unique<SparseTensor>(std::move(tensor));
  graph_input.graph_->initializers_.push_back(&graph_input);
}

void Rewriter::AddValueInfo(Graph& graph, ValueInfo info) {
  graph.value_info_.push_back(std::move(info));
}

void Rewriter::SetGraphText(Graph& graph, std::string name, std::string doc,
                            std::vector<std::pair<std::string, std::string>> metadata,
                            uint8_t spelling) {
  graph.name_ = std::move(name);
  graph.doc_ = std::move(doc);
  graph.metadata_ = std::move(metadata);
  graph.spelling_ = spelling;
}

void Rewriter::AddQuantizationAnnotation(Graph& graph, std::string message) {
  graph.quantization_annotations_.push_back(std::move(message));
}

Function& Rewriter::AddFunction(Name domain, Name name, Name overload) {
  auto function = std::make_unique<Function>();
  function->domain_ = domain;
  function->name_ = name;
  function->overload_ = overload;
  function->body_ = GraphPtr(new Graph(&model_));
  Graph& body = *function->body_;
  body.function_ = function.get();
  NodeId id = 0;
  body.return_node_ = model_.nodes_.Create(&id);
  body.return_node_->id_ = id;
  body.return_node_->graph_ = &body;
  body.return_node_->is_return_ = true;
  return *model_.functions_.emplace_back(std::move(function));
}

void Rewriter::SetFunctionInterface(Function& function, std::vector<Name> attributes,
                                    std::vector<Attribute> defaults,
                                    std::vector<OpsetImport> opset_imports) {
  function.attributes_ = std::move(attributes);
  function.attribute_defaults_ = std::move(defaults);
  function.opset_imports_ = std::move(opset_imports);
}

void Rewriter::EraseFunction(const Function& function) {
  EraseBody(function.body());
  std::erase_if(model_.functions_, [&](const auto& owned) { return owned.get() == &function; });
}

}  // namespace lathe::ir
