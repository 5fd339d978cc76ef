// If, Loop and Scan whose bodies hold operators of deploy graphs: their bodies are compiled as
// models of their own.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "lathe/eval/engine.h"
#include "lathe/ir/node.h"

namespace lathe::runtime {

// The node has bodies in which, at any depth, is an operator that only deploy graphs have.
bool HasAscendBody(const ir::Node& node);

class BodyNode {
 public:
  virtual ~BodyNode() = default;
  // One tensor an operand of the node (inputs, then captures), empty for one that is omitted or a
  // captured constant; returns the node's results. Bodies are compiled when the types and shapes
  // that they are fed change. Errors: what a body's operators say; a condition or count that is no
  // scalar; scanned tensors of different lengths; results of different shapes to be put together.
  virtual StatusOr<std::vector<ir::Tensor>> Run(std::span<const ir::Tensor> operands) = 0;
};

// `node` and `engine`, which compiles the bodies, must outlive the result. Errors: an operator with
// bodies other than If, Loop and Scan.
StatusOr<std::unique_ptr<BodyNode>> MakeBodyNode(const ir::Node& node, eval::Engine& engine,
                                                 int threads);

}  // namespace lathe::runtime
