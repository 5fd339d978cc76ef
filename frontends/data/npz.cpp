#include "lathe/frontends/data/npz.h"

#include <algorithm>
#include <span>
#include <utility>

#include "lathe/support/quoted.h"

namespace lathe::frontends {
namespace {

using Bytes = std::span<const std::byte>;

constexpr std::string_view kSuffix = ".npy";

std::string Place(const NpzFile::Entry& entry) { return "array " + Quoted(entry.name); }

}  // namespace

StatusOr<NpzFile> NpzFile::Open(const std::string& path) {
  LATHE_ASSIGN_OR_RETURN(auto file, MappedFile::Open(path));
  return Open(std::move(file));
}

StatusOr<NpzFile> NpzFile::Open(std::shared_ptr<const MappedFile> file) {
  const auto open = [&]() -> StatusOr<NpzFile> {
    LATHE_ASSIGN_OR_RETURN(ZipFile zip, ZipFile::Open(file));
    NpzFile npz(std::move(zip));
    LATHE_RETURN_IF_ERROR(npz.ReadHeaders());
    return npz;
  };
  auto npz = open();
  if (!npz.ok()) return WithContext(npz.status(), ErrorContext::kFile, file->path());
  return npz;
}

Status NpzFile::ReadHeaders() {
  for (const ZipFile::Entry& file : zip_.entries()) {
    if (!file.name.ends_with(kSuffix)) {
      return InvalidInput("{} is not an .npy file; an .npz holds nothing else", Quoted(file.name));
    }
    Entry entry;
    entry.name = file.name.substr(0, file.name.size() - kSuffix.size());
    entry.file = file;
    LATHE_RETURN_IF_ERROR(AtPlace(ReadHeader(entry), Place(entry)));
    entries_.push_back(std::move(entry));
  }
  return OkStatus();
}

Status NpzFile::ReadHeader(Entry& entry) const {
  const auto parse = [&](Bytes front) -> Status {
    LATHE_ASSIGN_OR_RETURN(entry.header, ParseNpyHeader(front));
    return OkStatus();
  };
  if (!entry.file.deflated) {
    LATHE_ASSIGN_OR_RETURN(const Bytes bytes, zip_.PackedBytes(entry.file));
    LATHE_RETURN_IF_ERROR(parse(bytes));
  } else {
    // NumPy pads headers to 64 bytes; a thousand bytes hold any ordinary one.
    Status status;
    for (const uint64_t size : {uint64_t{1} << 10, uint64_t{1} << 21}) {
      LATHE_ASSIGN_OR_RETURN(const auto front, zip_.UnpackedFront(entry.file, size));
      status = parse(front);
      if (status.ok()) break;
    }
    LATHE_RETURN_IF_ERROR(status);
  }
  const uint64_t have = entry.file.size - std::min(entry.file.size, entry.header.data_offset);
  if (entry.header.data_bytes > have) {
    return InvalidInput("it has {} bytes of elements, its header says {}", have,
                        entry.header.data_bytes);
  }
  return OkStatus();
}

const NpzFile::Entry* NpzFile::Find(std::string_view name) const {
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const Entry& entry) { return entry.name == name; });
  return found == entries_.end() ? nullptr : &*found;
}

StatusOr<ir::Tensor> NpzFile::Read(const Entry& entry, Stored stored) const {
  const auto read = [&]() -> StatusOr<ir::Tensor> {
    if (entry.file.deflated) {
      LATHE_ASSIGN_OR_RETURN(auto bytes, zip_.Unpacked(entry.file));
      return DecodeNpy(std::make_shared<const std::vector<std::byte>>(std::move(bytes)));
    }
    if (stored == Stored::kVerify) LATHE_RETURN_IF_ERROR(zip_.CheckStored(entry.file));
    return ReadNpy(zip_.file(), entry.file.offset, entry.file.size);
  };
  auto tensor = read();
  if (!tensor.ok()) {
    return WithContext(AtPlace(tensor.status(), Place(entry)), ErrorContext::kFile,
                       zip_.file()->path());
  }
  return tensor;
}

}  // namespace lathe::frontends
