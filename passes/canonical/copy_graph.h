// Puts the contents of a body or of a local function in the place of the node that runs it.
#pragma once

#include <functional>

#include <absl/container/flat_hash_map.h>

#include "lathe/ir/rewriter.h"

namespace lathe::passes {

// Copies the nodes and constants of one graph into another graph of the same model, bodies
// included.
class GraphCopier {
 public:
  // How copies differ from what they are copied from.
  struct Choices {
    std::function<ir::Name(ir::Name)> value_name;
    std::function<ir::Name(ir::Name)> node_name;
    std::function<ir::Origin(const ir::Node&)> origin;
    // What a reference to an attribute of a function means; null: the attribute is left out. A body
    // of If or Loop has the references of the function around it, so they are kept without this.
    std::function<const ir::AttributeValue*(ir::Name)> attribute;
    // Whether values of the copied graph itself keep their types (those in its bodies do).
    bool types = true;
  };

  // New nodes go in front of `before` in its graph.
  GraphCopier(ir::Rewriter& rewriter, ir::Node& before, Choices choices)
      : rewriter_(rewriter), before_(before), choices_(std::move(choices)) {}

  // What stands for an input or capture of the graph; null: an omitted input.
  void Map(const ir::Value& from, ir::Value* to) { values_[&from] = to; }
  // The same after Copy for every value of the graph.
  ir::Value* Mapped(const ir::Value& from) const { return values_.at(&from); }

  // Copies all but inputs, captures and outputs, which are mapped before and after. Initializers
  // become Constant nodes in the body of a function. O(size of the graph without its weights).
  void Copy(const ir::Graph& from);

 private:
  ir::Value* MapUse(const ir::Use& use) const;
  void MapNew(const ir::Value& from, ir::Value& to, bool types);
  ir::AttributeValue CopyValue(const ir::AttributeValue& value) const;
  void CopyAttributes(const ir::Node& node, ir::Node& copy);
  void CopyNode(const ir::Node& node, ir::Graph& to, ir::Node* before, bool types);
  void CopyConstants(const ir::Graph& from, ir::Graph& to, ir::Node* before);
  void CopyBody(const ir::Graph& from, ir::Graph& to);
  void CopyValueInfo(const ir::Graph& from, ir::Graph& to);

  ir::Rewriter& rewriter_;
  ir::Node& before_;
  const Choices choices_;
  absl::flat_hash_map<const ir::Value*, ir::Value*> values_;
  absl::flat_hash_map<const ir::Graph*, ir::Graph*> bodies_;
};

// Names of what is moved out of a body that goes: as they were where no other value (node) of the
// model has the name, else with a number appended.
class MovedNames {
 public:
  explicit MovedNames(const ir::Model& model) : model_(model) {}

  ir::Name OfValue(ir::Name name);
  ir::Name OfNode(ir::Name name);
  // The graph goes without being moved.
  void Forget(const ir::Graph& graph);

 private:
  struct Counts {
    absl::flat_hash_map<ir::Name, uint32_t> values;
    absl::flat_hash_map<ir::Name, uint32_t> nodes;
    bool built = false;
  };
  // O(model), the first time.
  void Build();

  const ir::Model& model_;
  Counts counts_;
};

// Every use of `result`, an output of `node`, becomes one of `value`; an Identity node stands where
// an output of a body would otherwise be no node's result of its own, and where one of a graph or
// function would lose its name. O(uses).
void ReplaceResult(ir::Rewriter& rewriter, ir::Node& node, ir::Value& result, ir::Value& value);

// Removes a node whose results nothing uses, and what served only that.
void EraseWithOperands(ir::Rewriter& rewriter, ir::Node& node);

}  // namespace lathe::passes
