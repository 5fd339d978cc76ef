// Constants without some of their channels.
#pragma once

#include <cstdint>
#include <vector>

#include "lathe/ir/tensor.h"
#include "lathe/support/status.h"

namespace lathe::passes {

// The tensor without the elements `removed` (ascending, in range) of an axis. One copy of what
// stays. Errors: the file was shortened; an element type of less than a byte, or strings.
StatusOr<ir::Tensor> RemoveAlongAxis(const ir::Tensor& tensor, size_t axis,
                                     const std::vector<int64_t>& removed);

// A Conv weight [Cout, Cin / group, ...] without output channels `out`, and without input channels
// `in` (counted through all groups). Errors: as above; groups that would lose different numbers.
StatusOr<ir::Tensor> CutGroupedWeight(const ir::Tensor& weight, int64_t group,
                                      const std::vector<int64_t>& out,
                                      const std::vector<int64_t>& in);

// An error when `removed` does not hold equally many of each of `group` chunks of `channels`.
Status CheckEqualChunks(const std::vector<int64_t>& removed, int64_t channels, int64_t group);

}  // namespace lathe::passes
