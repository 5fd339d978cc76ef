// The text of a refusal, for tests of patterns.
#pragma once

#include <string>

#include "lathe/passes/rewrite/pattern.h"

namespace lathe::passes {

// "matched", or why not.
inline std::string RefusalOf(const Pattern& pattern, ir::Node& root) {
  Refusal refusal;
  return FindMatch(pattern, root, &refusal) ? "matched" : refusal.ToText();
}

}  // namespace lathe::passes
