#include "lathe/tools/commands/commands.h"

namespace lathe::tools {

void AddCommands(CLI::App& app, GlobalOptions& global) {
  AddQuantizeCommand(app, global);
  AddAutoCommand(app, global);
  AddConfigCommand(app, global);
  AddBalanceCommand(app, global);
  AddCalibrateCommand(app, global);
  AddSaveCommand(app, global);
  AddRetrainCommand(app, global);
  AddPruneCommand(app, global);
  AddCompressCommand(app, global);
  AddConvertQatCommand(app, global);
  AddKvCacheCommand(app, global);
  AddRunCommand(app, global);
  AddCompareCommand(app, global);
  AddInspectCommand(app, global);
  AddExplainCommand(app, global);
  AddOptCommand(app, global);
  AddPassesCommand(app, global);
}

}  // namespace lathe::tools
