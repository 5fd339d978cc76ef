// How operators that take parts of an axis say which, and how they are told another length of it.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "lathe/ir/rewriter.h"
#include "lathe/support/status.h"

namespace lathe::passes {

// The lengths of a Split's results along its axis, of `length` elements; nothing when they are
// computed or do not add up.
std::optional<std::vector<int64_t>> SplitSizes(const ir::Node& split, int64_t length);

// What a Slice takes of one axis (counted from the end).
struct AxisSlice {
  // Which of its bounds concern the axis; nothing: it takes all of it.
  std::optional<size_t> entry;
  int64_t start = 0;
  int64_t end = 0;
};
// Nothing when the bounds are computed, or the axis is walked in steps.
std::optional<AxisSlice> ReadAxisSlice(const ir::Node& slice, int back, int rank, int64_t length);

// Write them anew for an axis that lost the elements `removed` (ascending). Errors, without a name:
// what the node does with the axis cannot be read.
Status CutSplit(ir::Rewriter& rewriter, ir::Node& split, int back,
                const std::vector<int64_t>& removed);
Status CutSlice(ir::Rewriter& rewriter, ir::Node& slice, int back,
                const std::vector<int64_t>& removed);
// A Reshape whose result has the axis: if its shape names the length.
Status CutReshape(ir::Rewriter& rewriter, ir::Node& reshape, int back,
                  const std::vector<int64_t>& removed);

// The extent of a value's axis, counted from the end; nothing when it is not known.
std::optional<int64_t> ExtentFromEnd(const ir::Value* value, int back);

}  // namespace lathe::passes
