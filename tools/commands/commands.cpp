#include "lathe/tools/commands/commands.h"

namespace lathe::tools {

void AddCommands(CLI::App& app, GlobalOptions& global) {
  AddInspectCommand(app, global);
  AddOptCommand(app, global);
  AddPassesCommand(app, global);
}

}  // namespace lathe::tools
