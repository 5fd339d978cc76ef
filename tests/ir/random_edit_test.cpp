// Random edits against a model of plain lists that does everything the slow, obvious way.
#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <random>

#include <gtest/gtest.h>

#include "lathe/ir/rewriter.h"
#include "lathe/ir/verifier.h"

namespace lathe::ir {
namespace {

struct NaiveOperand {
  std::optional<ValueId> value;
  Name annotation;
  // When the value was put here: the uses of a value are listed by it.
  uint64_t stamp = 0;
};

struct NaiveNode {
  const Graph* graph = nullptr;
  std::string op;
  Name name;
  std::vector<NaiveOperand> inputs;
  std::vector<NaiveOperand> captures;
  std::vector<ValueId> capture_values;
  std::vector<ValueId> outputs;
  // Attribute and its body, or null for a plain attribute.
  std::vector<std::pair<std::string, const Graph*>> attributes;
};

struct NaiveValue {
  const Graph* graph = nullptr;
  Value::Kind kind = Value::Kind::kNodeOutput;
  Name name;
};

struct NaiveGraph {
  std::optional<NodeId> owner;
  NodeId return_node = 0;
  std::vector<ValueId> inputs;
  std::vector<ValueId> initializers;
  std::vector<ValueId> captures;
  std::vector<NodeId> nodes;
};

class RandomEdits {
 public:
  explicit RandomEdits(uint32_t seed) : random_(seed) {
    rewriter_.AddListener(&touched_);
    graphs_[&model_.graph()].return_node = model_.graph().return_node()->id();
    nodes_[model_.graph().return_node()->id()].graph = &model_.graph();
    for (int i = 0; i < 3; ++i) AddInput(model_.graph());
    for (int i = 0; i < 6; ++i) CreateNode();
  }

  void Run(int edits) {
    for (int i = 0; i < edits; ++i) {
      Step();
      const Status status = touched_.Verify();
      ASSERT_TRUE(status.ok()) << "after " << last_ << ": " << FormatError(status);
    }
    const Status status = VerifyModel(model_);
    ASSERT_TRUE(status.ok()) << "after " << last_ << ": " << FormatError(status);
    Compare();
  }

 private:
  size_t Below(size_t count) {
    return std::uniform_int_distribution<size_t>(0, count - 1)(random_);
  }
  template <typename T>
  const T& Pick(const std::vector<T>& list) {
    return list[Below(list.size())];
  }
  Graph& Real(const Graph* graph) const { return const_cast<Graph&>(*graph); }
  Node& Real(NodeId id) const { return *model_.FindNode(id); }

  const Graph* PickGraph() {
    std::vector<const Graph*> all = {&model_.graph()};
    for (const auto& [id, node] : nodes_) {
      for (const auto& [name, body] : node.attributes) {
        if (body != nullptr) all.push_back(body);
      }
    }
    return Pick(all);
  }
  std::optional<NodeId> PickNode() {
    std::vector<NodeId> all;
    for (const auto& [id, node] : nodes_) {
      if (id != graphs_[node.graph].return_node) all.push_back(id);
    }
    if (all.empty()) return std::nullopt;
    return Pick(all);
  }
  std::optional<NodeId> PickUser() {
    std::vector<NodeId> all;
    for (const auto& [id, node] : nodes_) {
      if (!node.inputs.empty()) all.push_back(id);
    }
    if (all.empty()) return std::nullopt;
    return Pick(all);
  }

  size_t PositionOf(NodeId id) {
    const NaiveGraph& graph = graphs_[nodes_[id].graph];
    return static_cast<size_t>(std::ranges::find(graph.nodes, id) - graph.nodes.begin());
  }

  // What a node at this position of the graph may use.
  std::vector<ValueId> Visible(const Graph* graph, size_t position) {
    const NaiveGraph& naive = graphs_[graph];
    std::vector<ValueId> result = naive.inputs;
    for (const auto* list : {&naive.initializers, &naive.captures}) {
      result.insert(result.end(), list->begin(), list->end());
    }
    for (size_t i = 0; i < position; ++i) {
      const auto& outputs = nodes_[naive.nodes[i]].outputs;
      result.insert(result.end(), outputs.begin(), outputs.end());
    }
    return result;
  }

