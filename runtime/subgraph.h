// A part of a graph as a model of its own.
#pragma once

#include <memory>
#include <vector>

#include "lathe/ir/model.h"
#include "lathe/runtime/cut.h"

namespace lathe::runtime {

// Walks two copies of a model side by side.
class CopyMap {
 public:
  // `to` is a clone of `from`. O(model).
  CopyMap(const ir::Model& from, const ir::Model& to);
  // Of the main graph. O(1).
  ir::Value* Find(const ir::Value& value) const { return values_[value.id()]; }
  ir::Node* Find(const ir::Node& node) const { return nodes_[node.id()]; }

 private:
  std::vector<ir::Value*> values_;
  std::vector<ir::Node*> nodes_;
};

// The region's nodes alone, with what they need of the constants. Its inputs are those of the model
// (that have no default), then the region's inputs that are none of those, in their order; its
// outputs are the region's. O(model).
std::unique_ptr<ir::Model> ExtractRegion(const ir::Model& model, const PlanRegion& region);

}  // namespace lathe::runtime
