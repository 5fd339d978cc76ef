#include "lathe/ir/model.h"

#include <algorithm>

#include "lathe/ir/rewriter.h"

namespace lathe::ir {
namespace {

constexpr uint32_t kOriginSet = 0x80000000u;

}  // namespace

Model::Model() : names_(std::make_unique<NameTable>()), types_(std::make_unique<TypeTable>()) {
  graph_ = GraphPtr(new Graph(this));
  NodeId id = 0;
  Node* node = nodes_.Create(&id);
  node->id_ = id;
  node->graph_ = graph_.get();
  node->is_return_ = true;
  graph_->return_node_ = node;
}

Model::~Model() = default;

const Function* Model::FindFunction(Name domain, Name name, Name overload) const {
  for (const auto& function : functions_) {
    if (function->name() == name && function->domain() == domain &&
        function->overload() == overload) {
      return function.get();
    }
  }
  return nullptr;
}

int64_t Model::OpsetVersion(std::string_view domain) const {
  const std::string_view wanted = domain == "ai.onnx" ? "" : domain;
  for (const OpsetImport& import : info_.opset_imports) {
    if ((import.domain == "ai.onnx" ? "" : std::string_view(import.domain)) == wanted)
      return import.version;
  }
  return 0;
}

std::vector<Graph*> Model::AllGraphs() const {
  std::vector<Graph*> result = {graph_.get()};
  for (const auto& function : functions_) result.push_back(&function->body());
  for (size_t i = 0; i < result.size(); ++i) {
    size_t left = result[i]->num_nodes_with_bodies();
    for (const Node* node = result[i]->first_node(); node != nullptr && left > 0;
         node = node->next()) {
      if (!node->has_bodies()) continue;
      for (Graph* body : node->bodies()) result.push_back(body);
      --left;
    }
  }
  return result;
}

Node* Model::FindNode(NodeId id) const {
  Node* node = nodes_.Get(id);
  return node == nullptr || node->erased_ ? nullptr : node;
}

Value* Model::FindValue(ValueId id) const {
  Value* value = values_.Get(id);
  return value == nullptr || value->erased_ ? nullptr : value;
}

std::vector<Name> Model::OriginNames(Origin origin) const {
  if (origin.id == 0) return {};
  if ((origin.id & kOriginSet) != 0) return origin_sets_[origin.id & ~kOriginSet];
  return {Name{origin.id}};
}

Origin Model::OriginOf(Name name) const { return Origin{name.id}; }

Origin Model::MergeOrigins(std::span<const Origin> origins) const {
  std::vector<Name> all;
  for (const Origin origin : origins) {
    const std::vector<Name> names = OriginNames(origin);
    all.insert(all.end(), names.begin(), names.end());
  }
  std::ranges::sort(all);
  all.erase(std::unique(all.begin(), all.end()), all.end());
  if (all.empty()) return {};
  if (all.size() == 1) return OriginOf(all.front());
  const auto [it, inserted] =
      origin_index_.try_emplace(all, static_cast<uint32_t>(origin_sets_.size()) | kOriginSet);
  if (inserted) origin_sets_.push_back(std::move(all));
  return Origin{it->second};
}

void Model::BuildUsedNames(UsedNames& used, bool of_values) const {
  used.built = true;
  if (of_values) {
    for (ValueId id = 0; id < values_.size(); ++id) {
      if (const Value* value = FindValue(id)) used.names.insert(value->name());
    }
    return;
  }
  for (NodeId id = 0; id < nodes_.size(); ++id) {
    if (const Node* node = FindNode(id)) used.names.insert(node->name());
  }
}

Name Model::UniqueName(UsedNames& used, bool of_values, std::string_view wanted) const {
  if (!used.built) BuildUsedNames(used, of_values);
  const Name wish = Intern(wanted);
  Name name = wish;
  if (name.empty() || used.names.contains(name)) {
    uint64_t& number = used.next_number[wish];
    do {
      name = Intern(fmt::format("{}{}", wanted, ++number));
    } while (used.names.contains(name));
  }
  used.names.insert(name);
  return name;
}

Name Model::UniqueValueName(std::string_view wanted) const {
  return UniqueName(value_names_, true, wanted);
}

Name Model::UniqueNodeName(std::string_view wanted) const {
  return UniqueName(node_names_, false, wanted);
}

}  // namespace lathe::ir
