// Numbers of shape arithmetic: integers, and products of extents whose value is not known.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "lathe/ir/value.h"

namespace lathe::passes {

// factor * unknown * unknown * ... . Equal extents are equal numbers; different ones may still be
// equal when the model runs.
class Extent {
 public:
  Extent() = default;
  // NOLINTNEXTLINE(google-explicit-constructor): an integer is an extent.
  Extent(int64_t value) : factor_(value) {}

  bool is_known() const { return unknowns_.empty(); }
  // Only when is_known().
  int64_t value() const { return factor_; }

  friend bool operator==(const Extent&, const Extent&) = default;
  template <typename H>
  friend H AbslHashValue(H state, const Extent& extent) {
    return H::combine(std::move(state), extent.factor_, extent.unknowns_);
  }

 private:
  friend class ExtentTable;
  int64_t factor_ = 0;
  // Ascending; one may come several times.
  std::vector<uint32_t> unknowns_;
};

// Gives numbers to unknowns and computes. The same question gives the same number, so two chains of
// operators that compute the same are seen to be equal. Arithmetic on unknown extents is taken to
// stay below 2^63. O(1) each, but for long products.
class ExtentTable {
 public:
  enum class Operation : uint8_t { kAdd, kSub, kMul, kDiv, kMod, kMin, kMax };

  // An extent with a name in a graph; an extent without, of one axis of a value. Both are >= 0.
  Extent Symbol(const ir::Graph* graph, const std::string& symbol);
  Extent Axis(ir::ValueId value, size_t axis);
  // An element of a value of which nothing is known; it may be negative.
  Extent Element(ir::ValueId value, size_t index);

  // Nothing when the result has no defined value (division by zero, an overflow).
  std::optional<Extent> Compute(Operation operation, const Extent& a, const Extent& b);
  bool IsNonNegative(const Extent& extent) const;
  // Whether they are equal, when that is certain either way.
  std::optional<bool> Equal(const Extent& a, const Extent& b) const;

 private:
  struct Key {
    uint8_t kind;
    uint64_t first;
    uint64_t second;
    std::string name;
    friend bool operator==(const Key&, const Key&) = default;
    template <typename H>
    friend H AbslHashValue(H state, const Key& key) {
      return H::combine(std::move(state), key.kind, key.first, key.second, key.name);
    }
  };
  template <typename Map, typename MapKey>
  Extent Unknown(Map& map, MapKey key, bool is_non_negative);
  std::optional<Extent> Product(const Extent& a, const Extent& b) const;
  std::optional<Extent> Quotient(const Extent& a, const Extent& b) const;

  absl::flat_hash_map<Key, uint32_t> named_;
  absl::flat_hash_map<std::tuple<Operation, Extent, Extent>, uint32_t> computed_;
  std::vector<bool> non_negative_;
};

}  // namespace lathe::passes
