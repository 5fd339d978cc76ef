// The words of pipeline text that group passes.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "lathe/passes/core/options.h"

namespace lathe::passes {

enum class GroupKind {
  kPhase,     // its passes run as if they stood alone
  kModel,     // its passes visit every graph, as they do anywhere but in kBodies
  kBodies,    // its passes visit every graph but the main one
  kFixpoint,  // its passes run again and again until a round changes nothing
};

struct GroupDescriptor {
  GroupKind kind = GroupKind::kPhase;
  std::string_view word;  // "fixpoint"
  std::string_view help;
  std::vector<OptionDescriptor> options;
};

// All of them.
std::span<const GroupDescriptor> AllGroups();
// Null when the word is none.
const GroupDescriptor* FindGroup(std::string_view word);
const GroupDescriptor& GroupOf(GroupKind kind);

// Options of groups.
inline constexpr std::string_view kGroupName = "name";  // of a phase
inline constexpr std::string_view kMostRounds = "max";  // of a fixpoint

}  // namespace lathe::passes
