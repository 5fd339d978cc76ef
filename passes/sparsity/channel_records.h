// Sets of channels that go or stay together: the bookkeeping of channel_flow.h.
#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "lathe/ir/node.h"

namespace lathe::passes {

using ChannelRecordId = uint32_t;
inline constexpr ChannelRecordId kNoChannelRecord = ~ChannelRecordId{0};

// `count` channels of a record from `start` on, each standing `repeat` times in a row on some axis.
// Without a record: positions that stay.
struct ChannelPiece {
  ChannelRecordId record = kNoChannelRecord;
  int64_t start = 0;
  int64_t count = 0;
  int64_t repeat = 1;

  bool stays() const { return record == kNoChannelRecord; }
  int64_t positions() const { return count * repeat; }
};

// A node on whose axis channels of a record stand, the first at position `begin`.
struct ChannelSlot {
  ir::Node* node = nullptr;
  int64_t begin = 0;
  int64_t start = 0;
  int64_t count = 0;
  int64_t repeat = 1;
  // As in quant::PruneSlot.
  std::optional<int64_t> group;
  std::optional<int64_t> prune_group;
  std::optional<int64_t> axis;
};

struct ChannelRecord {
  int64_t size = 0;
  // The reference's prune_axis: 1 of a convolution, -1 of Gemm and MatMul.
  int axis = 1;
  // Every producer has the same prune_group.
  bool is_grouped = false;
  std::list<ChannelSlot> producers;
  std::list<ChannelSlot> consumers;
};

class ChannelRecords {
 public:
  // O(1).
  ChannelRecordId Add(ChannelRecord record);
  // Only of a record that Resolve returned.
  ChannelRecord& at(ChannelRecordId id) { return records_[id].record; }

  // The pieces in terms of records that are still there: merged ones by what they became, split
  // ones in parts, stopped ones as positions that stay. O(pieces), amortised O(log records) each.
  std::vector<ChannelPiece> Resolve(std::span<const ChannelPiece> pieces);

  // The record covers all of it, once.
  bool IsWhole(const ChannelPiece& piece) {
    return !piece.stays() && piece.start == 0 && piece.repeat == 1 &&
           piece.count == at(piece.record).size;
  }

  // `from` becomes a part of `into`, channel by channel: its producers and consumers follow those
  // of `into`. Both are resolved, different, and of one size. Where a producer has a prune_group,
  // all get the least common multiple. O(1), and O(producers) where that changes.
  void Merge(ChannelRecordId into, ChannelRecordId from);
  // Makes the channels [start, start + count) of a resolved record one of its own; returns it.
  // O(producers + consumers).
  ChannelRecordId Isolate(ChannelRecordId id, int64_t start, int64_t count);
  // Nothing of it is pruned, because `reason`. O(1).
  void Stop(ChannelRecordId id, std::string reason);

  // A requirement on how many go from each chunk; only the first producer holds it (the
  // reference's 8.3). False: it contradicts the one that is there.
  bool RequireGroup(ChannelRecordId id, int64_t group);

  // The records that are left, in the order in which they came up.
  std::vector<ChannelRecordId> Alive() const;
  // What became of a record that was stopped: why; of parts that were, the first's. Empty: nothing.
  // Amortised O(log records), and O(parts).
  std::string WhyStopped(ChannelRecordId id);

 private:
  enum class State : uint8_t { kAlive, kMerged, kSplit, kStopped };
  struct Entry {
    ChannelRecord record;
    State state = State::kAlive;
    ChannelRecordId target = kNoChannelRecord;
    // First channel and record of each part.
    std::vector<std::pair<int64_t, ChannelRecordId>> parts;
    std::string reason;
  };

  ChannelRecordId Root(ChannelRecordId id);

  std::deque<Entry> records_;
};

}  // namespace lathe::passes
