// Interned strings: every name of a model (nodes, values, operators, attributes, domains) is stored
// once and handled as a 4-byte Name.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include <absl/container/flat_hash_map.h>

namespace lathe::ir {

// The empty string is always Name{}.
struct Name {
  uint32_t id = 0;

  bool empty() const { return id == 0; }
  friend bool operator==(Name, Name) = default;
  friend auto operator<=>(Name, Name) = default;
  template <typename H>
  friend H AbslHashValue(H state, Name name) {
    return H::combine(std::move(state), name.id);
  }
};

class NameTable {
 public:
  NameTable() { strings_.emplace_back(); }

  // O(length). Texts live as long as the table.
  Name Intern(std::string_view text);
  // O(length); Name{} and false when the text was never interned.
  bool Find(std::string_view text, Name* name) const;
  // O(1).
  std::string_view Text(Name name) const { return strings_[name.id]; }
  size_t size() const { return strings_.size(); }

 private:
  struct Hash {
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  std::deque<std::string> strings_;
  absl::flat_hash_map<std::string_view, uint32_t, Hash, std::equal_to<>> ids_;
};

}  // namespace lathe::ir
