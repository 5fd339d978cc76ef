// What is known about integers that are computed from shapes.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "lathe/ir/model.h"
#include "lathe/passes/canonical/constant_folding.h"
#include "lathe/passes/canonical/extents.h"

namespace lathe::passes {

// A scalar or vector of integers or truth values (0 and 1).
struct ShapeValue {
  bool is_scalar = false;
  ir::ElementType element = ir::ElementType::kInt64;
  std::vector<Extent> extents;
};

// Follows the operators on shapes from node to node. Vectors are of at most kMostExtents elements.
class ShapeValues {
 public:
  static constexpr size_t kMostExtents = 64;

  explicit ShapeValues(const ir::Model& model);

  // Whether the node may compute with shapes; says no to most by its operator alone. O(1).
  bool Follows(const ir::Node& node) const;
  // Works out the results of a node that is followed, once those of the nodes before it are.
  // Returns for each result what is known; nothing where nothing is. O(extents).
  std::vector<std::optional<ShapeValue>> Visit(const ir::Node& node);
  // A constant, what Visit found, or for a value of a known number of integers a number for each.
  std::optional<ShapeValue> Find(const ir::Value& value);
  // The extents of a value; nothing when its rank is not known.
  std::optional<std::vector<Extent>> Dims(const ir::Value& value);

  ExtentTable& table() { return table_; }

 private:
  using Result = std::optional<ShapeValue>;
  using Handler = Result (ShapeValues::*)(const ir::Node& node);

  Result Shape(const ir::Node& node);
  Result Size(const ir::Node& node);
  Result Same(const ir::Node& node);
  Result Cast(const ir::Node& node);
  Result Gather(const ir::Node& node);
  Result Slice(const ir::Node& node);
  Result Concat(const ir::Node& node);
  Result Squeeze(const ir::Node& node);
  Result Unsqueeze(const ir::Node& node);
  Result Reshape(const ir::Node& node);
  Result Expand(const ir::Node& node);
  Result ConstantOfShape(const ir::Node& node);
  Result Reduce(const ir::Node& node, ExtentTable::Operation operation);
  Result ReduceProd(const ir::Node& node);
  Result ReduceSum(const ir::Node& node);
  Result Fold(const ir::Node& node, ExtentTable::Operation operation);
  Result Add(const ir::Node& node);
  Result Sub(const ir::Node& node);
  Result Mul(const ir::Node& node);
  Result Div(const ir::Node& node);
  Result Mod(const ir::Node& node);
  Result Min(const ir::Node& node);
  Result Max(const ir::Node& node);
  Result Equal(const ir::Node& node);
  Result Where(const ir::Node& node);

  Result Input(const ir::Node& node, size_t i);
  // The elements of an integer input that are all known.
  std::optional<std::vector<int64_t>> KnownInput(const ir::Node& node, size_t i);
  // Axes and the like: an input in newer operator sets, an attribute in older ones. `*given` says
  // whether either is there.
  std::optional<std::vector<int64_t>> KnownInputOr(const ir::Node& node, size_t i,
                                                   std::string_view attribute, bool* given);
  // The value's elements as unknowns of their own.
  Result Elements(const ir::Value& value);

  const ir::Model& model_;
  const DefinedOperators defined_;
  ExtentTable table_;
  absl::flat_hash_map<ir::Name, Handler> handlers_;
  ir::Name split_;
  absl::flat_hash_map<ir::ValueId, ShapeValue> values_;
};

}  // namespace lathe::passes
