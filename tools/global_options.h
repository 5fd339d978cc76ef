// The options that every subcommand of the driver has, and how a subcommand hands over its work.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "lathe/support/status.h"

namespace CLI {
class App;
}  // namespace CLI

namespace lathe::tools {

struct GlobalOptions {
  // 0: as many as the machine has.
  int threads = 0;
  // The summary on standard output is one JSON object.
  bool json = false;
  // How often -v was given.
  int verbosity = 0;
  // --shape, by input name.
  std::vector<std::pair<std::string, std::vector<int64_t>>> shapes;

  // The work of the subcommand that was chosen; its callback sets this, main calls it once the
  // whole command line is read.
  std::function<Status()> run;

  // What --shape was given, before it is parsed into `shapes`.
  std::vector<std::string> shape_texts;
};

// Adds --threads, --json, -v and --shape to the program.
void AddGlobalOptions(CLI::App& app, GlobalOptions& global);

// Fills `shapes` from `shape_texts`. Errors (of usage): not NAME=1,3,224,224; a name given twice.
Status ParseShapes(GlobalOptions& global);

}  // namespace lathe::tools
