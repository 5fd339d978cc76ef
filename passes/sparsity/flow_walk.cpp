#include "lathe/passes/sparsity/flow_walk.h"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>

namespace lathe::passes {
namespace {

// The pieces of two layouts, cut where either ends, pair by pair. Empty when repeats differ.
std::vector<std::pair<ChannelPiece, ChannelPiece>> Align(std::span<const ChannelPiece> a,
                                                         std::span<const ChannelPiece> b) {
  std::vector<std::pair<ChannelPiece, ChannelPiece>> pairs;
  const auto take = [](std::span<const ChannelPiece>& from, ChannelPiece& rest) {
    if (rest.count == 0 && !from.empty()) {
      rest = from.front();
      from = from.subspan(1);
    }
  };
  ChannelPiece x;
  ChannelPiece y;
  take(a, x);
  take(b, y);
  while (x.count != 0 && y.count != 0) {
    // Positions that stay are as long as wanted.
    if (x.stays() && !y.stays()) x = {x.record, 0, x.positions() / y.repeat, y.repeat};
    if (y.stays() && !x.stays()) y = {y.record, 0, y.positions() / x.repeat, x.repeat};
    if (x.repeat != y.repeat || x.count == 0 || y.count == 0) return {};
    const int64_t count = std::min(x.count, y.count);
    pairs.emplace_back(x, y);
    pairs.back().first.count = count;
    pairs.back().second.count = count;
    for (ChannelPiece* piece : {&x, &y}) {
      piece->count -= count;
      piece->start += count;
    }
    take(a, x);
    take(b, y);
  }
  if (x.count != 0 || y.count != 0) return {};
  return pairs;
}

bool OneRecord(const ChannelLayout& layout, ChannelRecords& records) {
  return layout.pieces.size() == 1 && records.IsWhole(layout.pieces.front());
}

}  // namespace

int64_t ChannelLayout::positions() const {
  return std::accumulate(
      pieces.begin(), pieces.end(), int64_t{0},
      [](int64_t sum, const ChannelPiece& piece) { return sum + piece.positions(); });
}

const ChannelLayout* FlowWalk::Find(const ir::Value* value) {
  if (value == nullptr) return nullptr;
  const auto found = layouts_.find(value);
  if (found == layouts_.end()) return nullptr;
  ChannelLayout& layout = *found->second;
  layout.pieces = records().Resolve(layout.pieces);
  if (std::ranges::all_of(layout.pieces, &ChannelPiece::stays)) return nullptr;
  return &layout;
}

void FlowWalk::Set(const ir::Value& value, ChannelLayout layout) {
  layouts_[&value] = std::make_shared<ChannelLayout>(std::move(layout));
}

void FlowWalk::PassOn(const ir::Value& from, const ir::Value& to) {
  const Shared layout = layouts_.at(&from);
  layouts_[&to] = layout;
}

void FlowWalk::PassOnCombined(const ir::Node& node, const ir::Value& from) {
  const int known = layouts_.at(&from)->rank;
  int rank = known;
  for (const ir::Use& use : node.inputs()) {
    const auto found = layouts_.find(use.value());
    const int other = found == layouts_.end() ? use.value()->type().rank() : found->second->rank;
    // Without a type, a value without channels is a constant, or would have stopped them.
    if (found != layouts_.end() && other == 0) rank = 0;
    if (rank > 0) rank = std::max(rank, other);
  }
  PassOn(from, *node.output());
  if (rank == known) return;
  ChannelLayout layout = *layouts_.at(&from);
  layout.rank = rank;
  Set(*node.output(), std::move(layout));
}

void FlowWalk::Stop(const ir::Value* value, std::string_view reason) {
  const ChannelLayout* layout = Find(value);
  if (layout == nullptr) return;
  // A record may have several pieces, and be gone after the first.
  const std::vector<ChannelPiece> pieces = layout->pieces;
  for (const ChannelPiece& piece : pieces) {
    if (!piece.stays()) records().Stop(piece.record, std::string(reason));
  }
}

void FlowWalk::StopAll(const ir::Node& node, std::string_view why) {
  const std::string reason =
      node.is_return()
          ? std::string("its channels are an output of the network")
          : fmt::format("its channels reach {}{}{}", NodeText(node), why.empty() ? "" : ", ", why);
  for (const ir::Use& use : node.operands()) Stop(use.value(), reason);
}

void FlowWalk::AddConsumer(ir::Node& node, const ChannelLayout& layout, SlotNotes notes) {
  int64_t begin = 0;
  for (const ChannelPiece& piece : layout.pieces) {
    if (!piece.stays()) {
      records()
          .at(piece.record)
          .consumers.push_back({&node, begin, piece.start, piece.count, piece.repeat, notes.group,
                                std::nullopt, notes.axis});
    }
    begin += piece.positions();
  }
}

bool FlowWalk::Join(const ir::Node& node, const ir::Value& a, const ir::Value& b) {
  const ChannelLayout* first = Find(&a);
  const ChannelLayout* second = Find(&b);
  std::string why;
  if (first == nullptr || second == nullptr) {
    why = "whose other input cannot lose channels";
  } else if (first->back != second->back || first->positions() != second->positions()) {
    why = "whose inputs have channels on different axes";
  } else if (!full() && (!OneRecord(*first, records()) || !OneRecord(*second, records()))) {
    why = "whose inputs have channels of several groups";
  } else if (!full() && records().at(first->pieces[0].record).axis !=
                            records().at(second->pieces[0].record).axis) {
    why = "which adds channels of a convolution to those of a matrix product";
  }
  if (!why.empty()) {
    StopAll(node, why);
    return false;
  }
  auto pairs = Align(first->pieces, second->pieces);
  if (pairs.empty()) {
    StopAll(node, "whose inputs have channels that do not match");
    return false;
  }
  std::ranges::reverse(pairs);
  while (!pairs.empty()) {
    // An earlier pair may have split, merged or stopped them.
    const std::vector<ChannelPiece> x = records().Resolve(std::span(&pairs.back().first, 1));
    const std::vector<ChannelPiece> y = records().Resolve(std::span(&pairs.back().second, 1));
    pairs.pop_back();
    if (x.size() == 1 && y.size() == 1) {
      JoinPieces(node, x.front(), y.front());
      continue;
    }
    auto parts = Align(x, y);
    pairs.insert(pairs.end(), parts.rbegin(), parts.rend());
  }
  return true;
}

void FlowWalk::JoinPieces(const ir::Node& node, const ChannelPiece& a, const ChannelPiece& b) {
  if (a.record == b.record && a.start == b.start) return;
  if (!a.stays() && !b.stays() && a.record != b.record) {
    const ChannelRecord& first = records().at(a.record);
    const ChannelRecord& second = records().at(b.record);
    const int64_t group = std::lcm(first.producers.front().prune_group.value_or(1),
                                   second.producers.front().prune_group.value_or(1));
    const bool are_whole = a.count == first.size && b.count == second.size;
    if (group == 1 || (are_whole && a.count % group == 0)) {
      const ChannelRecordId into = records().Isolate(a.record, a.start, a.count);
      records().Merge(into, records().Isolate(b.record, b.start, b.count));
      return;
    }
  }
  const std::string reason = fmt::format(
      "its channels reach {}, where they meet others in a way that no group has", NodeText(node));
  for (const ChannelPiece* piece : {&a, &b}) {
    if (!piece->stays()) records().Stop(piece->record, reason);
  }
}

std::string NodeText(const ir::Node& node) {
  return fmt::format("{} '{}'", node.op_text(), node.display_name());
}

}  // namespace lathe::passes
