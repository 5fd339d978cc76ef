// Checkpoints in: the named tensors that a training run saved.
//
// Read are PyTorch's .pth in its zip form (torch 1.6 and newer) and its older form, safetensors,
// NumPy's .npz, and ONNX (its initializers). Which one a file is, its first bytes say; its name
// does not matter.
//
// Nothing in a checkpoint is ever executed: of PyTorch's pickles only tensors, dicts, lists,
// numbers and strings are interpreted, and everything else is refused by name
// (docs/checkpoints.md).
//
// A tensor that stands in the file in one piece stays there (a range of the mapped file). Copied
// into memory are those whose elements do not stand in order, big-endian ones, and compressed .npz
// arrays; together at most 64 times the file's size, or 64 MiB where that is more.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lathe/ir/tensor.h"
#include "lathe/support/status.h"

namespace lathe::frontends {

enum class CheckpointForm { kTorchZip, kTorchOld, kSafetensors, kNpz, kOnnx };

// "PyTorch checkpoint", "safetensors file", ...
std::string_view CheckpointFormText(CheckpointForm form);

// What the first bytes of the file say; nullopt: none of the forms. Errors: the file cannot be
// read; an .npy file, a TorchScript program and others that are told from a checkpoint by name.
StatusOr<std::optional<CheckpointForm>> RecognizeCheckpoint(const std::string& path);

struct NamedTensor {
  std::string name;
  ir::Tensor tensor;
};

// An entry that is no tensor: its key, and what it is ("an integer", "a dict").
struct OtherEntry {
  std::string name;
  std::string_view kind;
};

struct StateDict {
  // Its key in the checkpoint; empty: the checkpoint itself.
  std::string name;
  // Names are unique and UTF-8, in the file's order. Tensors that the file holds once for several
  // names share their storage.
  std::vector<NamedTensor> tensors;
  std::vector<OtherEntry> others;
};

struct Checkpoint {
  std::string path;
  CheckpointForm form = CheckpointForm::kTorchZip;
  StateDict root;
  // The dicts in the root (of PyTorch's forms only), in its order; also those without any tensor.
  std::vector<StateDict> nested;
};

// The file stays mapped while any of its tensors lives. O(structure of the file), plus the copies.
// Errors carry the file and say where: a form that is not read, damaged, something refused, storage
// that is missing or too short, a tensor that reaches out of its storage, too much to copy.
StatusOr<Checkpoint> ReadCheckpoint(const std::string& path);

// The dict named `name`, or the root without a name, as the reference's state_dict_name does.
// Errors, with the names that there are: no such key, not a dict, no tensors in it.
StatusOr<const StateDict*> SelectStateDict(const Checkpoint& checkpoint,
                                           std::optional<std::string_view> name);

}  // namespace lathe::frontends
