// PyTorch's form before 1.6: five pickles one after another (a magic number, the form's version,
// facts about the machine, the object, the keys of its storages), then each storage: the number of
// its elements in 8 bytes, and the elements, little-endian on every machine.
#include <string_view>

#include "lathe/frontends/checkpoint/internal/forms.h"
#include "lathe/frontends/checkpoint/internal/torch_state.h"
#include "lathe/frontends/checkpoint/internal/unpickler.h"
#include "lathe/support/quoted.h"

namespace lathe::frontends::internal {
namespace {

// 0x1950a86a20f9469cfc6c
constexpr std::string_view kMagic("\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 10);
constexpr int64_t kVersion = 1001;

Status CheckFront(Unpickler& unpickler, const PickleHeap& heap) {
  LATHE_ASSIGN_OR_RETURN(const PickleValue magic, unpickler.Next());
  if (magic.kind != PickleKind::kLongInt || heap.Text(magic) != kMagic) {
    return WithContext(InvalidInput("it is a pickle, but not one of torch.save"),
                       ErrorContext::kHint, "save it with torch.save(model.state_dict(), FILE)");
  }
  LATHE_ASSIGN_OR_RETURN(const PickleValue version, unpickler.Next());
  if (version.kind != PickleKind::kInt || version.number != kVersion) {
    return Unsupported("the form's version is {}, not {}", version.number, kVersion);
  }
  return unpickler.Next().status();
}

// Steps over the storages behind the pickles.
Status LocateStorages(const PickleHeap& heap, const PickleValue& keys, uint64_t offset,
                      TorchStorages& storages) {
  if (keys.kind != PickleKind::kList) {
    return InvalidInput("the keys of the storages are {}, not a list", PickleKindText(keys.kind));
  }
  absl::flat_hash_map<std::string_view, uint64_t> widths;
  for (const PickleStorage& storage : heap.storages) {
    const auto bits = static_cast<uint64_t>(ir::ElementBits(storage.type));
    widths.try_emplace(storage.key, bits == 0 ? 1 : bits / 8);
  }
  for (const PickleValue& item : heap.List(keys)) {
    if (item.kind != PickleKind::kText) return InvalidInput("the key of a storage is not a text");
    const std::string_view key = heap.Text(item);
    const auto width = widths.find(key);
    if (width == widths.end()) {
      return InvalidInput("storage {} is in the file, but no tensor uses it", Quoted(key));
    }
    const auto count_bytes = storages.file->Range(offset, sizeof(uint64_t));
    uint64_t count = 0, bytes = 0;
    if (count_bytes.ok()) {
      for (size_t i = 0; i < sizeof(count); ++i) {
        count |= static_cast<uint64_t>((*count_bytes)[i]) << (8 * i);
      }
    }
    if (!count_bytes.ok() || __builtin_mul_overflow(count, width->second, &bytes) ||
        bytes > storages.file->size() - offset - sizeof(count)) {
      return InvalidInput("storage {} is cut short by the file's end", Quoted(key));
    }
    offset += sizeof(count);
    if (!storages.ranges.try_emplace(key, TorchStorages::Range{offset, bytes}).second) {
      return InvalidInput("storage {} is there twice", Quoted(key));
    }
    offset += bytes;
  }
  return OkStatus();
}

}  // namespace

Status ReadTorchOld(const FileHandle& file, Checkpoint& checkpoint) {
  LATHE_ASSIGN_OR_RETURN(const auto bytes, file->Range(0, file->size()));
  PickleHeap heap;
  Unpickler unpickler(bytes, heap);
  LATHE_RETURN_IF_ERROR(CheckFront(unpickler, heap));
  LATHE_ASSIGN_OR_RETURN(const PickleValue root, unpickler.Next());
  LATHE_ASSIGN_OR_RETURN(const PickleValue keys, unpickler.Next());
  TorchStorages storages;
  storages.file = file;
  LATHE_RETURN_IF_ERROR(LocateStorages(heap, keys, unpickler.position(), storages));
  return ReadTorchState(heap, root, storages, checkpoint);
}

}  // namespace lathe::frontends::internal
