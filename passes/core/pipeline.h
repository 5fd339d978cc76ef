// A pipeline: passes in order with their options. It is a value that is written as text and read
// back:
//
//     infer-shapes,fuse-conv-bn{skip=[conv1,"odd, name"]},fixpoint{max=4}(eliminate-identity,...)
//
// pipeline := [item {"," item}]
// item     := PASS [options] | NAMED-PIPELINE | group [options] "(" pipeline ")"
// group    := "phase" | "model" | "bodies" | "fixpoint"         see pipeline_group.h
// options  := "{" [NAME "=" value {"," NAME "=" value}] "}"     value: see OptionText
//
// White space may stand between any two of these, and comments from "#" to the end of a line.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lathe/passes/core/pipeline_group.h"
#include "lathe/passes/core/registry.h"

namespace lathe::passes {

struct PipelineItem {
  // Null: a group.
  const PassDescriptor* pass = nullptr;
  // Of a group, else null.
  const GroupDescriptor* group = nullptr;
  OptionValues options;
  // Of a group.
  std::vector<PipelineItem> items;

  // The pass's name, or the group's word.
  std::string_view name() const { return pass != nullptr ? pass->name : group->word; }

  friend bool operator==(const PipelineItem&, const PipelineItem&) = default;
};

// Refers to descriptors of a registry, which must outlive it.
class Pipeline {
 public:
  // Named pipelines are replaced by what they stand for: phase{name=NAME}(...). Errors name the
  // column (counted from 1; in a text of several lines the line too) and, for unknown names, the
  // nearest ones. Also refused: a fixpoint in more than three others; in bodies(...), another
  // bodies(...), model(...) and passes whose scope is the model.
  static StatusOr<Pipeline> Parse(std::string_view text, const PassRegistry& registry);

  // Appends a pass, with its defaults or with `options`.
  void Add(const PassDescriptor& pass) { Add(pass, OptionValues(pass.options)); }
  void Add(const PassDescriptor& pass, OptionValues options);

  const std::vector<PipelineItem>& items() const { return items_; }

  // What is left to run from the item at `path` on, that item included: path[0] is its place among
  // the items, path[1] its place in that group, ... (there must be such an item). Groups that have
  // begun keep their other items; a fixpoint gives the rest of its round and then itself.
  Pipeline From(std::span<const size_t> path) const;

  // The item at `path` alone, in the groups around it that say what it visits: one run of it.
  Pipeline Alone(std::span<const size_t> path) const;

  // Text that parses to an equal pipeline; options at their default are left out.
  std::string ToText() const;

  friend bool operator==(const Pipeline&, const Pipeline&) = default;

 private:
  std::vector<PipelineItem> items_;
};

}  // namespace lathe::passes
