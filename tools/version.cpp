#include "lathe/tools/version.h"

#include "git_stamp.h"

namespace lathe::tools {

std::string_view VersionText() { return "lathe " LATHE_VERSION LATHE_GIT_STAMP; }

}  // namespace lathe::tools
