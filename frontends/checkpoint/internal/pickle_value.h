// What a pickle describes, as plain values. They refer to each other by number, so that a pickle
// whose lists contain themselves is no danger.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "lathe/ir/element_type.h"

namespace lathe::frontends::internal {

struct PickleGlobal;

enum class PickleKind : uint8_t {
  kNone,
  kBool,
  kInt,
  // An integer of more than 64 bits: its little-endian bytes are a text.
  kLongInt,
  // Nobody asks for the value.
  kFloat,
  kText,
  kBytes,
  kTuple,
  kList,
  kDict,
  // A function or class that is known by name.
  kGlobal,
  kStorage,
  kTensor,
};

struct PickleValue {
  PickleKind kind = PickleKind::kNone;
  // Of bool and int.
  int64_t number = 0;
  // Of the others: the place in the heap's list of that kind (in `globals` for kGlobal).
  size_t index = 0;
};

// A reference to a storage, which the file holds elsewhere.
struct PickleStorage {
  std::string_view key;
  // Undefined: bytes without a type.
  ir::ElementType type = ir::ElementType::kUndefined;
  // Of the whole storage.
  uint64_t elements = 0;
  // The part that is meant, in elements: all of it but in very old files.
  uint64_t view_begin = 0;
  uint64_t view_elements = 0;
};

// Offset, extents and strides in elements.
struct PickleTensor {
  PickleStorage storage;
  ir::ElementType type = ir::ElementType::kUndefined;
  uint64_t offset = 0;
  std::vector<int64_t> dims;
  std::vector<int64_t> strides;
};

struct PickleHeap {
  using Items = std::vector<PickleValue>;
  using Entries = std::vector<std::pair<PickleValue, PickleValue>>;

  // Parts of the file.
  std::vector<std::string_view> texts;
  // Of lists and tuples.
  std::vector<Items> lists;
  // In the order of insertion; a key may be there twice, and the later one counts.
  std::vector<Entries> dicts;
  std::vector<PickleStorage> storages;
  std::vector<PickleTensor> tensors;
  std::vector<const PickleGlobal*> globals;

  std::string_view Text(const PickleValue& value) const { return texts[value.index]; }
  const Items& List(const PickleValue& value) const { return lists[value.index]; }
  const Entries& Dict(const PickleValue& value) const { return dicts[value.index]; }
};

// "an integer", "a dict", ...
std::string_view PickleKindText(PickleKind kind);

}  // namespace lathe::frontends::internal
