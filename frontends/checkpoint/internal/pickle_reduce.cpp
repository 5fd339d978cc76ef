#include "lathe/frontends/checkpoint/internal/pickle_reduce.h"

#include <utility>

namespace lathe::frontends::internal {
namespace {

using Items = PickleHeap::Items;
using Role = PickleGlobal::Role;

constexpr size_t kMostDims = 64;

Status BadArguments(const PickleGlobal& global) {
  return InvalidInput("the arguments of {}.{} are not what PyTorch writes", global.module,
                      global.name);
}

bool IsSequence(const PickleValue& value) {
  return value.kind == PickleKind::kTuple || value.kind == PickleKind::kList;
}

// Non-negative integers.
bool ReadCounts(const PickleHeap& heap, const PickleValue& value, std::vector<int64_t>& counts) {
  if (!IsSequence(value) || heap.List(value).size() > kMostDims) return false;
  for (const PickleValue& item : heap.List(value)) {
    if (item.kind != PickleKind::kInt || item.number < 0) return false;
    counts.push_back(item.number);
  }
  return true;
}

StatusOr<PickleValue> MakeTensor(PickleHeap& heap, const PickleGlobal& global,
                                 const Items& arguments) {
  const size_t least = global.role == Role::kTensor ? 4 : global.role == Role::kTensorV2 ? 6 : 7;
  const size_t most = global.role == Role::kTensor ? 4 : least + 1;
  if (arguments.size() < least || arguments.size() > most) return BadArguments(global);
  if (arguments[0].kind != PickleKind::kStorage || arguments[1].kind != PickleKind::kInt ||
      arguments[1].number < 0) {
    return BadArguments(global);
  }
  PickleTensor tensor;
  tensor.storage = heap.storages[arguments[0].index];
  tensor.offset = static_cast<uint64_t>(arguments[1].number);
  if (!ReadCounts(heap, arguments[2], tensor.dims) ||
      !ReadCounts(heap, arguments[3], tensor.strides) ||
      tensor.dims.size() != tensor.strides.size()) {
    return BadArguments(global);
  }
  tensor.type = tensor.storage.type;
  if (global.role == Role::kTensorV3) {
    const PickleValue& type = arguments[6];
    if (type.kind != PickleKind::kGlobal || heap.globals[type.index]->role != Role::kElementType) {
      return BadArguments(global);
    }
    tensor.type = heap.globals[type.index]->type;
  }
  if (tensor.type == ir::ElementType::kUndefined ||
      (tensor.storage.type != ir::ElementType::kUndefined && tensor.storage.type != tensor.type)) {
    return BadArguments(global);
  }
  // Flags of a lazy view: its elements are not those in the storage.
  if (arguments.size() == least + 1 && global.role != Role::kTensor) {
    const PickleValue& flags = arguments[least];
    const bool none = flags.kind == PickleKind::kNone ||
                      (flags.kind == PickleKind::kDict && heap.Dict(flags).empty());
    if (!none) return Unsupported("a conjugated or negated view of a tensor is not read");
  }
  heap.tensors.push_back(std::move(tensor));
  return PickleValue{PickleKind::kTensor, 0, heap.tensors.size() - 1};
}

// From nothing, or from pairs as Python 2 wrote them.
StatusOr<PickleValue> MakeDict(PickleHeap& heap, const PickleGlobal& global,
                               const Items& arguments) {
  PickleHeap::Entries entries;
  if (arguments.size() > 1) return BadArguments(global);
  if (arguments.size() == 1) {
    if (!IsSequence(arguments[0])) return BadArguments(global);
    for (const PickleValue& pair : heap.List(arguments[0])) {
      if (!IsSequence(pair) || heap.List(pair).size() != 2) return BadArguments(global);
      entries.emplace_back(heap.List(pair)[0], heap.List(pair)[1]);
    }
  }
  heap.dicts.push_back(std::move(entries));
  return PickleValue{PickleKind::kDict, 0, heap.dicts.size() - 1};
}

}  // namespace

StatusOr<PickleValue> CallGlobal(PickleHeap& heap, const PickleGlobal& global,
                                 const PickleValue& arguments) {
  const Items& items = heap.List(arguments);
  switch (global.role) {
    case Role::kOrderedDict:
      return MakeDict(heap, global, items);
    case Role::kTensor:
    case Role::kTensorV2:
    case Role::kTensorV3:
      return MakeTensor(heap, global, items);
    case Role::kParameter:
      if (items.size() != 3 || items[0].kind != PickleKind::kTensor) return BadArguments(global);
      return items[0];
    case Role::kSize:
      if (items.size() != 1 || !IsSequence(items[0])) return BadArguments(global);
      return items[0];
    case Role::kDevice:
      if (items.empty() || items[0].kind != PickleKind::kText) return BadArguments(global);
      return items[0];
    case Role::kStorageType:
    case Role::kElementType:
      break;
  }
  return Unsupported("a call of {}.{} is not read", global.module, global.name);
}

StatusOr<PickleValue> ReadStorageId(PickleHeap& heap, const PickleValue& id) {
  if (id.kind != PickleKind::kTuple || heap.List(id).empty() ||
      heap.List(id)[0].kind != PickleKind::kText) {
    return InvalidInput("a persistent id that PyTorch does not write");
  }
  const Items& items = heap.List(id);
  if (heap.Text(items[0]) == "module") {
    return Unsupported("a whole module was saved, not its state dict; a module is not read");
  }
  const Status bad = InvalidInput("a storage id that PyTorch does not write");
  if (heap.Text(items[0]) != "storage" || items.size() < 5 || items.size() > 6) return bad;
  if (items[1].kind != PickleKind::kGlobal ||
      heap.globals[items[1].index]->role != Role::kStorageType) {
    return bad;
  }
  if (items[2].kind != PickleKind::kText || items[4].kind != PickleKind::kInt ||
      items[4].number < 0) {
    return bad;
  }
  PickleStorage storage;
  storage.key = heap.Text(items[2]);
  storage.type = heap.globals[items[1].index]->type;
  storage.elements = static_cast<uint64_t>(items[4].number);
  storage.view_elements = storage.elements;
  if (items.size() == 6 && items[5].kind != PickleKind::kNone) {
    // (key, first element, elements): a part of the storage.
    std::vector<int64_t> part;
    if (items[5].kind != PickleKind::kTuple || heap.List(items[5]).size() != 3) return bad;
    for (size_t i = 1; i < 3; ++i) {
      const PickleValue& number = heap.List(items[5])[i];
      if (number.kind != PickleKind::kInt || number.number < 0) return bad;
      part.push_back(number.number);
    }
    storage.view_begin = static_cast<uint64_t>(part[0]);
    storage.view_elements = static_cast<uint64_t>(part[1]);
    if (storage.view_begin > storage.elements ||
        storage.view_elements > storage.elements - storage.view_begin) {
      return bad;
    }
  }
  heap.storages.push_back(storage);
  return PickleValue{PickleKind::kStorage, 0, heap.storages.size() - 1};
}

}  // namespace lathe::frontends::internal
