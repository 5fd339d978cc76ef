// Quantisation points: annotations on operands that say which layer's factors apply to them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lathe/ir/rewriter.h"

namespace lathe::passes {

// The hidden state and the recurrence weight are those of LSTM and GRU; a tensor is an input of Add
// or MaxPool, and its layer the record's key of it ("add1:0").
enum class QuantRole { kActivation, kWeight, kBias, kHidden, kRecurrence, kTensor };

struct QuantPoint {
  QuantRole role;
  std::string_view layer;
};

// "quant.activation:conv1"
void MarkQuantPoint(ir::Rewriter& rewriter, ir::Use& use, QuantRole role, std::string_view layer);

// The mark on a use, if it has one. O(1).
std::optional<QuantPoint> FindQuantPoint(const ir::Use& use);

}  // namespace lathe::passes
