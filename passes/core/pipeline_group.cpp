#include "lathe/passes/core/pipeline_group.h"

#include <algorithm>

namespace lathe::passes {

std::span<const GroupDescriptor> AllGroups() {
  // In the order of GroupKind.
  static const std::vector<GroupDescriptor> kGroups = {
      {GroupKind::kPhase,
       "phase",
       "passes that belong together; they run as if they stood alone",
       {{kGroupName, "what timing calls it; a named pipeline becomes a phase of its name",
         std::string()}}},
      {GroupKind::kModel,
       "model",
       "passes that visit every graph of the model, as all do that stand in no bodies(...)",
       {}},
      {GroupKind::kBodies,
       "bodies",
       "passes that leave the main graph alone and visit local functions and the bodies of If, "
       "Loop and Scan",
       {}},
      {GroupKind::kFixpoint,
       "fixpoint",
       "passes that run in turn until a round of all of them changes nothing",
       {{kMostRounds,
         "stop after this many rounds, with a remark when the last one still changed "
         "something",
         int64_t{8}}}},
  };
  return kGroups;
}

const GroupDescriptor* FindGroup(std::string_view word) {
  const auto it = std::ranges::find(AllGroups(), word, &GroupDescriptor::word);
  return it == AllGroups().end() ? nullptr : &*it;
}

const GroupDescriptor& GroupOf(GroupKind kind) { return AllGroups()[static_cast<size_t>(kind)]; }

}  // namespace lathe::passes
