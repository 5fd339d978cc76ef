#include <algorithm>
#include <string>
#include <vector>

#include "lathe/frontends/checkpoint/checkpoint.h"
#include "lathe/support/nearest_names.h"
#include "lathe/support/quoted.h"

namespace lathe::frontends {
namespace {

// A message lists no more names than this.
constexpr size_t kMostListed = 10;

// "'state_dict' (120 tensors), 'ema' (120 tensors)"; empty when no nested dict holds any.
std::string Candidates(const Checkpoint& checkpoint) {
  std::string text;
  size_t listed = 0;
  for (const StateDict& dict : checkpoint.nested) {
    if (dict.tensors.empty()) continue;
    if (listed == kMostListed) return text + ", ...";
    text += fmt::format("{}{} ({} tensors)", listed == 0 ? "" : ", ", Quoted(dict.name),
                        dict.tensors.size());
    ++listed;
  }
  return text;
}

std::string ThereIs(const Checkpoint& checkpoint) {
  const std::string candidates = Candidates(checkpoint);
  return candidates.empty() ? "it has none" : "it has " + candidates;
}

Status Missing(const Checkpoint& checkpoint, std::string_view name) {
  if (checkpoint.form != CheckpointForm::kTorchZip &&
      checkpoint.form != CheckpointForm::kTorchOld) {
    return WithContext(InvalidInput("there is no state dict {}: tensors of this form ({}) have no "
                                    "dict around them",
                                    Quoted(name), CheckpointFormText(checkpoint.form)),
                       ErrorContext::kHint, "leave the state dict's name out");
  }
  std::vector<std::string_view> names;
  for (const StateDict& dict : checkpoint.nested) names.push_back(dict.name);
  const Status missing =
      NotFound("there is no state dict {}; {}", Quoted(name), ThereIs(checkpoint));
  const std::string near = DidYouMean(name, names);
  return near.empty() ? missing : WithContext(missing, ErrorContext::kHint, near);
}

// What the root holds as `name`, if it is no dict.
std::string_view KindAtRoot(const StateDict& root, std::string_view name) {
  for (const NamedTensor& tensor : root.tensors) {
    if (tensor.name == name) return "a tensor";
  }
  for (const OtherEntry& other : root.others) {
    if (other.name == name) return other.kind;
  }
  return "";
}

StatusOr<const StateDict*> Select(const Checkpoint& checkpoint,
                                  std::optional<std::string_view> name) {
  if (!name.has_value()) {
    if (!checkpoint.root.tensors.empty()) return &checkpoint.root;
    const std::string candidates = Candidates(checkpoint);
    if (candidates.empty()) return InvalidInput("it holds no tensors");
    return WithContext(InvalidInput("its tensors stand in dicts: {}", candidates),
                       ErrorContext::kHint,
                       "name the state dict: --state-dict-name NAME, in Python state_dict_name");
  }
  for (const StateDict& dict : checkpoint.nested) {
    if (dict.name != *name) continue;
    if (!dict.tensors.empty()) return &dict;
    return InvalidInput("the state dict {} holds no tensors; {}", Quoted(*name),
                        ThereIs(checkpoint));
  }
  if (const std::string_view kind = KindAtRoot(checkpoint.root, *name); !kind.empty()) {
    return InvalidInput("{} is {}, not a state dict; {}", Quoted(*name), kind, ThereIs(checkpoint));
  }
  return Missing(checkpoint, *name);
}

}  // namespace

StatusOr<const StateDict*> SelectStateDict(const Checkpoint& checkpoint,
                                           std::optional<std::string_view> name) {
  auto dict = Select(checkpoint, name);
  if (!dict.ok()) return WithContext(dict.status(), ErrorContext::kFile, checkpoint.path);
  return dict;
}

}  // namespace lathe::frontends
