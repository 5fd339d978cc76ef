// LSTM and GRU of deploy graphs, evaluated as docs/ascend-operators.md defines them.
#pragma once

#include <functional>
#include <vector>

#include "slow_evaluator.h"

namespace lathe::test {

// q of AscendQuant.
int64_t QuantizeOne(float x, float scale, int64_t offset, int64_t low, int64_t high);

// Number `i` of those that stand two in a byte, the first in the low bits.
int64_t Nibble(int64_t byte, int64_t i);

// Y, Y_h, and of an LSTM Y_c. `input(i)`: null when it is omitted.
std::vector<SlowValue> EvaluateRecurrent(const ir::Node& node,
                                         const std::function<const SlowValue*(size_t)>& input,
                                         const SlowOptions& options);

}  // namespace lathe::test
