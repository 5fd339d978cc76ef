// The lines in which two texts differ.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace lathe {

// Lines of `before` that are gone, marked '-', and of `after` that are new, marked '+', with up to
// `context` lines around them, in hunks that begin with "@@ -LINE,COUNT +LINE,COUNT @@". Empty when
// the lines are the same. As few lines as can be, unless that would be more than 1,000: then all
// between the first and the last difference. O(lines · differences).
std::string TextDiff(std::string_view before, std::string_view after, size_t context = 2);

}  // namespace lathe
