// The passes and named pipelines that exist. A registry is an ordinary object: whoever needs one
// fills it (see passes/pipelines/all_passes.h), nothing registers itself.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "lathe/passes/core/pass.h"

namespace lathe::passes {

// A pipeline that has a name: wherever a pass can stand in pipeline text, so can it.
struct PipelineDescriptor {
  std::string_view name;         // "canonicalize"
  std::string_view summary;      // one line, imperative
  std::string_view description;  // the order, and why
  std::string_view text;         // passes and pipelines that were registered before it
};

class PassRegistry {
 public:
  // Errors: the name is taken, reserved or not of the form "fuse-conv-bn"; summary or description
  // is missing; there is nothing to run; an option, statistic or fact is named twice or has no
  // help.
  Status Add(const PassDescriptor& descriptor);

  // Errors: no such pass; the nearest names are given. Descriptors keep their address. O(log n).
  StatusOr<const PassDescriptor*> Find(std::string_view name) const;

  // By name.
  std::vector<const PassDescriptor*> All() const;

  // Errors: the name is taken, reserved or not of the form "fuse-conv-bn"; summary or description
  // is missing; the text is wrong, also when it names something that is not registered yet.
  Status AddPipeline(const PipelineDescriptor& descriptor);
  // Null when there is none. O(log n).
  const PipelineDescriptor* FindPipeline(std::string_view name) const;
  // By name.
  std::vector<const PipelineDescriptor*> AllPipelines() const;

  // As Find, for a name in pipeline text: the nearest names are of passes, pipelines and groups.
  StatusOr<const PassDescriptor*> FindItem(std::string_view name) const;

  // The names of the passes that establish a fact, sorted. O(passes).
  std::vector<std::string_view> PassesThatEstablish(std::string_view fact) const;

 private:
  Status CheckName(std::string_view what, std::string_view name) const;

  std::map<std::string_view, PassDescriptor> passes_;
  std::map<std::string_view, PipelineDescriptor> pipelines_;
};

}  // namespace lathe::passes
