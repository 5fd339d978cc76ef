#include "lathe/frontends/checkpoint/match_state.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include <absl/container/flat_hash_map.h>

#include "lathe/support/nearest_names.h"
#include "lathe/support/quoted.h"

namespace lathe::frontends {
namespace {

constexpr std::string_view kPrefix = "module.";
constexpr size_t kMostListed = 20;

std::string TypeText(ir::ElementType type, std::span<const int64_t> dims) {
  return fmt::format("{}[{}]", ir::ElementTypeName(type), fmt::join(dims, ","));
}

bool IsPrefixed(const std::string& name) { return name.starts_with(kPrefix); }

enum class PrefixChange { kNone, kTakeOff, kPutOn };

PrefixChange ChangeOf(const std::vector<StateSlot>& slots, const StateDict& dict) {
  const size_t keys = dict.tensors.size() + dict.others.size();
  size_t prefixed_keys = 0, prefixed_slots = 0;
  for (const NamedTensor& tensor : dict.tensors) prefixed_keys += IsPrefixed(tensor.name);
  for (const OtherEntry& other : dict.others) prefixed_keys += IsPrefixed(other.name);
  for (const StateSlot& slot : slots) prefixed_slots += IsPrefixed(slot.name);
  const bool wrapped_model = prefixed_slots == slots.size();
  if (prefixed_keys == keys && !wrapped_model) return PrefixChange::kTakeOff;
  if (prefixed_keys == 0 && wrapped_model) return PrefixChange::kPutOn;
  return PrefixChange::kNone;
}

std::string Renamed(const std::string& key, PrefixChange change) {
  switch (change) {
    case PrefixChange::kNone:
      return key;
    case PrefixChange::kTakeOff:
      return key.substr(kPrefix.size());
    case PrefixChange::kPutOn:
      return std::string(kPrefix) + key;
  }
  return key;
}

bool SameDims(const StateSlot& slot, std::span<const int64_t> dims) {
  if (slot.dims.empty() && dims.size() == 1 && dims[0] == 1) return true;
  return std::equal(slot.dims.begin(), slot.dims.end(), dims.begin(), dims.end());
}

// Where a key of the checkpoint is: in its tensors or in its others.
struct KeyPlace {
  const ir::Tensor* tensor = nullptr;
  std::string_view kind;
  bool used = false;
};

std::string Listed(const std::vector<std::string>& items) {
  std::string text;
  for (size_t i = 0; i < std::min(items.size(), kMostListed); ++i) {
    text += (i == 0 ? "" : ", ") + items[i];
  }
  if (items.size() > kMostListed) {
    text += fmt::format(" and {} more", items.size() - kMostListed);
  }
  return text;
}

}  // namespace

StateMatch MatchState(const std::vector<StateSlot>& slots, const StateDict& dict) {
  const PrefixChange change = ChangeOf(slots, dict);
  absl::flat_hash_map<std::string, KeyPlace> places;
  for (const NamedTensor& tensor : dict.tensors) {
    places[Renamed(tensor.name, change)].tensor = &tensor.tensor;
  }
  for (const OtherEntry& other : dict.others) {
    places[Renamed(other.name, change)].kind = other.kind;
  }
  StateMatch match;
  match.tensors.resize(slots.size());
  for (size_t i = 0; i < slots.size(); ++i) {
    const StateSlot& slot = slots[i];
    const auto found = places.find(slot.name);
    if (found == places.end()) {
      match.missing.push_back(slot.name);
      continue;
    }
    found->second.used = true;
    const ir::Tensor* tensor = found->second.tensor;
    const std::string wanted = TypeText(slot.type, slot.dims);
    if (tensor == nullptr) {
      match.misshapen.push_back({slot.name, std::string(found->second.kind), wanted});
    } else if (!SameDims(slot, tensor->dims()) ||
               ir::IsFloatingPoint(slot.type) != ir::IsFloatingPoint(tensor->element_type())) {
      match.misshapen.push_back(
          {slot.name, TypeText(tensor->element_type(), tensor->dims()), wanted});
    } else {
      const bool same_rank = tensor->dims().size() == slot.dims.size();
      match.tensors[i] = same_rank ? *tensor : tensor->WithDims(slot.dims);
    }
  }
  const auto list_if_unused = [&](const std::string& name) {
    if (!places[Renamed(name, change)].used) match.extra.push_back(name);
  };
  for (const NamedTensor& tensor : dict.tensors) list_if_unused(tensor.name);
  for (const OtherEntry& other : dict.others) list_if_unused(other.name);
  return match;
}

Status CheckMatch(const StateMatch& match) {
  if (match.complete()) return OkStatus();
  std::vector<std::string> parts;
  if (!match.missing.empty()) {
    const std::vector<std::string_view> candidates(match.extra.begin(), match.extra.end());
    std::vector<std::string> items;
    for (const std::string& name : match.missing) {
      // Near names only for what is shown: looking for them costs far more than matching.
      const std::string near = items.size() < kMostListed ? DidYouMean(name, candidates) : "";
      items.push_back(Quoted(name) + (near.empty() ? "" : " (" + near + ")"));
    }
    parts.push_back(fmt::format("{} missing: {}", items.size(), Listed(items)));
  }
  if (!match.extra.empty()) {
    std::vector<std::string> items;
    for (const std::string& name : match.extra) items.push_back(Quoted(name));
    parts.push_back(fmt::format("{} extra: {}", items.size(), Listed(items)));
  }
  if (!match.misshapen.empty()) {
    std::vector<std::string> items;
    for (const StateMatch::Misshapen& key : match.misshapen) {
      items.push_back(fmt::format("{} is {}, not {}", Quoted(key.name), key.found, key.wanted));
    }
    parts.push_back(fmt::format("{} misshapen: {}", items.size(), Listed(items)));
  }
  return InvalidInput("the keys do not match the model's: {}", fmt::join(parts, "; "));
}

}  // namespace lathe::frontends
