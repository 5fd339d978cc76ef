#include "lathe/passes/sparsity/channel_records.h"

#include <algorithm>
#include <array>
#include <numeric>

namespace lathe::passes {
namespace {

// The part of a slot that lies in [start, start + count) of its record, counted from there; nothing
// when none does.
std::optional<ChannelSlot> PartOf(const ChannelSlot& slot, int64_t start, int64_t count) {
  const int64_t first = std::max(slot.start, start);
  const int64_t end = std::min(slot.start + slot.count, start + count);
  if (first >= end) return std::nullopt;
  ChannelSlot part = slot;
  part.begin += (first - slot.start) * slot.repeat;
  part.start = first - start;
  part.count = end - first;
  return part;
}

std::list<ChannelSlot> PartsOf(const std::list<ChannelSlot>& slots, int64_t start, int64_t count) {
  std::list<ChannelSlot> parts;
  for (const ChannelSlot& slot : slots) {
    if (const auto part = PartOf(slot, start, count)) parts.push_back(*part);
  }
  return parts;
}

}  // namespace

ChannelRecordId ChannelRecords::Add(ChannelRecord record) {
  records_.push_back({std::move(record)});
  return static_cast<ChannelRecordId>(records_.size() - 1);
}

ChannelRecordId ChannelRecords::Root(ChannelRecordId id) {
  ChannelRecordId root = id;
  while (records_[root].state == State::kMerged) root = records_[root].target;
  while (records_[id].state == State::kMerged) id = std::exchange(records_[id].target, root);
  return root;
}

std::vector<ChannelPiece> ChannelRecords::Resolve(std::span<const ChannelPiece> pieces) {
  std::vector<ChannelPiece> result;
  // The next piece last.
  std::vector<ChannelPiece> todo(pieces.rbegin(), pieces.rend());
  while (!todo.empty()) {
    ChannelPiece piece = todo.back();
    todo.pop_back();
    if (!piece.stays()) {
      piece.record = Root(piece.record);
      const Entry& entry = records_[piece.record];
      if (entry.state == State::kSplit) {
        const size_t end = todo.size();
        for (size_t i = 0; i < entry.parts.size(); ++i) {
          const int64_t part_end =
              i + 1 < entry.parts.size() ? entry.parts[i + 1].first : entry.record.size;
          const int64_t first = std::max(piece.start, entry.parts[i].first);
          const int64_t last = std::min(piece.start + piece.count, part_end);
          if (first >= last) continue;
          todo.push_back(
              {entry.parts[i].second, first - entry.parts[i].first, last - first, piece.repeat});
        }
        std::reverse(todo.begin() + static_cast<std::ptrdiff_t>(end), todo.end());
        continue;
      }
      if (entry.state == State::kStopped) {
        piece = {kNoChannelRecord, 0, piece.positions(), 1};
      }
    }
    if (piece.stays() && !result.empty() && result.back().stays()) {
      result.back().count += piece.count;
    } else {
      result.push_back(piece);
    }
  }
  return result;
}

void ChannelRecords::Merge(ChannelRecordId into, ChannelRecordId from) {
  ChannelRecord& a = records_[into].record;
  Entry& entry = records_[from];
  ChannelRecord& b = entry.record;
  const auto group_of = [](const ChannelRecord& record) {
    return record.producers.front().prune_group.value_or(1);
  };
  const int64_t group = std::lcm(group_of(a), group_of(b));
  for (ChannelRecord* record : {&a, &b}) {
    const bool has_it = group == 1 || (record->is_grouped && group_of(*record) == group);
    if (has_it) continue;
    for (ChannelSlot& producer : record->producers) producer.prune_group = group;
  }
  a.is_grouped = group > 1;
  a.producers.splice(a.producers.end(), b.producers);
  a.consumers.splice(a.consumers.end(), b.consumers);
  entry.state = State::kMerged;
  entry.target = into;
}

ChannelRecordId ChannelRecords::Isolate(ChannelRecordId id, int64_t start, int64_t count) {
  if (start == 0 && count == records_[id].record.size) return id;
  const std::array<int64_t, 4> bounds = {0, start, start + count, records_[id].record.size};
  ChannelRecordId isolated = id;
  for (size_t i = 0; i + 1 < bounds.size(); ++i) {
    const int64_t size = bounds[i + 1] - bounds[i];
    if (size == 0) continue;
    const ChannelRecord& whole = records_[id].record;
    ChannelRecord part{size, whole.axis, whole.is_grouped,
                       PartsOf(whole.producers, bounds[i], size),
                       PartsOf(whole.consumers, bounds[i], size)};
    const ChannelRecordId part_id = Add(std::move(part));
    records_[id].parts.emplace_back(bounds[i], part_id);
    if (bounds[i] == start) isolated = part_id;
  }
  Entry& entry = records_[id];
  entry.state = State::kSplit;
  entry.record.producers.clear();
  entry.record.consumers.clear();
  return isolated;
}

void ChannelRecords::Stop(ChannelRecordId id, std::string reason) {
  Entry& entry = records_[id];
  entry.state = State::kStopped;
  entry.reason = std::move(reason);
}

bool ChannelRecords::RequireGroup(ChannelRecordId id, int64_t group) {
  ChannelRecord& record = records_[id].record;
  std::optional<int64_t>& known = record.producers.front().prune_group;
  if (record.size % group != 0) return false;
  if (!known.has_value() || group % *known == 0) {
    known = group;
    return true;
  }
  return *known % group == 0;
}

std::vector<ChannelRecordId> ChannelRecords::Alive() const {
  std::vector<ChannelRecordId> alive;
  for (size_t id = 0; id < records_.size(); ++id) {
    if (records_[id].state == State::kAlive) alive.push_back(static_cast<ChannelRecordId>(id));
  }
  return alive;
}

std::string ChannelRecords::WhyStopped(ChannelRecordId id) {
  std::vector<ChannelRecordId> todo = {id};
  while (!todo.empty()) {
    const Entry& entry = records_[Root(todo.back())];
    todo.pop_back();
    if (entry.state == State::kStopped) return entry.reason;
    for (auto part = entry.parts.rbegin(); part != entry.parts.rend(); ++part) {
      todo.push_back(part->second);
    }
  }
  return "";
}

}  // namespace lathe::passes
