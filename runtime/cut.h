// Cuts a graph into regions that run one after the other: integer regions, which our own executor
// runs, float regions, which the other engine runs, and nodes with bodies that are cut again.
#pragma once

#include <cstdint>
#include <vector>

#include "lathe/ir/model.h"
#include "lathe/support/status.h"

namespace lathe::runtime {

enum class RegionKind : uint8_t {
  kFloat,
  kInteger,
  kBodies,  // one node whose bodies hold operators of deploy graphs
};

struct PlanRegion {
  RegionKind kind = RegionKind::kFloat;
  // In execution order.
  std::vector<ir::Node*> nodes;
  // Values from other regions, graph inputs, and constants that the nodes take as data.
  std::vector<ir::Value*> inputs;
  // What other regions, the graph's outputs or `wanted` need.
  std::vector<ir::Value*> outputs;
};

// Some node of the model, in bodies too, is an operator that only deploy graphs have.
bool HasAscendOperators(const ir::Model& model);

// The regions of the main graph in an order in which every value is made before it is needed.
// An integer region begins where floats are quantised; it holds all that works on quantised values
// and sums, and the float operators between them that it knows. Regions are as large as they can be
// without waiting for one another in a circle: nodes of one kind with equally many changes of kind
// on their longest way from the inputs are one region. Nodes that compute constants are in none.
// Types must have been inferred. Errors name the node: quantised values go where they cannot.
// O(nodes + uses).
StatusOr<std::vector<PlanRegion>> CutIntoRegions(const ir::Model& model,
                                                 const std::vector<const ir::Value*>& wanted);

}  // namespace lathe::runtime
