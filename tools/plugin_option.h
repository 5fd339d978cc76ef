// --load-plugin of the commands that deal with passes.
#pragma once

#include <string>
#include <vector>

#include "lathe/passes/core/registry.h"

namespace CLI {
class App;
}

namespace lathe::tools {

void AddPluginOption(CLI::App& command, std::vector<std::string>& plugins);

// Lathe's passes, then those of the plugins in the order given. Errors (of usage): see
// LoadPassPlugin.
Status RegisterPasses(const std::vector<std::string>& plugins, passes::PassRegistry& registry);

}  // namespace lathe::tools
