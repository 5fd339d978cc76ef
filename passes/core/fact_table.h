// What is known about each fact: what it says, and how it is found in a model that was loaded from
// a file, since `save` and `opt` start in the middle of a pipeline.
#pragma once

#include <set>
#include <span>
#include <string>
#include <string_view>

#include "lathe/ir/model.h"
#include "lathe/ir/rewriter.h"
#include "lathe/passes/core/facts.h"

namespace lathe::passes {

// Ordered, so that messages and metadata are the same from run to run.
using FactSet = std::set<std::string, std::less<>>;

struct FactDescriptor {
  std::string_view name;
  std::string_view help;
  // Reads the fact off a model in O(nodes). Null: a graph does not show it, so it is kept in the
  // model's metadata under "lathe.facts".
  bool (*recognise)(const ir::Model& model) = nullptr;
};

// The facts of facts.h, in its order.
std::span<const FactDescriptor> AllFacts();
// Null when no table entry has the name (a plugin's own fact).
const FactDescriptor* FindFact(std::string_view name);

// Whether the fact holds for the model: recognised, or stored when it cannot be. O(nodes).
bool FactHolds(const ir::Model& model, std::string_view fact);

// The facts in the metadata. O(metadata).
FactSet StoredFacts(const ir::Model& model);
// Replaces them; an empty set removes the entry.
void StoreFacts(ir::Rewriter& rewriter, const FactSet& facts);

}  // namespace lathe::passes
