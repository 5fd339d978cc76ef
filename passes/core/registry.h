// The passes that exist. A registry is an ordinary object: whoever needs one fills it (see
// passes/pipelines/all_passes.h), nothing registers itself.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "lathe/passes/core/pass.h"

namespace lathe::passes {

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

  // The names of the passes that establish a fact, sorted. O(passes).
  std::vector<std::string_view> PassesThatEstablish(std::string_view fact) const;

 private:
  std::map<std::string_view, PassDescriptor> passes_;
};

}  // namespace lathe::passes
