#include "lathe/ir/verifier.h"

#include <algorithm>
#include <string>
#include <tuple>
#include <utility>

#include <absl/container/flat_hash_map.h>

namespace lathe::ir {

class Verifier {
 public:
  explicit Verifier(const Model& model) : model_(model) {}

  // `names`: also that names in the graph are unambiguous.
  Status CheckGraph(const Graph& graph, bool names);
  Status CheckNode(const Node& node);
  Status CheckValue(const Value& value);
  Status CheckFunctions();
  // After all graphs were checked: nothing alive lies outside of them.
  Status CheckAllReached();

 private:
  std::string Place(const Graph& graph) const;
  std::string Describe(const Value* value) const;
  template <typename... Args>
  Status Fail(const Graph& graph, fmt::format_string<Args...> format, Args&&... args) {
    return InternalError("{}: {}", Place(graph), fmt::format(format, std::forward<Args>(args)...));
  }
  template <typename... Args>
  Status Fail(const Node& node, fmt::format_string<Args...> format, Args&&... args) {
    return WithContext(InternalError("{}", fmt::format(format, std::forward<Args>(args)...)),
                       ErrorContext::kNode, DisplayName(node));
  }
  std::string DisplayName(const Node& node) const;

  bool Alive(const Node* node) const {
    return node != nullptr && model_.FindNode(node->id_) == node;
  }
  bool Alive(const Value* value) const {
    return value != nullptr && model_.FindValue(value->id_) == value;
  }
  bool Listed(const Node& node) const;

  Status CheckNodeList(const Graph& graph);
  Status CheckLinks(const Node& node);
  Status CheckOperands(const Node& node);
  Status CheckCaptures(const Node& node);
  Status CheckOutputs(const Node& node);
  Status CheckUses(const Value& value);
  Status CheckType(const Value& value);
  Status CheckGraphValues(const Graph& graph);
  Status CheckValueInfo(const Graph& graph);
  Status CheckNames(const Graph& graph);