  // A value that a node at this position may use, captured if it is outside.
  std::optional<ValueId> PickOperand(const Graph* graph, size_t position) {
    const auto owner = graphs_[graph].owner;
    if (owner && Below(3) == 0) {
      const std::optional<ValueId> outer = PickOperand(nodes_[*owner].graph, PositionOf(*owner));
      if (outer) return Capture(graph, *outer);
    }
    const std::vector<ValueId> visible = Visible(graph, position);
    if (visible.empty()) return std::nullopt;
    return Pick(visible);
  }

  ValueId Capture(const Graph* graph, ValueId outer) {
    Value& inner = rewriter_.Capture(Real(graph), *model_.FindValue(outer));
    NaiveNode& owner = nodes_[*graphs_[graph].owner];
    for (size_t i = 0; i < owner.captures.size(); ++i) {
      const ValueId known = owner.capture_values[i];
      if (owner.captures[i].value == outer && values_[known].graph == graph) {
        EXPECT_EQ(inner.id(), known) << "captured twice";
        return known;
      }
    }
    EXPECT_FALSE(values_.contains(inner.id()));
    values_[inner.id()] = {graph, Value::Kind::kCapture, {}};
    owner.captures.push_back({outer, {}, ++clock_});
    owner.capture_values.push_back(inner.id());
    graphs_[graph].captures.push_back(inner.id());
    return inner.id();
  }

  std::vector<NaiveOperand*> UsesOf(ValueId id) {
    std::vector<NaiveOperand*> uses;
    for (auto& [node_id, node] : nodes_) {
      for (NaiveOperand& use : node.inputs) {
        if (use.value == id) uses.push_back(&use);
      }
      for (NaiveOperand& use : node.captures) {
        if (use.value == id) uses.push_back(&use);
      }
    }
    std::ranges::sort(uses, {}, [](const NaiveOperand* use) { return use->stamp; });
    return uses;
  }
  bool Unused(const std::vector<ValueId>& ids) {
    return std::ranges::all_of(ids, [&](ValueId id) { return UsesOf(id).empty(); });
  }
  bool IsOutput(ValueId id) {
    for (const auto& [graph, naive] : graphs_) {
      for (const NaiveOperand& use : nodes_[naive.return_node].inputs) {
        if (use.value == id) return true;
      }
    }
    return false;
  }

  void Put(NaiveOperand& operand, std::optional<ValueId> value) {
    if (operand.value == value) return;
    operand.value = value;
    operand.stamp = ++clock_;
  }

  // ---- Edits, each done to both ----

  void AddInput(const Graph& graph) {
    const Name name = model_.UniqueValueName("in");
    const ValueId id = rewriter_.AddGraphInput(Real(&graph), name, model_.unknown_type()).id();
    values_[id] = {&graph, Value::Kind::kGraphInput, name};
    graphs_[&graph].inputs.push_back(id);
  }

  void AddNaive(const Node& node, size_t position) {
    NaiveNode& naive = nodes_[node.id()];
    naive.graph = node.graph();
    naive.op = node.op_text();
    naive.name = node.name();
    for (const Value* output : node.outputs()) {
      naive.outputs.push_back(output->id());
      values_[output->id()] = {node.graph(), Value::Kind::kNodeOutput, output->name()};
    }
    auto& list = graphs_[node.graph()].nodes;
    list.insert(list.begin() + static_cast<std::ptrdiff_t>(position), node.id());
  }

  Node* At(const Graph* graph, size_t position) {
    const auto& list = graphs_[graph].nodes;
    return position == list.size() ? nullptr : &Real(list[position]);
  }

  void CreateNode() {
    const Graph* graph = PickGraph();
    const size_t position = Below(graphs_[graph].nodes.size() + 1);
    NodeSpec spec;
    spec.op = "Op";
    spec.name = Below(4) == 0 ? "" : "n";
    spec.outputs.assign(Below(3) + 1, "");
    std::vector<std::optional<ValueId>> inputs;
    for (size_t i = Below(4); i > 0; --i) {
      inputs.push_back(Below(8) == 0 ? std::nullopt : PickOperand(graph, position));
      spec.inputs.push_back(inputs.back() ? model_.FindValue(*inputs.back()) : nullptr);
    }
    const Node& node = rewriter_.CreateNode(Real(graph), At(graph, position), std::move(spec));
    AddNaive(node, position);
    for (const auto& input : inputs) nodes_[node.id()].inputs.push_back({input, {}, ++clock_});
  }

