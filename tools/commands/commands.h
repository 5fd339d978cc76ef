// The subcommands, one file each. A new one is a function here and a line in commands.cpp.
#pragma once

#include "lathe/tools/global_options.h"

namespace lathe::tools {

// Each adds its subcommand to the program. Its callback sets GlobalOptions::run.
void AddAutoCommand(CLI::App& app, GlobalOptions& global);
void AddBalanceCommand(CLI::App& app, GlobalOptions& global);
void AddCalibrateCommand(CLI::App& app, GlobalOptions& global);
void AddCompareCommand(CLI::App& app, GlobalOptions& global);
void AddCompressCommand(CLI::App& app, GlobalOptions& global);
void AddConfigCommand(CLI::App& app, GlobalOptions& global);
void AddConvertQatCommand(CLI::App& app, GlobalOptions& global);
void AddExplainCommand(CLI::App& app, GlobalOptions& global);
void AddInspectCommand(CLI::App& app, GlobalOptions& global);
void AddKvCacheCommand(CLI::App& app, GlobalOptions& global);
void AddOptCommand(CLI::App& app, GlobalOptions& global);
void AddPassesCommand(CLI::App& app, GlobalOptions& global);
void AddPruneCommand(CLI::App& app, GlobalOptions& global);
void AddQuantizeCommand(CLI::App& app, GlobalOptions& global);
void AddRetrainCommand(CLI::App& app, GlobalOptions& global);
void AddRunCommand(CLI::App& app, GlobalOptions& global);
void AddSaveCommand(CLI::App& app, GlobalOptions& global);

// All of them, in the order in which help lists them.
void AddCommands(CLI::App& app, GlobalOptions& global);

}  // namespace lathe::tools
