#include <new>
#include <string>
#include <utility>

#include "lathe/frontends/checkpoint/checkpoint.h"
#include "lathe/frontends/checkpoint/internal/forms.h"
#include "lathe/support/quoted.h"
#include "lathe/support/utf8.h"

namespace lathe::frontends {
namespace {

using internal::FileHandle;

// The bytes at the front that tell the forms apart.
constexpr uint64_t kFront = 16;
constexpr std::string_view kZipFront("PK\x03\x04", 4), kNpyFront("\x93NUMPY", 6);

// A pickle that begins with a number of ten bytes, perhaps in a frame, or any other pickle.
bool IsPickle(std::string_view front) {
  return front.size() > 2 && front[0] == '\x80' && front[1] >= 2 && front[1] <= 5;
}

// The header's length, and the header's first byte.
bool IsSafetensors(std::string_view front) {
  return front.size() > 8 && front[8] == '{' && front.substr(5, 3) == std::string_view("\0\0\0", 3);
}

// A model begins with its IR version or, where a writer orders fields otherwise, with one of the
// other fields that every model has: producer, graph, operator sets.
bool IsProtobufModel(std::string_view front) {
  return !front.empty() &&
         std::string_view("\x08\x12\x3a\x42").find(front[0]) != std::string_view::npos;
}

StatusOr<std::optional<CheckpointForm>> Recognize(const FileHandle& file) {
  LATHE_ASSIGN_OR_RETURN(const auto bytes, file->Range(0, std::min(file->size(), kFront)));
  const std::string_view front(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (front.starts_with(kZipFront)) {
    LATHE_ASSIGN_OR_RETURN(const ZipFile zip, ZipFile::Open(file));
    LATHE_ASSIGN_OR_RETURN(const std::string pickle, internal::FindTorchPickle(zip));
    if (!pickle.empty()) return CheckpointForm::kTorchZip;
    for (const ZipFile::Entry& entry : zip.entries()) {
      if (entry.name.ends_with(".npy")) return CheckpointForm::kNpz;
    }
    return InvalidInput("it is a zip archive, but neither a PyTorch checkpoint nor an .npz file");
  }
  if (front.starts_with(kNpyFront)) {
    return WithContext(Unsupported("it is a single .npy array, which has no name"),
                       ErrorContext::kHint, "save it with numpy.savez");
  }
  if (IsPickle(front)) return CheckpointForm::kTorchOld;
  if (IsSafetensors(front)) return CheckpointForm::kSafetensors;
  if (IsProtobufModel(front)) return CheckpointForm::kOnnx;
  return std::nullopt;
}

Status ReadForm(const FileHandle& file, Checkpoint& checkpoint) {
  LATHE_ASSIGN_OR_RETURN(const std::optional<CheckpointForm> form, Recognize(file));
  if (!form.has_value()) {
    return InvalidInput(
        "it is no checkpoint that is read: neither PyTorch's .pth, nor safetensors, .npz or ONNX");
  }
  checkpoint.form = *form;
  switch (*form) {
    case CheckpointForm::kTorchZip:
      return internal::ReadTorchZip(file, checkpoint);
    case CheckpointForm::kTorchOld:
      return internal::ReadTorchOld(file, checkpoint);
    case CheckpointForm::kSafetensors:
      return internal::ReadSafetensors(file, checkpoint);
    case CheckpointForm::kNpz:
      return internal::ReadNpzCheckpoint(file, checkpoint);
    case CheckpointForm::kOnnx:
      return internal::ReadOnnxCheckpoint(file, checkpoint);
  }
  return InternalError("no reader");
}

// Names go into messages, JSON and models, all of which are UTF-8.
Status CheckNames(const StateDict& dict) {
  const auto check = [](const std::string& name) {
    return IsUtf8(name) ? OkStatus() : InvalidInput("the key {} is not UTF-8", Quoted(name));
  };
  LATHE_RETURN_IF_ERROR(check(dict.name));
  for (const NamedTensor& tensor : dict.tensors) LATHE_RETURN_IF_ERROR(check(tensor.name));
  for (const OtherEntry& other : dict.others) LATHE_RETURN_IF_ERROR(check(other.name));
  return OkStatus();
}

Status Read(const FileHandle& file, Checkpoint& checkpoint) {
  try {
    LATHE_RETURN_IF_ERROR(ReadForm(file, checkpoint));
    LATHE_RETURN_IF_ERROR(CheckNames(checkpoint.root));
    for (const StateDict& dict : checkpoint.nested) LATHE_RETURN_IF_ERROR(CheckNames(dict));
    return OkStatus();
  } catch (const std::bad_alloc&) {
    return IoError("there is not enough memory to read it");
  }
}

}  // namespace

std::string_view CheckpointFormText(CheckpointForm form) {
  switch (form) {
    case CheckpointForm::kTorchZip:
      return "PyTorch checkpoint";
    case CheckpointForm::kTorchOld:
      return "PyTorch checkpoint (form before torch 1.6)";
    case CheckpointForm::kSafetensors:
      return "safetensors file";
    case CheckpointForm::kNpz:
      return ".npz file";
    case CheckpointForm::kOnnx:
      return "ONNX model";
  }
  return "";
}

StatusOr<std::optional<CheckpointForm>> RecognizeCheckpoint(const std::string& path) {
  LATHE_ASSIGN_OR_RETURN(const FileHandle file, MappedFile::Open(path));
  auto form = Recognize(file);
  if (!form.ok()) return WithContext(form.status(), ErrorContext::kFile, path);
  return form;
}

StatusOr<Checkpoint> ReadCheckpoint(const std::string& path) {
  LATHE_ASSIGN_OR_RETURN(const FileHandle file, MappedFile::Open(path));
  Checkpoint checkpoint;
  checkpoint.path = path;
  if (Status status = Read(file, checkpoint); !status.ok()) {
    return WithContext(std::move(status), ErrorContext::kFile, path);
  }
  return checkpoint;
}

}  // namespace lathe::frontends
