// A pipeline: passes in order with their options. It is a value that is written as text and read
// back:
//
//     infer-shapes,fuse-conv-bn{skip=[conv1,"odd, name"]},phase(eliminate-identity,...)
//
// pipeline := [item {"," item}]      item := NAME [options] | "phase" "(" pipeline ")"
// options  := "{" [NAME "=" value {"," NAME "=" value}] "}"     value: see OptionText
//
// White space may stand between any two of these. A phase groups passes that belong together; they
// run as if they stood alone.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lathe/passes/core/registry.h"

namespace lathe::passes {

struct PipelineItem {
  // Null: a phase.
  const PassDescriptor* pass = nullptr;
  OptionValues options;
  // Of a phase.
  std::vector<PipelineItem> items;

  friend bool operator==(const PipelineItem&, const PipelineItem&) = default;
};

// Refers to descriptors of a registry, which must outlive it.
class Pipeline {
 public:
  // Errors name the column (of the text, counted from 1) and, for unknown names, the nearest ones.
  static StatusOr<Pipeline> Parse(std::string_view text, const PassRegistry& registry);

  // Appends a pass, with its defaults or with `options`.
  void Add(const PassDescriptor& pass) { Add(pass, OptionValues(pass.options)); }
  void Add(const PassDescriptor& pass, OptionValues options);

  const std::vector<PipelineItem>& items() const { return items_; }

  // Text that parses to an equal pipeline; options at their default are left out.
  std::string ToText() const;

  friend bool operator==(const Pipeline&, const Pipeline&) = default;

 private:
  std::vector<PipelineItem> items_;
};

}  // namespace lathe::passes
