// PyTorch's form since 1.6: a zip archive of STEM/data.pkl, which describes everything, and one
// stored entry STEM/data/KEY a storage.
#include <string_view>
#include <utility>

#include "lathe/frontends/checkpoint/internal/forms.h"
#include "lathe/frontends/checkpoint/internal/torch_state.h"
#include "lathe/frontends/checkpoint/internal/unpickler.h"
#include "lathe/support/quoted.h"

namespace lathe::frontends::internal {
namespace {

constexpr std::string_view kPickle = "data.pkl";

Status CheckStored(const ZipFile::Entry& entry) {
  if (!entry.deflated) return OkStatus();
  return WithContext(
      Unsupported("{} is compressed; PyTorch stores its data as it is", Quoted(entry.name)),
      ErrorContext::kHint, "save it again with torch.save");
}

// The bytes of a small entry, whose check sum is verified.
StatusOr<std::span<const std::byte>> Contents(const ZipFile& zip, const ZipFile::Entry& entry) {
  LATHE_RETURN_IF_ERROR(CheckStored(entry));
  LATHE_RETURN_IF_ERROR(AtPlace(zip.CheckStored(entry), Quoted(entry.name)));
  return zip.PackedBytes(entry);
}

// STEM/byteorder is "little" or "big"; before torch 2.1 there is none, and it is little.
StatusOr<bool> IsBigEndian(const ZipFile& zip, const std::string& stem) {
  const ZipFile::Entry* entry = zip.Find(stem + "byteorder");
  if (entry == nullptr) return false;
  LATHE_ASSIGN_OR_RETURN(const auto bytes, Contents(zip, *entry));
  const std::string_view order(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (order != "little" && order != "big") {
    return InvalidInput("the byte order {} is neither 'little' nor 'big'", Quoted(order));
  }
  return order == "big";
}

}  // namespace

StatusOr<std::string> FindTorchPickle(const ZipFile& zip) {
  std::string found;
  for (const ZipFile::Entry& entry : zip.entries()) {
    const std::string_view name = entry.name;
    const size_t slash = name.find('/');
    const std::string_view file = slash == std::string_view::npos ? name : name.substr(slash + 1);
    if (file == "constants.pkl") {
      return Unsupported("it is a TorchScript program, not a checkpoint");
    }
    if (file != kPickle) continue;
    if (!found.empty()) {
      return InvalidInput("both {} and {} could be the checkpoint", Quoted(found), Quoted(name));
    }
    found = entry.name;
  }
  return found;
}

Status ReadTorchZip(const FileHandle& file, Checkpoint& checkpoint) {
  LATHE_ASSIGN_OR_RETURN(const ZipFile zip, ZipFile::Open(file));
  LATHE_ASSIGN_OR_RETURN(const std::string pickle, FindTorchPickle(zip));
  const std::string stem = pickle.substr(0, pickle.size() - kPickle.size());
  TorchStorages storages;
  storages.file = file;
  LATHE_ASSIGN_OR_RETURN(storages.big_endian, IsBigEndian(zip, stem));
  const std::string folder = stem + "data/";
  for (const ZipFile::Entry& entry : zip.entries()) {
    if (!entry.name.starts_with(folder)) continue;
    LATHE_RETURN_IF_ERROR(CheckStored(entry));
    storages.ranges[std::string_view(entry.name).substr(folder.size())] = {entry.offset,
                                                                           entry.size};
  }
  LATHE_ASSIGN_OR_RETURN(const auto bytes, Contents(zip, *zip.Find(pickle)));
  PickleHeap heap;
  Unpickler unpickler(bytes, heap);
  LATHE_ASSIGN_OR_RETURN(const PickleValue root, unpickler.Next());
  return ReadTorchState(heap, root, storages, checkpoint);
}

}  // namespace lathe::frontends::internal
