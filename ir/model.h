// A model: the main graph, local functions, operator sets, and the tables that its graphs share.
//
// A method costs what is written beside it, O(1) where nothing is. Nodes and values live in slabs
// and keep their address and their 32-bit id for as long as they exist; an id is never given to
// another. All changes go through Rewriter.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include "lathe/ir/graph.h"
#include "lathe/ir/slab.h"

namespace lathe::ir {

struct OpsetImport {
  std::string domain;
  int64_t version = 0;
  uint8_t spelling = 0;
  friend bool operator==(const OpsetImport& a, const OpsetImport& b) {
    return a.domain == b.domain && a.version == b.version;
  }
};

// A local function: an operator that the model itself defines.
class Function {
 public:
  Name name() const { return name_; }
  Name domain() const { return domain_; }
  Name overload() const { return overload_; }
  Graph& body() const { return *body_; }
  // Attributes without a default, then those with one.
  const std::vector<Name>& attributes() const { return attributes_; }
  const std::vector<Attribute>& attribute_defaults() const { return attribute_defaults_; }
  const std::vector<OpsetImport>& opset_imports() const { return opset_imports_; }

 private:
  friend class Model;
  friend class Rewriter;
  Name name_;
  Name domain_;
  Name overload_;
  GraphPtr body_;
  std::vector<Name> attributes_;
  std::vector<Attribute> attribute_defaults_;
  std::vector<OpsetImport> opset_imports_;
};

// What a ModelProto says about itself.
struct ModelInfo {
  int64_t ir_version = 8;
  std::vector<OpsetImport> opset_imports;
  std::string producer_name;
  std::string producer_version;
  std::string domain;
  int64_t model_version = 0;
  std::string doc;
  std::vector<std::pair<std::string, std::string>> metadata;
  // Serialised TrainingInfoProto and DeviceConfigurationProto messages, kept as they are.
  std::vector<std::string> training_info;
  std::vector<std::string> device_configurations;
  // Which optional scalar fields the file had, so that export writes the same ones.
  bool has_model_version = false;
  bool has_producer_name = false;
  bool has_producer_version = false;
  bool has_domain = false;
  bool has_doc = false;
};

class Model {
 public:
  Model();
  ~Model();
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  // A deep copy; tensors are shared, ids differ. O(size of the model without its weights).
  std::unique_ptr<Model> Clone() const;

  Graph& graph() const { return *graph_; }
  std::span<const std::unique_ptr<Function>> functions() const { return functions_; }
  // O(functions). Null when there is none.
  const Function* FindFunction(Name domain, Name name, Name overload) const;
  const ModelInfo& info() const { return info_; }
  // The version of an operator set; 0 when the model does not import it. "" and "ai.onnx" are the
  // same. O(operator sets).
  int64_t OpsetVersion(std::string_view domain) const;

  // Every graph: the main graph, functions, and bodies, outer before inner, in node order.
  // O(graphs), and O(nodes) of those in which a node has bodies.
  std::vector<Graph*> AllGraphs() const;

  // O(length of the text), O(size of the type).
  Name Intern(std::string_view text) const { return names_->Intern(text); }
  std::string_view Text(Name name) const { return names_->Text(name); }
  const NameTable& names() const { return *names_; }
  const Type* Intern(Type type) const { return types_->Intern(std::move(type)); }
  const TypeTable& types() const { return *types_; }
  const Type* unknown_type() const { return types_->unknown(); }

  // O(1). Null when the id was never given or its node or value is gone.
  Node* FindNode(NodeId id) const;
  Value* FindValue(ValueId id) const;
  // Ids are below these.
  size_t node_id_end() const { return nodes_.size(); }
  size_t value_id_end() const { return values_.size(); }

  // The names of the original nodes that a node stands for, sorted. O(names).
  std::vector<Name> OriginNames(Origin origin) const;
  Origin OriginOf(Name name) const;
  // O(n log n) in the names.
  Origin MergeOrigins(std::span<const Origin> origins) const;

  // A name that no value (node) of the model has, `wanted` if it is free, else with 1, 2, ...
  // appended as the reference does. The first call costs O(model), later ones O(1) amortised.
  Name UniqueValueName(std::string_view wanted) const;
  Name UniqueNodeName(std::string_view wanted) const;

 private:
  friend class Graph;
  friend class Rewriter;

  struct UsedNames {
    bool built = false;
    absl::flat_hash_set<Name> names;
    // The number to try next for a wish that was taken before.
    absl::flat_hash_map<Name, uint64_t> next_number;
  };
  void BuildUsedNames(UsedNames& used, bool of_values) const;
  Name UniqueName(UsedNames& used, bool of_values, std::string_view wanted) const;

  std::unique_ptr<NameTable> names_;
  std::unique_ptr<TypeTable> types_;
  Slab<Node> nodes_;
  Slab<Value> values_;
  ModelInfo info_;
  GraphPtr graph_;
  std::vector<std::unique_ptr<Function>> functions_;
  // Origins of more than one name; an Origin with the top bit set is an index into this.
  mutable std::vector<std::vector<Name>> origin_sets_;
  mutable absl::flat_hash_map<std::vector<Name>, uint32_t> origin_index_;
  mutable UsedNames value_names_;
  mutable UsedNames node_names_;
};

}  // namespace lathe::ir
