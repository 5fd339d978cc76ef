#include "lathe/frontends/checkpoint/internal/torch_state.h"

#include <algorithm>
#include <string>
#include <utility>

#include "lathe/frontends/checkpoint/internal/copy_budget.h"
#include "lathe/frontends/checkpoint/internal/strided.h"
#include "lathe/support/quoted.h"

namespace lathe::frontends::internal {
namespace {

// About what an entry of a dict takes.
constexpr uint64_t kEntryBytes = 64;

uint64_t Width(ir::ElementType type) { return static_cast<uint64_t>(ir::ElementBits(type)) / 8; }

class StateReader {
 public:
  StateReader(const PickleHeap& heap, const TorchStorages& storages)
      : heap_(heap),
        storages_(storages),
        budget_(storages.file->size()),
        built_(heap.tensors.size()) {}

  Status Read(const PickleValue& value, StateDict& dict) {
    for (const auto& [name, entry] : Entries(value)) {
      // A dict or a long name that the pickle holds once can be meant many times.
      LATHE_RETURN_IF_ERROR(
          budget_.Take(kEntryBytes + (IsNamed(name) ? heap_.Text(name).size() : 0)));
      if (entry.kind != PickleKind::kTensor || !IsNamed(name)) {
        dict.others.push_back({KeyText(name), PickleKindText(entry.kind)});
        continue;
      }
      const std::string_view text = heap_.Text(name);
      auto tensor = Tensor(entry.index);
      if (!tensor.ok()) return AtPlace(tensor.status(), "tensor " + Quoted(text));
      dict.tensors.push_back({std::string(text), *std::move(tensor)});
    }
    return OkStatus();
  }

  // The entries that count: of several with one key the last one, in the place of the first.
  PickleHeap::Entries Entries(const PickleValue& value) const {
    PickleHeap::Entries entries;
    absl::flat_hash_map<std::string_view, size_t> places;
    for (const auto& entry : heap_.Dict(value)) {
      if (IsNamed(entry.first)) {
        const auto [place, is_new] = places.try_emplace(heap_.Text(entry.first), entries.size());
        if (!is_new) {
          entries[place->second].second = entry.second;
          continue;
        }
      }
      entries.push_back(entry);
    }
    return entries;
  }

  static bool IsNamed(const PickleValue& key) { return key.kind == PickleKind::kText; }

 private:
  std::string KeyText(const PickleValue& key) const {
    if (IsNamed(key)) return std::string(heap_.Text(key));
    if (key.kind == PickleKind::kInt) return std::to_string(key.number);
    return std::string(PickleKindText(key.kind));
  }

  // A tensor that has several names is built once.
  StatusOr<ir::Tensor> Tensor(size_t index) {
    if (!built_[index]) {
      LATHE_ASSIGN_OR_RETURN(built_[index], Build(heap_.tensors[index]));
    }
    return built_[index];
  }

  StatusOr<ir::Tensor> Build(const PickleTensor& tensor) {
    const PickleStorage& storage = tensor.storage;
    const auto found = storages_.ranges.find(storage.key);
    if (found == storages_.ranges.end()) {
      return InvalidInput("its storage {} is not in the file", Quoted(storage.key));
    }
    const uint64_t unit = storage.type == ir::ElementType::kUndefined ? 1 : Width(storage.type);
    uint64_t claimed = 0;
    if (__builtin_mul_overflow(storage.elements, unit, &claimed) ||
        claimed != found->second.bytes) {
      return InvalidInput("its storage {} has {} bytes in the file, not {} elements of {} bytes",
                          Quoted(storage.key), found->second.bytes, storage.elements, unit);
    }
    LATHE_ASSIGN_OR_RETURN(const int64_t count, ir::CheckedElementCount(tensor.dims));
    if (count == 0) return ir::Tensor::FromVector(tensor.type, tensor.dims, {});
    const uint64_t width = Width(tensor.type);
    LATHE_RETURN_IF_ERROR(CheckReach(tensor, storage.view_elements * unit / width));
    const uint64_t first = found->second.offset + storage.view_begin * unit + tensor.offset * width;
    const bool in_order = IsContiguous(tensor.dims, tensor.strides);
    const bool swapped = storages_.big_endian && width > 1;
    if (in_order && !swapped) {
      return ir::Tensor::FromFile(tensor.type, tensor.dims, storages_.file, first);
    }
    LATHE_ASSIGN_OR_RETURN(const size_t bytes, ir::CheckedByteSize(tensor.type, tensor.dims));
    LATHE_RETURN_IF_ERROR(budget_.Take(bytes));
    const uint64_t end = found->second.offset + found->second.bytes;
    LATHE_ASSIGN_OR_RETURN(const auto source, storages_.file->Range(first, end - first));
    return ir::Tensor::FromVector(
        tensor.type, tensor.dims,
        Gather(source.data(), tensor.type, tensor.dims, tensor.strides, swapped));
  }

  // The last element must lie in the storage.
  static Status CheckReach(const PickleTensor& tensor, uint64_t elements) {
    uint64_t last = tensor.offset;
    bool overflow = false;
    for (size_t axis = 0; axis < tensor.dims.size(); ++axis) {
      uint64_t reach = 0;
      overflow |= __builtin_mul_overflow(static_cast<uint64_t>(tensor.dims[axis] - 1),
                                         static_cast<uint64_t>(tensor.strides[axis]), &reach);
      overflow |= __builtin_add_overflow(last, reach, &last);
    }
    if (overflow || last >= elements) {
      return InvalidInput("it reaches out of its storage {} of {} elements",
                          Quoted(tensor.storage.key), elements);
    }
    return OkStatus();
  }

  const PickleHeap& heap_;
  const TorchStorages& storages_;
  CopyBudget budget_;
  // By place in the heap.
  std::vector<ir::Tensor> built_;
};

}  // namespace

Status ReadTorchState(const PickleHeap& heap, const PickleValue& root,
                      const TorchStorages& storages, Checkpoint& checkpoint) {
  if (root.kind != PickleKind::kDict) {
    return InvalidInput("it holds {}, not a dict of tensors", PickleKindText(root.kind));
  }
  StateReader reader(heap, storages);
  LATHE_RETURN_IF_ERROR(reader.Read(root, checkpoint.root));
  for (const auto& [name, value] : reader.Entries(root)) {
    if (value.kind != PickleKind::kDict || !StateReader::IsNamed(name)) continue;
    StateDict dict;
    dict.name = std::string(heap.Text(name));
    LATHE_RETURN_IF_ERROR(AtPlace(reader.Read(value, dict), "in " + Quoted(dict.name)));
    checkpoint.nested.push_back(std::move(dict));
  }
  return OkStatus();
}

}  // namespace lathe::frontends::internal
