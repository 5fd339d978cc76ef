#include "lathe/tools/check_command.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <spawn.h>
#include <unistd.h>

#include <sys/wait.h>

#include "lathe/support/quoted.h"
#include "lathe/tools/interrupt.h"

extern char** environ;

namespace lathe::tools {
namespace {

// Zero, or the number of an error of the system.
int Start(const char* script, const std::string& file, pid_t* child) {
  const char* arguments[] = {"sh", "-c", script, "sh", file.c_str(), nullptr};
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&files);
  posix_spawnattr_init(&attributes);
  // Standard output belongs to our own summary.
  posix_spawn_file_actions_adddup2(&files, STDERR_FILENO, STDOUT_FILENO);
  // What this program ignores, others need not.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGXFSZ);
  posix_spawnattr_setsigdefault(&attributes, &signals);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  const int error = posix_spawn(child, "/bin/sh", &files, &attributes,
                                const_cast<char* const*>(arguments), environ);
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  return error;
}

}  // namespace

StatusOr<bool> CheckHolds(const std::string& command, const std::string& file) {
  const std::string script = command + " \"$1\"";
  pid_t child = 0;
  if (const int error = Start(script.c_str(), file, &child); error != 0) {
    return IoError("cannot run /bin/sh: {}", std::strerror(error));
  }
  int state = 0;
  while (waitpid(child, &state, 0) < 0) {
    if (errno != EINTR) return IoError("cannot wait for a command: {}", std::strerror(errno));
  }
  LATHE_RETURN_IF_ERROR(StopIfInterrupted());
  if (WIFEXITED(state) && (WEXITSTATUS(state) == 126 || WEXITSTATUS(state) == 127)) {
    return InvalidInput("the command {} cannot be run (exit status {})", Quoted(command),
                        WEXITSTATUS(state));
  }
  return WIFEXITED(state) && WEXITSTATUS(state) == 0;
}

}  // namespace lathe::tools