  void InsertBare() {
    const Graph* graph = PickGraph();
    const size_t position = Below(graphs_[graph].nodes.size() + 1);
    Node& node = rewriter_.InsertNode(Real(graph), At(graph, position), model_.Intern("Bare"), {},
                                      model_.UniqueNodeName("bare"));
    AddNaive(node, position);
    const std::optional<ValueId> value = PickOperand(graph, position);
    const std::vector<Value*> inputs = {nullptr, value ? model_.FindValue(*value) : nullptr};
    rewriter_.SetInputs(node, inputs);
    nodes_[node.id()].inputs = {{std::nullopt, {}, ++clock_}, {value, {}, ++clock_}};
    const Name name = model_.UniqueValueName("bare");
    const Value& output = rewriter_.AddOutput(node, name, model_.unknown_type());
    values_[output.id()] = {graph, Value::Kind::kNodeOutput, name};
    nodes_[node.id()].outputs.push_back(output.id());
  }

  void ForgetGraph(const Graph* graph) {
    const NaiveGraph naive = graphs_[graph];
    for (const NodeId id : naive.nodes) ForgetNode(id);
    nodes_.erase(naive.return_node);
    for (const auto* list : {&naive.inputs, &naive.initializers, &naive.captures}) {
      for (const ValueId id : *list) values_.erase(id);
    }
    graphs_.erase(graph);
  }
  void ForgetNode(NodeId id) {
    const NaiveNode node = nodes_[id];
    for (const auto& [name, body] : node.attributes) {
      if (body != nullptr) ForgetGraph(body);
    }
    for (const ValueId output : node.outputs) values_.erase(output);
    nodes_.erase(id);
  }
  void EraseNaive(NodeId id) {
    std::erase(graphs_[nodes_[id].graph].nodes, id);
    ForgetNode(id);
  }

  void EraseNode() {
    const auto id = PickNode();
    if (!id || !Unused(nodes_[*id].outputs)) return;
    rewriter_.Erase(Real(*id));
    EraseNaive(*id);
  }

  void SetInput() {
    const auto id = PickUser();
    if (!id) return;
    const Graph* graph = nodes_[*id].graph;
    const size_t i = Below(nodes_[*id].inputs.size());
    const bool is_return = graphs_[graph].return_node == *id;
    std::optional<ValueId> value =
        PickOperand(graph, is_return ? graphs_[graph].nodes.size() : PositionOf(*id));
    if (!is_return && Below(6) == 0) value.reset();
    if (is_return && !value) return;
    rewriter_.SetInput(Real(*id), i, value ? model_.FindValue(*value) : nullptr);
    Put(nodes_[*id].inputs[i], value);
  }

  void GrowInputs() {
    const auto id = PickNode();
    if (!id) return;
    const auto value = PickOperand(nodes_[*id].graph, PositionOf(*id));
    rewriter_.AddInput(Real(*id), value ? model_.FindValue(*value) : nullptr);
    nodes_[*id].inputs.push_back({value, {}, ++clock_});
  }

  void TruncateInputs() {
    const auto id = PickNode();
    if (!id) return;
    const size_t count = Below(nodes_[*id].inputs.size() + 2);
    rewriter_.TruncateInputs(Real(*id), count);
    if (count < nodes_[*id].inputs.size()) nodes_[*id].inputs.resize(count);
  }

  void Annotate() {
    const auto id = PickUser();
    if (!id) return;
    const size_t i = Below(nodes_[*id].inputs.size());
    const Name note = model_.Intern(fmt::format("note{}", Below(5)));
    rewriter_.SetAnnotation(Real(*id).inputs()[i], note);
    nodes_[*id].inputs[i].annotation = note;
  }

  // A node output and a value that every user of it may use instead.
  std::optional<std::pair<ValueId, ValueId>> PickReplacement() {
    const auto id = PickNode();
    if (!id || nodes_[*id].outputs.empty()) return std::nullopt;
    const std::vector<ValueId> visible = Visible(nodes_[*id].graph, PositionOf(*id));
    if (visible.empty()) return std::nullopt;
    return std::pair{Pick(nodes_[*id].outputs), Pick(visible)};
  }

  void ReplaceAllUses() {
    const auto pair = PickReplacement();
    if (!pair) return;
    rewriter_.ReplaceAllUses(*model_.FindValue(pair->first), *model_.FindValue(pair->second));
    for (NaiveOperand* use : UsesOf(pair->first)) Put(*use, pair->second);
  }

