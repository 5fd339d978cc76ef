// Whether two nodes compute the same, from how they are written.
#pragma once

#include <cstddef>

#include "lathe/ir/model.h"
#include "lathe/support/status.h"

namespace lathe::passes {

// The operator gives the same results for the same operands, and does nothing else: one of ONNX, or
// of Ascend's deploy graphs, without bodies, state or random numbers. O(parameters + attributes).
bool IsPure(const ir::Node& node);

// Equal operators, numbers of results (and which are omitted) and attributes, in any order; floats
// are compared bit by bit, tensors by contents. Operands are not looked at. Errors: a tensor cannot
// be read. O(size of the attributes).
StatusOr<bool> EqualOperations(const ir::Node& a, const ir::Node& b);

// Equal for nodes whose operations are equal.
StatusOr<size_t> HashOperation(const ir::Node& node);

// Equal for tensors with equal contents. Of large tensors, samples of the payload are read.
StatusOr<size_t> HashTensor(const ir::Tensor& tensor);

}  // namespace lathe::passes
