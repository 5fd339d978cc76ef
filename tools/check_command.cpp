#include "lathe/tools/check_command.h"

#include <sys/wait.h>

#include "lathe/support/quoted.h"
#include "lathe/tools/interrupt.h"
#include "lathe/tools/shell.h"

namespace lathe::tools {

StatusOr<bool> CheckHolds(const std::string& command, const std::string& file) {
  ShellCommand shell;
  shell.script = command + " \"$1\"";
  shell.arguments = {file};
  LATHE_ASSIGN_OR_RETURN(const pid_t process, StartShell(shell));
  LATHE_ASSIGN_OR_RETURN(const int state, WaitForEnd(process));
  LATHE_RETURN_IF_ERROR(StopIfInterrupted());
  if (CannotBeRun(state)) {
    return InvalidInput("the command {} cannot be run (exit status {})", Quoted(command),
                        WEXITSTATUS(state));
  }
  return WIFEXITED(state) && WEXITSTATUS(state) == 0;
}

}  // namespace lathe::tools
