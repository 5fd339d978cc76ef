// Deploy graphs evaluated as docs/ascend-operators.md defines them: one element at a time, sums in
// 64 bits, nothing shared with the runtime.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "lathe/ir/model.h"

namespace lathe::test {

struct SlowValue {
  std::vector<int64_t> dims;
  // Floats, or integers: q of a quantised tensor, sums of a layer.
  std::vector<float> floats;
  std::vector<int64_t> integers;
  // Of a quantised tensor.
  int64_t offset = 0;

  int64_t size() const {
    int64_t count = 1;
    for (const int64_t dim : dims) count *= dim;
    return count;
  }
};

struct SlowOptions {
  // Recurrent layers quantise the hidden state at every step; false: only the initial one, as the
  // reference's simulation does.
  bool quantize_hidden = true;
};

// To the nearest float16, ties to even.
float RoundToHalf(float x);

// All named values of the main graph. Throws std::runtime_error on what it does not know.
std::map<std::string, SlowValue> EvaluateSlowly(const ir::Model& model,
                                                std::map<std::string, SlowValue> inputs,
                                                const SlowOptions& options = {});

}  // namespace lathe::test
