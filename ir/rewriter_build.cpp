// What readers build models of, and what the rest of the rewriter is made of.
#include <algorithm>

#include "lathe/ir/rewriter.h"

namespace lathe::ir {

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
