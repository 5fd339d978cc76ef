// How much memory the values of a graph take while it runs.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "lathe/ir/model.h"
#include "lathe/passes/quant/quant_layer.h"
#include "lathe/support/status.h"

namespace lathe::flows {

struct ActivationMemory {
  // Most bytes of values and working memory that are alive at the same time, and the node that is
  // being computed then.
  uint64_t peak = 0;
  std::string node;
  // Of the graph's inputs, which `peak` does not count, and of its outputs.
  uint64_t inputs = 0;
  uint64_t outputs = 0;
};

// The shapes of `model` are inferred, for the inputs at hand. A value lives from the node that
// computes it to the last that reads it; operators that can, work in place; channels of images are
// padded to 16 as the kernels want them, and floats of any width are computed as 32 bits. The
// values that `layers` observe are copied for their observers.
// O(nodes). Error: a value of the main graph or of a body has no known shape; names it.
StatusOr<ActivationMemory> EstimateActivations(const ir::Model& model,
                                               std::span<const passes::QuantLayer> layers);

// Bytes of the value as it is computed; nothing where its shape is not known.
std::optional<uint64_t> ValueBytes(const ir::Value& value);

}  // namespace lathe::flows
