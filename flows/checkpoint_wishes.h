// What a flow asks a checkpoint for.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include "lathe/frontends/checkpoint/match_state.h"

namespace lathe::flows {

inline constexpr std::string_view kDataParallel = "module.";

// The keys of a checkpoint, with and without the prefix of data-parallel training.
class Keys {
 public:
  explicit Keys(const frontends::StateDict& dict) {
    for (const frontends::NamedTensor& tensor : dict.tensors) keys_.insert(tensor.name);
  }
  bool Has(const std::string& key) const {
    return keys_.contains(key) || keys_.contains(std::string(kDataParallel) + key);
  }

 private:
  absl::flat_hash_set<std::string> keys_;
};

// What is wanted of the checkpoint: slots, and what they were asked for by.
class Wishes {
 public:
  explicit Wishes(const Keys& keys) : keys_(keys) {}

  // The number of the slot.
  size_t Need(const std::string& key, std::vector<int64_t> dims) {
    const auto [known, is_new] = numbers_.emplace(key, slots_.size());
    if (is_new) slots_.push_back({key, ir::ElementType::kFloat32, std::move(dims)});
    return known->second;
  }
  std::optional<size_t> NeedIfThere(const std::string& key, std::vector<int64_t> dims) {
    if (!keys_.Has(key)) return std::nullopt;
    return Need(key, std::move(dims));
  }

  const std::vector<frontends::StateSlot>& slots() const { return slots_; }
  bool Wants(std::string_view key) const {
    if (numbers_.contains(std::string(key))) return true;
    return key.starts_with(kDataParallel) &&
           numbers_.contains(std::string(key.substr(kDataParallel.size())));
  }

 private:
  const Keys& keys_;
  std::vector<frontends::StateSlot> slots_;
  absl::flat_hash_map<std::string, size_t> numbers_;
};

}  // namespace lathe::flows