  void ReplaceValueNaive(ValueId from, ValueId to) {
    const Graph* graph = values_[from].graph;
    if (!IsOutput(from) || graphs_[graph].owner) {
      for (NaiveOperand* use : UsesOf(from)) Put(*use, to);
      return;
    }
    if (values_[to].kind == Value::Kind::kNodeOutput && !IsOutput(to)) {
      std::swap(values_[from].name, values_[to].name);
      for (NaiveOperand* use : UsesOf(from)) Put(*use, to);
      return;
    }
    const Node& identity = *Real(graph).last_node();
    EXPECT_TRUE(identity.Is("Identity"));
    const ValueId carried = identity.output()->id();
    EXPECT_FALSE(values_.contains(carried));
    AddNaive(identity, graphs_[graph].nodes.size());
    nodes_[identity.id()].inputs.push_back({to, {}, ++clock_});
    values_[carried].name = values_[from].name;
    values_[from].name = model_.FindValue(from)->name();
    for (NaiveOperand* use : UsesOf(from)) {
      bool output = false;
      for (const auto& [g, naive] : graphs_) {
        for (const NaiveOperand& each : nodes_[naive.return_node].inputs) output |= &each == use;
      }
      Put(*use, output ? carried : to);
    }
  }

  void ReplaceValue() {
    const auto pair = PickReplacement();
    if (!pair) return;
    rewriter_.ReplaceValue(*model_.FindValue(pair->first), *model_.FindValue(pair->second));
    ReplaceValueNaive(pair->first, pair->second);
  }

  void ReplaceNode() {
    const auto pair = PickReplacement();
    if (!pair) return;
    Node& node = *model_.FindValue(pair->first)->producer();
    if (node.num_outputs() != 1) return;
    const NodeId id = node.id();
    rewriter_.ReplaceNode(node, *model_.FindValue(pair->second));
    if (model_.FindNode(id) != nullptr) ADD_FAILURE() << "the replaced node is still there";
    ReplaceValueNaiveErased(pair->first, pair->second, id);
  }

  // As ReplaceValueNaive, when the real value is gone by now (its new name is of no interest).
  void ReplaceValueNaiveErased(ValueId from, ValueId to, NodeId node) {
    const Graph* graph = values_[from].graph;
    const bool needs_identity = IsOutput(from) && !graphs_[graph].owner &&
                                (values_[to].kind != Value::Kind::kNodeOutput || IsOutput(to));
    if (!needs_identity) {
      ReplaceValueNaive(from, to);
    } else {
      const Node& identity = *Real(graph).last_node();
      EXPECT_TRUE(identity.Is("Identity"));
      AddNaive(identity, graphs_[graph].nodes.size());
      nodes_[identity.id()].inputs.push_back({to, {}, ++clock_});
      const ValueId carried = identity.output()->id();
      EXPECT_EQ(values_[carried].name, values_[from].name);
      const NodeId return_node = graphs_[graph].return_node;
      for (NaiveOperand* use : UsesOf(from)) {
        bool output = false;
        for (const NaiveOperand& each : nodes_[return_node].inputs) output |= &each == use;
        Put(*use, output ? carried : to);
      }
    }
    EraseNaive(node);
  }

  void Move() {
    const auto id = PickNode();
    if (!id) return;
    const Graph* graph = nodes_[*id].graph;
    auto& list = graphs_[graph].nodes;
    const size_t from = PositionOf(*id);
    // As far as operands and users allow.
    size_t low = from;
    size_t high = from;
    const NaiveNode& node = nodes_[*id];
    const auto produces = [&](NodeId other) {
      return std::ranges::any_of(nodes_[other].outputs, [&](ValueId output) {
        const auto reads = [&](const NaiveOperand& use) { return use.value == output; };
        return std::ranges::any_of(node.inputs, reads) || std::ranges::any_of(node.captures, reads);
      });
    };
    const auto reads = [&](NodeId other) {
      const NaiveNode& user = nodes_[other];
      return std::ranges::any_of(node.outputs, [&](ValueId output) {
        const auto same = [&](const NaiveOperand& use) { return use.value == output; };
        return std::ranges::any_of(user.inputs, same) || std::ranges::any_of(user.captures, same);
      });
    };
    while (low > 0 && !produces(list[low - 1])) --low;
    while (high + 1 < list.size() && !reads(list[high + 1])) ++high;
    // In front of list[to] as the list is now; to == high + 1 is behind the last allowed.
    const size_t to = low + Below(high + 2 - low);
    Node* before = At(graph, to);
    rewriter_.Move(Real(*id), before);
    if (to == from || to == from + 1) return;
    list.erase(list.begin() + static_cast<std::ptrdiff_t>(from));
    list.insert(list.begin() + static_cast<std::ptrdiff_t>(to > from ? to - 1 : to), *id);
  }

