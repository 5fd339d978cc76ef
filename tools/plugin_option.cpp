#include "lathe/tools/plugin_option.h"

#include <CLI/CLI.hpp>

#include "lathe/passes/core/plugin.h"
#include "lathe/passes/pipelines/all_passes.h"
#include "lathe/tools/exit_status.h"

namespace lathe::tools {

void AddPluginOption(CLI::App& command, std::vector<std::string>& plugins) {
  command
      .add_option("--load-plugin", plugins,
                  "Add the passes of a shared library (docs/writing-a-pass.md); repeat for more")
      ->type_name("FILE")
      ->allow_extra_args(false);
}

Status RegisterPasses(const std::vector<std::string>& plugins, passes::PassRegistry& registry) {
  LATHE_RETURN_IF_ERROR(passes::RegisterAllPasses(registry));
  for (const std::string& plugin : plugins) {
    LATHE_RETURN_IF_ERROR(UsageError(passes::LoadPassPlugin(plugin, registry)));
  }
  return OkStatus();
}

}  // namespace lathe::tools