  const Model& model_;
  absl::flat_hash_set<const Type*> known_types_;
  size_t reached_nodes_ = 0;
  size_t reached_values_ = 0;
};

std::string Verifier::Place(const Graph& graph) const {
  if (graph.owner_ != nullptr) {
    return fmt::format("body '{}' of node '{}'", graph.name_, DisplayName(*graph.owner_));
  }
  if (graph.function_ != nullptr) {
    return fmt::format("function '{}'", model_.Text(graph.function_->name()));
  }
  return fmt::format("graph '{}'", graph.name_);
}

std::string Verifier::DisplayName(const Node& node) const {
  return node.is_return_ ? "outputs of " + Place(*node.graph_) : node.display_name();
}

std::string Verifier::Describe(const Value* value) const {
  if (value == nullptr) return "no value";
  if (!Alive(value)) {
    return fmt::format("erased value '{}' (id {})", model_.Text(value->name_), value->id_);
  }
  if (value->kind_ == Value::Kind::kCapture && value->captured()->value() == nullptr) {
    return fmt::format("capture (id {})", value->id_);
  }
  const Name name = value->name();
  if (name.empty()) return fmt::format("unnamed value (id {})", value->id_);
  return fmt::format("value '{}'", model_.Text(name));
}

// ---- Nodes ----

bool Verifier::Listed(const Node& node) const {
  const Graph& graph = *node.graph_;
  return (node.previous_ != nullptr ? node.previous_->next_ : graph.first_node_) == &node &&
         (node.next_ != nullptr ? node.next_->previous_ : graph.last_node_) == &node;
}

Status Verifier::CheckLinks(const Node& node) {
  if (node.is_return_) {
    if (node.graph_->return_node_ != &node) return Fail(node, "is not its graph's return node");
    if (!node.outputs_.empty()) return Fail(node, "the return node has outputs");
    return OkStatus();
  }
  if (!Listed(node)) return Fail(node, "its neighbours in the node list do not point back to it");
  for (const Node* neighbour : {node.previous_, node.next_}) {
    if (neighbour != nullptr && neighbour->graph_ != node.graph_) {
      return Fail(node, "its neighbour '{}' is in another graph", DisplayName(*neighbour));
    }
  }
  if (node.previous_ != nullptr && node.previous_->order_ >= node.order_) {
    return Fail(node, "its order number {} does not come after {} of '{}'", node.order_,
                node.previous_->order_, DisplayName(*node.previous_));
  }
  return OkStatus();
}

Status Verifier::CheckOperands(const Node& node) {
  for (uint32_t i = 0; i < node.operands().size(); ++i) {
    const Use& use = node.operands()[i];
    const char* what = i < node.num_inputs_ ? "input" : "capture";
    const uint32_t number = i < node.num_inputs_ ? i : i - node.num_inputs_;
    if (use.user_ != &node || use.index_ != i) {
      return Fail(node, "{} {} says it is another operand", what, number);
    }
    const Value* value = use.value_;
    if (value == nullptr) {
      if (i >= node.num_inputs_) return Fail(node, "capture {} captures nothing", number);
      if (node.is_return_) return Fail(node, "output {} has no value", number);
      continue;
    }
    if (!Alive(value)) return Fail(node, "{} {} is {}", what, number, Describe(value));
    // The list holds this use: its neighbours there point to it.
    const bool linked =
        (use.previous_ != nullptr ? use.previous_->next_ : value->first_use_) == &use &&
        (use.next_ != nullptr ? use.next_->previous_ : value->last_use_) == &use;
    if (!linked) {
      return Fail(node, "{} {} is missing from the uses of {}", what, number, Describe(value));
    }
    if (value->graph() != node.graph_) {
      return Fail(node, "{} {} is {} of {}; a body reaches it through a capture", what, number,
                  Describe(value), Place(*value->graph()));
    }
    if (const Node* producer = value->producer(); producer != nullptr && !node.is_return_) {
      if (!producer->IsBefore(node)) {
        return Fail(node, "{} {} is {}, which node '{}' defines only later", what, number,
                    Describe(value), DisplayName(*producer));
      }
    }
  }
  return OkStatus();
}

Status Verifier::CheckCaptures(const Node& node) {
  const std::vector<Graph*> bodies = node.bodies();
  if (!bodies.empty() && !node.has_bodies_) return Fail(node, "does not know of its bodies");
  size_t listed = 0;
  std::vector<bool> found(node.capture_values_.size());
  for (const Graph* body : bodies) {
    if (body->owner_ != &node) return Fail(node, "body '{}' has another owner", body->name_);
    if (body->function_ != nullptr) return Fail(node, "body '{}' is a function's", body->name_);
    for (const Value* inner : body->captures_) {
      if (!Alive(inner) || inner->kind_ != Value::Kind::kCapture || inner->graph_ != body ||
          inner->index_ >= node.capture_values_.size() ||
          node.capture_values_[inner->index_] != inner || found[inner->index_]) {
        return Fail(node, "body '{}' lists {} as a capture, which is none", body->name_,
                    Describe(inner));
      }
      found[inner->index_] = true;
      ++listed;
    }
  }
  if (node.capture_values_.size() != node.num_captures_ || listed != node.num_captures_) {
    return Fail(node, "has {} captured operands, but {} values for them and {} in its bodies",
                node.num_captures_, node.capture_values_.size(), listed);
  }
  return OkStatus();
}

Status Verifier::CheckOutputs(const Node& node) {
  for (uint32_t i = 0; i < node.outputs_.size(); ++i) {
    const Value* output = node.outputs_[i];
    if (!Alive(output)) return Fail(node, "output {} is {}", i, Describe(output));
    if (output->kind_ != Value::Kind::kNodeOutput || output->producer_ != &node ||
        output->index_ != i) {
      return Fail(node, "output {} says that it is defined elsewhere", i);
    }
    LATHE_RETURN_IF_ERROR(CheckValue(*output));
  }
  return OkStatus();
}

Status Verifier::CheckNode(const Node& node) {
  ++reached_nodes_;
  if (!Alive(&node)) {
    return InternalError("a graph holds an erased node (id {})", node.id_);
  }
  if (node.graph_ == nullptr || node.graph_->model_ != &model_) {
    return InternalError("node {} belongs to another model", node.id_);
  }
  LATHE_RETURN_IF_ERROR(CheckLinks(node));
  LATHE_RETURN_IF_ERROR(CheckOperands(node));
  LATHE_RETURN_IF_ERROR(CheckCaptures(node));
  return CheckOutputs(node);
}

// ---- Values ----

Status Verifier::CheckUses(const Value& value) {
  uint32_t count = 0;
  uint32_t outputs = 0;
  const Use* previous = nullptr;
  for (const Use* use = value.first_use_; use != nullptr; use = use->next_) {
    if (use->value_ != &value || use->previous_ != previous || count == value.use_count_) {
      return Fail(*value.graph(), "the list of uses of {} is broken after {} of {}",
                  Describe(&value), count, value.use_count_);
    }
    const Node* user = use->user_;
    if (!Alive(user) || use->index_ >= user->operands().size() ||
        &user->operands()[use->index_] != use) {
      return Fail(*value.graph(), "use {} of {} is no operand of a node", count, Describe(&value));
    }
    previous = use;
    ++count;
    if (user->is_return()) ++outputs;
  }
  if (count != value.use_count_ || value.last_use_ != previous) {
    return Fail(*value.graph(), "{} counts {} uses and has {}", Describe(&value), value.use_count_,
                count);
  }
  if (outputs != value.output_count_) {
    return Fail(*value.graph(), "{} counts {} uses as output and has {}", Describe(&value),
                value.output_count_, outputs);
  }
  return OkStatus();
}

Status Verifier::CheckType(const Value& value) {
  if (value.kind_ == Value::Kind::kCapture) return OkStatus();
  const Type* type = value.type_;
  if (type == nullptr) return Fail(*value.graph(), "{} has no type", Describe(&value));
  if (known_types_.contains(type)) return OkStatus();
  if (!model_.types().Owns(type) ||
      (type->nested != nullptr && !model_.types().Owns(type->nested))) {
    return Fail(*value.graph(), "the type of {} is not from the model's table", Describe(&value));
  }
  known_types_.insert(type);
  return OkStatus();
}

Status Verifier::CheckValue(const Value& value) {
  ++reached_values_;
  LATHE_RETURN_IF_ERROR(CheckUses(value));
  return CheckType(value);
}

// ---- Graphs ----

Status Verifier::CheckNodeList(const Graph& graph) {
  size_t count = 0;
  size_t with_bodies = 0;
  const Node* previous = nullptr;
  for (const Node* node = graph.first_node_; node != nullptr; node = node->next_) {
    if (node->previous_ != previous || node->graph_ != &graph || count == graph.num_nodes_) {
      return Fail(graph, "the node list is broken after {} of {} nodes", count, graph.num_nodes_);
    }
    previous = node;
    ++count;
    if (node->has_bodies_) ++with_bodies;
  }
  if (with_bodies != graph.num_nodes_with_bodies_) {
    return Fail(graph, "counts {} nodes with bodies and has {}", graph.num_nodes_with_bodies_,
                with_bodies);
  }
  if (count != graph.num_nodes_ || graph.last_node_ != previous) {
    return Fail(graph, "counts {} nodes and has {}", graph.num_nodes_, count);
  }
  return OkStatus();
}

Status Verifier::CheckGraphValues(const Graph& graph) {
  const auto belongs = [&](const Value* value) { return Alive(value) && value->graph_ == &graph; };
  for (uint32_t i = 0; i < graph.inputs_.size(); ++i) {
    const Value* value = graph.inputs_[i];
    if (!belongs(value) || value->kind_ != Value::Kind::kGraphInput || value->index_ != i) {
      return Fail(graph, "input {} is {}, which is no input of this graph", i, Describe(value));
    }
    LATHE_RETURN_IF_ERROR(CheckValue(*value));
  }
  absl::flat_hash_set<const Value*> listed;
  for (const Value* value : graph.initializers()) {
    if (!belongs(value) ||
        (value->kind_ != Value::Kind::kInitializer && value->kind_ != Value::Kind::kGraphInput)) {
      return Fail(graph, "the list of initializers has {}, which is none of this graph's",
                  Describe(value));
    }
    if (!listed.insert(value).second) {
      return Fail(graph, "initializer {} is listed twice", Describe(value));
    }
    if (!value->tensor_ && value->sparse_ == nullptr) {
      return Fail(graph, "initializer {} has no data", Describe(value));
    }
    if (value->kind_ == Value::Kind::kInitializer) LATHE_RETURN_IF_ERROR(CheckValue(*value));
  }
  for (const Value* value : graph.inputs_) {
    if (value->tensor_ && !listed.contains(value)) {
      return Fail(graph, "input {} has a default that is no initializer", Describe(value));
    }
  }
  if (graph.owner_ == nullptr && !graph.captures_.empty()) {
    return Fail(graph, "captures values without being a body");
  }
  for (const Value* value : graph.captures_) LATHE_RETURN_IF_ERROR(CheckValue(*value));
  return OkStatus();
}

Status Verifier::CheckValueInfo(const Graph& graph) {
  for (const ValueInfo& info : graph.value_info_) {
    // The entry of a value needs no type of its own.
    const bool may_lack_type = info.value != nullptr && info.type == nullptr;
    if (!may_lack_type && !model_.types().Owns(info.type)) {
      return Fail(graph, "the type of a value info is not from the model's table");
    }
    if (info.value != nullptr && !info.value->erased_ && info.value->graph() != &graph) {
      return Fail(graph, "value info of {}, which is of {}", Describe(info.value),
                  Place(*info.value->graph()));
    }
  }
  return OkStatus();
}

Status Verifier::CheckNames(const Graph& graph) {
  absl::flat_hash_map<Name, const Value*> meaning;
  const auto define = [&](const Value* value) {
    if (value->name().empty()) return true;
    return meaning.emplace(value->name(), value->Resolve()).first->second == value->Resolve();
  };
  const auto check = [&](const Value* value) {
    if (define(value)) return OkStatus();
    return Fail(graph, "the name '{}' means two values", model_.Text(value->name()));
  };
  for (const Value* value : graph.inputs_) LATHE_RETURN_IF_ERROR(check(value));
  for (const Value* value : graph.initializers()) LATHE_RETURN_IF_ERROR(check(value));
  for (const Node& node : graph.nodes()) {
    for (const Value* value : node.outputs_) {
      if (!define(value)) {
        return Fail(node, "the name '{}' of its output {} means another value of {} too",
                    model_.Text(value->name()), value->index_, Place(graph));
      }
    }
  }
  for (const Value* value : graph.captures_) {
    if (!define(value)) {
      return Fail(graph, "the name '{}' means a captured value and another one",
                  model_.Text(value->name()));
    }
    if (value->name().empty()) return Fail(graph, "captures a value without a name");
  }
  for (const Value* value : graph.inputs_) {
    if (value->name().empty()) return Fail(graph, "input {} has no name", value->index_);
  }
  for (const Node& node : graph.nodes()) {
    for (const Use& use : node.inputs()) {
      if (use.value_ != nullptr && use.value_->name().empty()) {
        return Fail(node, "input {} is a value without a name", use.index_);
      }
    }
  }
  for (const Use& use : std::as_const(*graph.return_node_).inputs()) {
    if (use.value_->name().empty()) return Fail(graph, "output {} has no name", use.index_);
  }
  return OkStatus();
}

Status Verifier::CheckGraph(const Graph& graph, bool names) {
  if (graph.model_ != &model_) return InternalError("a graph belongs to another model");
  const Node* end = graph.return_node_;
  if (!Alive(end) || end->graph_ != &graph || !end->is_return_) {
    return Fail(graph, "has no return node");
  }
  LATHE_RETURN_IF_ERROR(CheckNodeList(graph));
  LATHE_RETURN_IF_ERROR(CheckGraphValues(graph));
  for (const Node& node : graph.nodes()) LATHE_RETURN_IF_ERROR(CheckNode(node));
  LATHE_RETURN_IF_ERROR(CheckNode(*end));
  LATHE_RETURN_IF_ERROR(CheckValueInfo(graph));
  return names ? CheckNames(graph) : OkStatus();
}

Status Verifier::CheckFunctions() {
  absl::flat_hash_set<std::tuple<Name, Name, Name>> known;
  for (const auto& function : model_.functions()) {
    const Graph& body = function->body();
    if (body.function_ != function.get() || body.owner_ != nullptr) {
      return Fail(body, "its body does not belong to it");
    }
    if (!known.emplace(function->domain(), function->name(), function->overload()).second) {
      return Fail(body, "is defined twice");
    }
    absl::flat_hash_set<Name> attributes(function->attributes().begin(),
                                         function->attributes().end());
    size_t count = function->attributes().size();
    for (const Attribute& attribute : function->attribute_defaults()) {
      attributes.insert(attribute.name);
      ++count;
    }
    if (attributes.size() != count) return Fail(body, "names an attribute twice");
  }
  return OkStatus();
}

Status Verifier::CheckAllReached() {
  size_t nodes = 0;
  for (NodeId id = 0; id < model_.node_id_end(); ++id) nodes += model_.FindNode(id) != nullptr;
  size_t values = 0;
  for (ValueId id = 0; id < model_.value_id_end(); ++id) values += model_.FindValue(id) != nullptr;
  if (nodes != reached_nodes_ || values != reached_values_) {
    return InternalError("the model has {} nodes and {} values, its graphs {} and {}", nodes,
                         values, reached_nodes_, reached_values_);
  }
  return OkStatus();
}

Status VerifyModel(const Model& model) {
  Verifier verifier(model);
  if (model.graph().owner() != nullptr || model.graph().function() != nullptr) {
    return InternalError("the main graph is a body");
  }
  LATHE_RETURN_IF_ERROR(verifier.CheckFunctions());
  for (const Graph* graph : model.AllGraphs()) {
    LATHE_RETURN_IF_ERROR(verifier.CheckGraph(*graph, true));
  }
  return verifier.CheckAllReached();
}

// ---- What was touched ----

void TouchedVerifier::Touch(const Node* node) {
  if (node != nullptr && seen_nodes_.insert(node->id()).second) nodes_.push_back(node->id());
}

void TouchedVerifier::Touch(const Value* value) {
  if (value != nullptr && seen_values_.insert(value->id()).second) values_.push_back(value->id());
}

void TouchedVerifier::OnNodeCreated(Node& node) { Touch(&node); }

void TouchedVerifier::OnNodeErased(Node& node) {
  for (const Use& use : node.operands()) Touch(use.value());
  Touch(node.previous());
  Touch(node.next());
}

void TouchedVerifier::OnOperandChanged(Use& use, Value* old_value) {
  Touch(use.user());
  Touch(old_value);
}

void TouchedVerifier::OnNodeChanged(Node& node) { Touch(&node); }

void TouchedVerifier::OnValueChanged(Value& value) { Touch(&value); }

Status TouchedVerifier::Verify() {
  const std::vector<NodeId> nodes = std::exchange(nodes_, {});
  const std::vector<ValueId> values = std::exchange(values_, {});
  seen_nodes_.clear();
  seen_values_.clear();
  Verifier verifier(model_);
  for (const NodeId id : nodes) {
    const Node* node = model_.FindNode(id);
    if (node == nullptr) continue;
    LATHE_RETURN_IF_ERROR(verifier.CheckNode(*node));
    for (const Use& use : node->operands()) {
      if (use.value() != nullptr) LATHE_RETURN_IF_ERROR(verifier.CheckValue(*use.value()));
    }
    // Its users must still come after it, and what comes next after it too.
    for (const Value* output : node->outputs()) {
      for (const Use& use : output->uses()) LATHE_RETURN_IF_ERROR(verifier.CheckNode(*use.user()));
    }
    if (node->next() != nullptr) LATHE_RETURN_IF_ERROR(verifier.CheckNode(*node->next()));
  }
  for (const ValueId id : values) {
    const Value* value = model_.FindValue(id);
    if (value != nullptr) LATHE_RETURN_IF_ERROR(verifier.CheckValue(*value));
  }
  return OkStatus();
}

}  // namespace lathe::ir
