// What passes that turn computations into constants share.
#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include <absl/container/flat_hash_set.h>

#include "lathe/ir/rewriter.h"

namespace lathe::passes {

// Growth that is always worth it: results of up to kSmallResult bytes, above that kGrowth times the
// constants that a result is computed from.
inline constexpr size_t kSmallResult = size_t{1} << 20;
inline constexpr size_t kGrowth = 4;

// The bytes that a result may have which is computed from `source_bytes` of constants.
inline size_t AllowedBytes(size_t source_bytes, size_t growth = kGrowth,
                           size_t small = kSmallResult) {
  size_t grown = 0;
  if (__builtin_mul_overflow(growth, source_bytes, &grown)) grown = SIZE_MAX;
  return std::max(small, grown);
}

// Operators that a model defines itself, whatever they are called.
class DefinedOperators {
 public:
  explicit DefinedOperators(const ir::Model& model) {
    for (const auto& function : model.functions()) {
      names_.emplace(function->domain(), function->name());
    }
  }
  bool Contains(const ir::Node& node) const {
    return !names_.empty() && names_.contains(std::pair(node.domain(), node.op()));
  }

 private:
  absl::flat_hash_set<std::pair<ir::Name, ir::Name>> names_;
};

// The node only gives a constant to the graph's outputs, so computing it wins nothing.
bool OnlyHandsOn(const ir::Node& node);

// Makes `tensor` a constant of the value's graph and gives it to every use of `value` but those as
// the graph's output, which has to be a node's result. The constant takes the name, unless an
// output has it. What only served `value` goes. The graph is not the body of a local function,
// which has no initializers. O(uses + what goes).
ir::Value& ReplaceByConstant(ir::Rewriter& rewriter, ir::Value& value, ir::Tensor tensor);

// The same for every used result of the node, in any graph: an output of the graph gets its
// constant through an Identity node; in the body of a function (where the node has one result) the
// node becomes a Constant node. `results` has a tensor for each used result. Returns the values
// that the results are now.
std::vector<ir::Value*> ReplaceByConstants(ir::Rewriter& rewriter, ir::Node& node,
                                           std::vector<ir::Tensor> results);

}  // namespace lathe::passes
