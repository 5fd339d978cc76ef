// Lists of axes, as Squeeze, Unsqueeze and the reductions have them.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "lathe/ir/rewriter.h"

namespace lathe::passes {

// The axes that the node names in its attribute `axes` or its constant input 1, counted from the
// front, ascending. `rank`: of what they count in; negative when it is not known. Nothing when the
// node names none, they are computed, one counts from the back of an unknown rank, one is out of
// range, or one is there twice.
std::optional<std::vector<int64_t>> ExplicitAxes(const ir::Node& node, int rank);

// Gives a node that has explicit axes others, in the place where it has them.
void SetAxes(ir::Rewriter& rewriter, ir::Node& node, std::vector<int64_t> axes);

// `axes` count only the axes that are not in `without`; the result counts all. Both and the result
// are ascending, and the result holds `without` as well. O(sum of both lengths).
std::vector<int64_t> UniteAxes(const std::vector<int64_t>& without,
                               const std::vector<int64_t>& axes);

// What is left of `axes` when those in `gone` are taken away, counted without them. Both ascending.
std::vector<int64_t> RemoveAxes(const std::vector<int64_t>& axes, const std::vector<int64_t>& gone);

}  // namespace lathe::passes
