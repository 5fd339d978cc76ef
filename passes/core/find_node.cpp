#include "lathe/passes/core/find_node.h"

#include <algorithm>
#include <string>
#include <vector>

#include "lathe/support/nearest_names.h"
#include "lathe/support/quoted.h"

namespace lathe::passes {
namespace {

// The first node for which it holds.
template <typename Holds>
ir::Node* FirstNode(const ir::Model& model, Holds holds) {
  for (ir::Graph* graph : model.AllGraphs()) {
    for (ir::Node& node : graph->nodes()) {
      if (holds(node)) return &node;
    }
  }
  return nullptr;
}

Status NoSuchNode(const ir::Model& model, std::string_view name) {
  std::vector<std::string> names;
  FirstNode(model, [&](const ir::Node& node) {
    names.push_back(node.display_name());
    for (const ir::Value* output : node.outputs()) {
      if (output->name_text() != names.back()) names.emplace_back(output->name_text());
    }
    return false;
  });
  const std::vector<std::string_view> known(names.begin(), names.end());
  const std::string nearest = DidYouMean(name, known);
  return NotFound("the model has no node or node's output {}{}{}", Quoted(name),
                  nearest.empty() ? "" : "; ", nearest);
}

}  // namespace

StatusOr<ir::Node*> FindNode(const ir::Model& model, std::string_view name) {
  const ir::Name key = model.Intern(name);
  ir::Node* node =
      FirstNode(model, [&](const ir::Node& each) { return each.display_name() == name; });
  if (node == nullptr) {
    node = FirstNode(model, [&](const ir::Node& each) {
      const std::vector<ir::Name> origins = model.OriginNames(each.origin());
      return std::ranges::find(origins, key) != origins.end();
    });
  }
  if (node == nullptr && !name.empty()) {
    node = FirstNode(model, [&](const ir::Node& each) {
      return std::ranges::any_of(each.outputs(),
                                 [&](const ir::Value* output) { return output->name() == key; });
    });
  }
  if (node == nullptr) return NoSuchNode(model, name);
  return node;
}

}  // namespace lathe::passes
