// What a Pad does, in whichever form its opset gives it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lathe/ir/rewriter.h"

namespace lathe::passes {

struct PadAmounts {
  // "constant", "edge", "reflect", "wrap".
  std::string mode;
  // Elements added before and after, one for each axis of the input. Negative: taken away.
  std::vector<int64_t> begin;
  std::vector<int64_t> end;

  bool any_negative() const;
};

// Nothing when the amounts are computed or do not fit the input's rank. O(rank).
std::optional<PadAmounts> ReadPad(const ir::Node& pad);

// What mode "constant" puts there, as a number; nothing when it is computed or not a number.
std::optional<double> PadValue(const ir::Node& pad);

// Gives a Pad other amounts, all axes listed.
void SetPadAmounts(ir::Rewriter& rewriter, ir::Node& pad, const PadAmounts& amounts);

}  // namespace lathe::passes
