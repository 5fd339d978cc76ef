// The lathe driver: reads the command line and hands over to a subcommand.
#include <csignal>
#include <cstdio>
#include <exception>
#include <new>
#include <system_error>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "lathe/support/nearest_names.h"
#include "lathe/support/quoted.h"
#include "lathe/tools/commands/commands.h"
#include "lathe/tools/exit_status.h"
#include "lathe/tools/interrupt.h"
#include "lathe/tools/version.h"

namespace lathe::tools {
namespace {

constexpr const char* kDescription =
    "Lathe turns a float network into what an Ascend accelerator runs.";
constexpr const char* kFooter =
    "'lathe COMMAND --help' says more about a command.\n"
    "Exit status: 0 done, 1 the model or data is wrong, 2 usage.";

void PrintError(std::string_view text) { fmt::print(stderr, "lathe: error: {}\n", text); }

// A word on the command line that should have been a subcommand; empty when there is none.
std::string UnknownCommand(const CLI::App& app) {
  if (!app.get_subcommands().empty()) return {};
  for (const std::string& word : app.remaining()) {
    if (!word.starts_with('-')) return word;
  }
  return {};
}

Status UsageProblem(const CLI::App& app, const CLI::ParseError& error) {
  const std::string command = UnknownCommand(app);
  if (!command.empty()) {
    std::vector<std::string> names;
    for (const CLI::App* known : app.get_subcommands([](const CLI::App*) { return true; })) {
      names.push_back(known->get_name());
    }
    const std::vector<std::string_view> views(names.begin(), names.end());
    const std::string nearest = DidYouMean(command, views);
    return InvalidInput("there is no command {}{}{} (see 'lathe --help')", Quoted(command),
                        nearest.empty() ? "" : "; ", nearest);
  }
  const std::vector<CLI::App*> chosen = app.get_subcommands();
  if (chosen.empty() && dynamic_cast<const CLI::RequiredError*>(&error) != nullptr) {
    return InvalidInput("a command is missing (see 'lathe --help')");
  }
  std::string message = error.what();
  for (char& c : message) {
    if (c == '\n') c = ' ';
  }
  return InvalidInput("{} (see 'lathe{}{} --help')", message, chosen.empty() ? "" : " ",
                      chosen.empty() ? "" : chosen.front()->get_name());
}

Status Main(int argc, char** argv) {
  CLI::App app(kDescription, "lathe");
  app.footer(kFooter);
  app.set_version_flag("--version", std::string(VersionText()));
  app.require_subcommand(1);
  // Options of the program may follow the subcommand.
  app.fallthrough();
  GlobalOptions global;
  AddGlobalOptions(app, global);
  AddCommands(app, global);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {
    app.exit(success);  // prints help or version
    return OkStatus();
  } catch (const CLI::ParseError& error) {
    return UsageError(UsageProblem(app, error));
  }
  LATHE_RETURN_IF_ERROR(ParseShapes(global));
  CatchInterrupts();
  // A file that may not grow further is an error of the write, like a full disk, and not our end.
  std::signal(SIGXFSZ, SIG_IGN);
  return global.run();
}

}  // namespace
}  // namespace lathe::tools

constexpr std::string_view kNoOutput = "standard output cannot be written";

int main(int argc, char** argv) {
  try {
    const lathe::Status status = lathe::tools::Main(argc, argv);
    if (!status.ok()) lathe::tools::PrintError(lathe::FormatError(status));
    // A summary that could not be written (a full disk, a closed pipe) is a failure too.
    if (std::fflush(stdout) != 0 && status.ok()) {
      lathe::tools::PrintError(kNoOutput);
      return 1;
    }
    return lathe::tools::ExitStatus(status);
  } catch (const std::system_error&) {
    // What fmt throws when it cannot write; nothing else throws it.
    lathe::tools::PrintError(kNoOutput);
    return 1;
  } catch (const std::bad_alloc&) {
    // Results take their places all at once, at the end.
    lathe::tools::PrintError("out of memory; no result was left unfinished");
    return 1;
  } catch (const std::exception& exception) {
    lathe::tools::PrintError(fmt::format("internal error: {}", exception.what()));
    return 1;
  }
}
