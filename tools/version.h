// Which Lathe this is.
#pragma once

#include <string_view>

namespace lathe::tools {

// "lathe 0.1.0 (git 1a2b3c4)"; the stamp is left out when it was not built from a git checkout and
// ends in "+" when the checkout had changes of its own.
std::string_view VersionText();

}  // namespace lathe::tools