  void AddBody() {
    const auto id = PickNode();
    if (!id || nodes_.size() > 60) return;
    // Deep enough is deep enough.
    int depth = 0;
    for (const Graph* graph = nodes_[*id].graph; graphs_[graph].owner; ++depth) {
      graph = nodes_[*graphs_[graph].owner].graph;
    }
    if (depth > 3) return;
    const bool several = Below(3) == 0;
    const auto& attributes = nodes_[*id].attributes;
    std::string name = fmt::format("{}{}", several ? "branches" : "body", ++bodies_);
    if (several && !attributes.empty() && attributes.back().first.starts_with("branches")) {
      name = attributes.back().first;
    }
    const Graph& body = rewriter_.AddBody(Real(*id), model_.Intern(name), several);
    graphs_[&body].owner = *id;
    graphs_[&body].return_node = body.return_node()->id();
    nodes_[body.return_node()->id()].graph = &body;
    nodes_[*id].attributes.emplace_back(name, &body);
    if (Below(2) == 0) AddInput(body);
    if (const auto value = PickOperand(&body, 0)) AddOutput(&body, *value);
  }

  void AddOutput(const Graph* graph, ValueId value) {
    rewriter_.AddGraphOutput(Real(graph), model_.FindValue(value));
    nodes_[graphs_[graph].return_node].inputs.push_back({value, {}, ++clock_});
  }
  void AddOutput() {
    const Graph* graph = PickGraph();
    if (const auto value = PickOperand(graph, graphs_[graph].nodes.size())) {
      AddOutput(graph, *value);
    }
  }

