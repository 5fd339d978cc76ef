#include "lathe/ir/names.h"

namespace lathe::ir {

Name NameTable::Intern(std::string_view text) {
  if (text.empty()) return {};
  if (const auto it = ids_.find(text); it != ids_.end()) return {it->second};
  const auto id = static_cast<uint32_t>(strings_.size());
  const std::string& stored = strings_.emplace_back(text);
  if (ids_.size() >= ids_.capacity() - ids_.capacity() / 8) {
    // Grows in the order in which the texts lie in memory: by itself the table would read them in
    // its own, which is none, and wait for each.
    decltype(ids_) grown;
    grown.reserve(2 * ids_.size());
    for (uint32_t old = 1; old < id; ++old) grown.emplace(strings_[old], old);
    ids_ = std::move(grown);
  }
  ids_.emplace(stored, id);
  return {id};
}

bool NameTable::Find(std::string_view text, Name* name) const {
  *name = {};
  if (text.empty()) return true;
  const auto it = ids_.find(text);
  if (it == ids_.end()) return false;
  name->id = it->second;
  return true;
}

}  // namespace lathe::ir
