// Patterns for names.
#pragma once

#include <string_view>

namespace lathe {

// Whether the whole name fits: '*' stands for any characters, '?' for any one, everything else for
// itself. O(length of the pattern · length of the name).
bool GlobMatches(std::string_view pattern, std::string_view name);

}  // namespace lathe
