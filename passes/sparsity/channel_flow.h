// Which channels of a network go together: from the layers that produce them to everything that
// sees them.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "lathe/ir/model.h"
#include "lathe/passes/sparsity/channel_records.h"
#include "lathe/quant/config/prune_settings.h"

namespace lathe::passes {

// How far channels are followed.
enum class PruneReach {
  // As far as the reference does (its 8.2 and 8.3), so that records are its own.
  kReference,
  // Also through PRelu, other elementwise operators (with constants, with each other), reductions,
  // Flatten and Reshape, Split, Slice, Pad, Transpose, Squeeze, Unsqueeze, and MatMul on another
  // axis.
  kFull,
};

struct ChannelFlow {
  ChannelRecords records;
  // The layers that would lose channels, in graph order, with the record that each began.
  std::vector<std::pair<std::string, ChannelRecordId>> producers;
  // Layers that are to lose channels and cannot, and why, as a clause.
  std::vector<std::pair<std::string, std::string>> refused;
};

// Walks the main graph once. Each layer of `settings` with FilterPruneConfig begins a record of its
// output channels; nodes behind it join (as consumers, or as producers where channels are added
// up), or stop it where they are not understood: then nothing of the record is pruned, and the
// reason is kept. Nothing is changed. kFull needs inferred shapes to see through Reshape and
// Transpose. O(nodes + operands), amortised O(log) for each record that meets another.
ChannelFlow FindChannelFlow(const ir::Model& model, const quant::PruneSettings& settings,
                            PruneReach reach);

// The Add behind a MatMul that adds a constant of one value an output channel, and nothing else
// sees the product: its bias. Null when there is none.
struct MatMulBias {
  ir::Node* add = nullptr;
  size_t input = 0;
};
MatMulBias FindMatMulBias(const ir::Node& matmul, int64_t channels);

}  // namespace lathe::passes
