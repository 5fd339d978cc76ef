// The attributes of a record's pruning nodes as typed values (the reference's 8.1 and 8.6).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lathe/quant/config/record.h"
#include "lathe/support/status.h"

namespace lathe::quant {

// A producer or consumer of channels that go together.
struct PruneSlot {
  std::string name;
  // ONNX operator.
  std::string type;
  // The channels of the record, [begin, end) of the node's own axis: a producer's output channels,
  // a consumer's input channels. Counted in the network before pruning.
  int64_t begin = 0;
  int64_t end = 0;
  // A convolution with groups (a depthwise one has none).
  std::optional<int64_t> group;
  // As many channels go from each of that many equal, consecutive chunks.
  std::optional<int64_t> prune_group;
  // Not the reference's: the axis counted from the end (1 is the last), where `type` does not say
  // it: operators without weights, and elementwise ones with a constant.
  std::optional<int64_t> axis;
  // Not the reference's: how many channels a producer has of which the record holds only a part.
  std::optional<int64_t> channels;
  // The channels that go, ascending, within [begin, end); empty: none.
  std::vector<int64_t> prune_index;
  bool operator==(const PruneSlot&) const = default;
};

// Errors carry no name: attributes that are missing, unknown, of another type or twice; a range
// that is none; indices that are not ascending or leave the range.
StatusOr<PruneSlot> ReadPruneSlot(const PruneNode& node);
// Attributes in the reference's order.
PruneNode MakePruneNode(const PruneSlot& slot);

// Which weights of a layer stay: 1, or go: 0. In the layout that PyTorch has for the weight.
struct SelectiveMask {
  std::string name;
  std::vector<int64_t> shape;
  // Row by row; empty when the record does not say it yet.
  std::vector<uint8_t> mask;
  bool operator==(const SelectiveMask&) const = default;
};

// Bits are packed eight a byte, the first one highest, and bytes eight an integer, the first one
// lowest; both are filled up with zeros. Errors as above; a number of integers that does not fit
// the shape.
StatusOr<SelectiveMask> ReadSelectiveMask(const PruneNode& node);
PruneNode MakeSelectiveNode(const SelectiveMask& mask);

}  // namespace lathe::quant