  void DropCapturesIf(NodeId id, const std::function<bool(ValueId)>& goes) {
    NaiveNode& node = nodes_[id];
    for (size_t i = 0; i < node.captures.size();) {
      const ValueId inner = node.capture_values[i];
      if (!goes(inner)) {
        ++i;
        continue;
      }
      if (const auto it = values_.find(inner); it != values_.end()) {
        std::erase(graphs_[it->second.graph].captures, inner);
        values_.erase(it);
      }
      node.captures.erase(node.captures.begin() + static_cast<std::ptrdiff_t>(i));
      node.capture_values.erase(node.capture_values.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }

  void EraseUnusedCaptures() {
    const auto id = PickNode();
    if (!id) return;
    rewriter_.EraseUnusedCaptures(Real(*id));
    DropCapturesIf(*id, [&](ValueId inner) { return UsesOf(inner).empty(); });
  }

  void SetAttribute() {
    const auto id = PickNode();
    if (!id) return;
    const std::string name = fmt::format("attribute{}", Below(3));
    rewriter_.SetAttribute(Real(*id), name, static_cast<int64_t>(Below(9)));
    auto& attributes = nodes_[*id].attributes;
    for (const auto& [known, body] : attributes) {
      if (known == name) return;
    }
    attributes.emplace_back(name, nullptr);
  }

  void RemoveAttribute() {
    const auto id = PickNode();
    if (!id || nodes_[*id].attributes.empty()) return;
    const std::string name = Pick(nodes_[*id].attributes).first;
    rewriter_.RemoveAttribute(Real(*id), name);
    // An attribute of several bodies stands as several entries here.
    auto& attributes = nodes_[*id].attributes;
    auto first = std::ranges::find(attributes, name, [](const auto& each) { return each.first; });
    auto last = first + 1;
    while (last != attributes.end() && last->first == name) ++last;
    std::vector<const Graph*> gone;
    for (auto it = first; it != last; ++it) {
      if (it->second != nullptr) gone.push_back(it->second);
    }
    attributes.erase(first, last);
    DropCapturesIf(*id, [&](ValueId inner) {
      return std::ranges::find(gone, values_[inner].graph) != gone.end();
    });
    for (const Graph* body : gone) ForgetGraph(body);
  }

  void CreateInitializer() {
    const Graph* graph = PickGraph();
    const Value& value = rewriter_.CreateInitializer(Real(graph), "w", Tensor::Scalar(1.0f));
    values_[value.id()] = {graph, Value::Kind::kInitializer, value.name()};
    graphs_[graph].initializers.push_back(value.id());
  }

  void EraseInitializer() {
    const Graph* graph = PickGraph();
    auto& list = graphs_[graph].initializers;
    if (list.empty()) return;
    const ValueId id = Pick(list);
    if (values_[id].kind == Value::Kind::kInitializer) {
      if (!UsesOf(id).empty()) return;
      values_.erase(id);
    }
    rewriter_.EraseInitializer(*model_.FindValue(id));
    std::erase(list, id);
  }

  void SetDefault() {
    const Graph* graph = PickGraph();
    if (graphs_[graph].inputs.empty()) return;
    const ValueId id = Pick(graphs_[graph].inputs);
    rewriter_.SetDefault(*model_.FindValue(id), Tensor::Scalar(2.0f));
    auto& list = graphs_[graph].initializers;
    if (std::ranges::find(list, id) == list.end()) list.push_back(id);
  }

  void FreezeInput() {
    const Graph* graph = PickGraph();
    NaiveGraph& naive = graphs_[graph];
    for (const ValueId id : naive.initializers) {
      if (values_[id].kind != Value::Kind::kGraphInput) continue;
      rewriter_.FreezeInput(*model_.FindValue(id));
      values_[id].kind = Value::Kind::kInitializer;
      std::erase(naive.inputs, id);
      return;
    }
  }

  void Rename() {
    const auto id = PickNode();
    if (!id) return;
    const Name node_name = model_.UniqueNodeName("renamed");
    rewriter_.Rename(Real(*id), node_name);
    nodes_[*id].name = node_name;
    if (nodes_[*id].outputs.empty()) return;
    const ValueId output = Pick(nodes_[*id].outputs);
    const Name name = model_.UniqueValueName("renamed");
    rewriter_.Rename(*model_.FindValue(output), name);
    values_[output].name = name;
  }

  void ChangeOperator() {
    const auto id = PickNode();
    if (!id) return;
    rewriter_.SetOperator(Real(*id), "Other", "some.domain");
    nodes_[*id].op = "Other";
  }

  void Step() {
    struct Edit {
      const char* name;
      void (RandomEdits::*run)();
      size_t weight;
    };
    static constexpr Edit kEdits[] = {
        {"CreateNode", &RandomEdits::CreateNode, 6},
        {"InsertBare", &RandomEdits::InsertBare, 2},
        {"EraseNode", &RandomEdits::EraseNode, 4},
        {"SetInput", &RandomEdits::SetInput, 6},
        {"GrowInputs", &RandomEdits::GrowInputs, 3},
        {"TruncateInputs", &RandomEdits::TruncateInputs, 2},
        {"Annotate", &RandomEdits::Annotate, 2},
        {"ReplaceAllUses", &RandomEdits::ReplaceAllUses, 3},
        {"ReplaceValue", &RandomEdits::ReplaceValue, 3},
        {"ReplaceNode", &RandomEdits::ReplaceNode, 3},
        {"Move", &RandomEdits::Move, 4},
        {"AddBody", &RandomEdits::AddBody, 4},
        {"AddOutput", &RandomEdits::AddOutput, 2},
        {"EraseUnusedCaptures", &RandomEdits::EraseUnusedCaptures, 2},
        {"SetAttribute", &RandomEdits::SetAttribute, 1},
        {"RemoveAttribute", &RandomEdits::RemoveAttribute, 2},
        {"CreateInitializer", &RandomEdits::CreateInitializer, 2},
        {"EraseInitializer", &RandomEdits::EraseInitializer, 2},
        {"SetDefault", &RandomEdits::SetDefault, 1},
        {"FreezeInput", &RandomEdits::FreezeInput, 1},
        {"Rename", &RandomEdits::Rename, 2},
        {"ChangeOperator", &RandomEdits::ChangeOperator, 1},
    };
    size_t total = 0;
    for (const Edit& edit : kEdits) total += edit.weight;
    size_t at = Below(total);
    for (const Edit& edit : kEdits) {
      if (at < edit.weight) {
        last_ = edit.name;
        (this->*edit.run)();
        return;
      }
      at -= edit.weight;
    }
  }

  // ---- Both are the same ----

  static std::vector<ValueId> Ids(std::span<Value* const> values) {
    std::vector<ValueId> ids;
    for (const Value* value : values) ids.push_back(value->id());
    return ids;
  }

  void CompareOperands(std::span<const Use> uses, const std::vector<NaiveOperand>& naive) {
    ASSERT_EQ(uses.size(), naive.size());
    for (size_t i = 0; i < uses.size(); ++i) {
      const Value* value = uses[i].value();
      EXPECT_EQ(value == nullptr ? std::nullopt : std::optional(value->id()), naive[i].value);
      EXPECT_EQ(uses[i].annotation(), naive[i].annotation);
    }
  }

  void Compare() {
    size_t nodes = 0;
    for (NodeId id = 0; id < model_.node_id_end(); ++id) nodes += model_.FindNode(id) != nullptr;
    size_t values = 0;
    for (ValueId id = 0; id < model_.value_id_end(); ++id)
      values += model_.FindValue(id) != nullptr;
    EXPECT_EQ(nodes, nodes_.size());
    EXPECT_EQ(values, values_.size());
    EXPECT_EQ(model_.AllGraphs().size(), graphs_.size());
    for (const auto& [graph, naive] : graphs_) {
      EXPECT_EQ(Ids(graph->inputs()), naive.inputs);
      EXPECT_EQ(Ids(graph->initializers()), naive.initializers);
      EXPECT_EQ(Ids(graph->captures()), naive.captures);
      std::vector<NodeId> order;
      for (const Node& node : graph->nodes()) order.push_back(node.id());
      EXPECT_EQ(order, naive.nodes);
    }
    for (const auto& [id, naive] : nodes_) {
      const Node* node = model_.FindNode(id);
      ASSERT_NE(node, nullptr);
      EXPECT_EQ(node->graph(), naive.graph);
      EXPECT_EQ(node->name(), naive.name);
      EXPECT_EQ(node->op_text(), naive.op);
      CompareOperands(node->inputs(), naive.inputs);
      CompareOperands(node->captures(), naive.captures);
      EXPECT_EQ(Ids(node->outputs()), naive.outputs);
      size_t bodies = 0;
      for (const auto& [name, body] : naive.attributes) bodies += body != nullptr;
      EXPECT_EQ(node->bodies().size(), bodies);
    }
    for (const auto& [id, naive] : values_) {
      const Value* value = model_.FindValue(id);
      ASSERT_NE(value, nullptr);
      EXPECT_EQ(value->kind(), naive.kind);
      EXPECT_EQ(value->graph(), naive.graph);
      if (naive.kind != Value::Kind::kCapture) {
        EXPECT_EQ(value->name(), naive.name);
      }
      const std::vector<NaiveOperand*> uses = UsesOf(id);
      ASSERT_EQ(value->use_count(), uses.size());
      size_t i = 0;
      for (const Use& use : value->uses()) {
        const NaiveNode& user = nodes_[use.user()->id()];
        const NaiveOperand& operand = use.index() < user.inputs.size()
                                          ? user.inputs[use.index()]
                                          : user.captures[use.index() - user.inputs.size()];
        EXPECT_EQ(&operand, uses[i++]) << "the uses are in another order";
      }
    }
  }

  std::mt19937 random_;
  Model model_;
  Rewriter rewriter_{model_};
  TouchedVerifier touched_{model_};
  std::map<NodeId, NaiveNode> nodes_;
  std::map<ValueId, NaiveValue> values_;
  std::map<const Graph*, NaiveGraph> graphs_;
  uint64_t clock_ = 0;
  int bodies_ = 0;
  const char* last_ = "start";
};

TEST(RandomEdits, AgreeWithPlainLists) {
  for (uint32_t seed = 0; seed < 10000; ++seed) {
    SCOPED_TRACE(fmt::format("sequence {}", seed));
    RandomEdits(seed).Run(12);
    if (HasFailure()) return;
  }
}

TEST(RandomEdits, LongSequencesToo) {
  for (uint32_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(fmt::format("sequence {}", seed));
    RandomEdits edits(1000000 + seed);
    for (int i = 0; i < 30; ++i) {
      edits.Run(20);
      if (HasFailure()) return;
    }
  }
}

}  // namespace
}  // namespace lathe::ir
