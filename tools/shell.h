// Commands that a user gives as text.
#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

#include "lathe/support/status.h"

namespace lathe::tools {

struct ShellCommand {
  // A script for /bin/sh that sees the arguments as $1, $2, ...
  std::string script;
  std::vector<std::string> arguments;
  // Where its standard output goes. By default to standard error: standard output belongs to our
  // own summary.
  int output = 2;
  // Whether it and what it starts are a process group of their own, without standard input.
  bool own_group = false;
};

// The number of the process.
StatusOr<pid_t> StartShell(const ShellCommand& command);

// Waits for the process; what waitpid says of its end.
StatusOr<int> WaitForEnd(pid_t process);

// The shell could not find the command or could not run it.
bool CannotBeRun(int state);

}  // namespace lathe::tools
