#include "lathe/tools/inspect_checkpoint.h"

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "lathe/ir/text/print.h"
#include "lathe/tools/summary.h"

namespace lathe::tools {
namespace {

using frontends::Checkpoint;
using frontends::StateDict;

std::string TypeText(const ir::Tensor& tensor) {
  return ir::PrintType(ir::Type::Tensor(
      tensor.element_type(), std::vector<int64_t>(tensor.dims().begin(), tensor.dims().end())));
}

// The root, unless dicts are all it holds, then the nested ones.
std::vector<const StateDict*> ShownDicts(const Checkpoint& checkpoint) {
  std::vector<const StateDict*> dicts;
  const bool only_dicts = checkpoint.root.tensors.empty() &&
                          checkpoint.root.others.size() == checkpoint.nested.size() &&
                          !checkpoint.nested.empty();
  if (!only_dicts) dicts.push_back(&checkpoint.root);
  for (const StateDict& dict : checkpoint.nested) dicts.push_back(&dict);
  return dicts;
}

Json DictJson(const StateDict& dict) {
  Json tensors = Json::array(), others = Json::array();
  for (const frontends::NamedTensor& named : dict.tensors) {
    tensors.push_back({{"name", named.name}, {"type", TypeText(named.tensor)}});
  }
  for (const frontends::OtherEntry& other : dict.others) {
    others.push_back({{"name", other.name}, {"kind", other.kind}});
  }
  return {{"name", dict.name}, {"tensors", std::move(tensors)}, {"others", std::move(others)}};
}

void PrintDict(const StateDict& dict) {
  int64_t elements = 0;
  uint64_t bytes = 0;
  std::vector<std::vector<std::string>> rows;
  for (const frontends::NamedTensor& named : dict.tensors) {
    elements += named.tensor.num_elements();
    bytes += named.tensor.byte_size();
    rows.push_back({"  " + named.name, TypeText(named.tensor)});
  }
  for (const frontends::OtherEntry& other : dict.others) {
    rows.push_back({"  " + other.name, std::string(other.kind)});
  }
  fmt::print("\n{}{} tensors, {} elements, {}\n", dict.name.empty() ? "" : dict.name + ": ",
             dict.tensors.size(), elements, SizeText(bytes));
  PrintTable(rows);
}

}  // namespace

void PrintCheckpoint(const Checkpoint& checkpoint, bool json) {
  std::error_code error;
  const auto found = std::filesystem::file_size(checkpoint.path, error);
  const uint64_t size = error ? 0 : found;
  const std::string_view form = frontends::CheckpointFormText(checkpoint.form);
  if (json) {
    Json dicts = Json::array();
    for (const StateDict* dict : ShownDicts(checkpoint)) dicts.push_back(DictJson(*dict));
    PrintJson({{"checkpoint", checkpoint.path},
               {"file_bytes", size},
               {"form", form},
               {"state_dicts", std::move(dicts)}});
    return;
  }
  fmt::print("{}: {}, {}\n", checkpoint.path, SizeText(size), form);
  for (const StateDict* dict : ShownDicts(checkpoint)) PrintDict(*dict);
}

}  // namespace lathe::tools
