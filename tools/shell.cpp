#include "lathe/tools/shell.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <spawn.h>
#include <unistd.h>

#include <sys/wait.h>

extern char** environ;

namespace lathe::tools {

StatusOr<pid_t> StartShell(const ShellCommand& command) {
  std::vector<const char*> arguments = {"sh", "-c", command.script.c_str(), "sh"};
  for (const std::string& argument : command.arguments) arguments.push_back(argument.c_str());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&files);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_adddup2(&files, command.output, STDOUT_FILENO);
  // What this program ignores, others need not.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGXFSZ);
  posix_spawnattr_setsigdefault(&attributes, &signals);
  int flags = POSIX_SPAWN_SETSIGDEF;
  if (command.own_group) {
    // A group that is not the terminal's may not read from it.
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    flags |= POSIX_SPAWN_SETPGROUP;
  }
  posix_spawnattr_setflags(&attributes, static_cast<short>(flags));
  pid_t process = 0;
  const int error = posix_spawn(&process, "/bin/sh", &files, &attributes,
                                const_cast<char* const*>(arguments.data()), environ);
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) return IoError("cannot run /bin/sh: {}", std::strerror(error));
  return process;
}

StatusOr<int> WaitForEnd(pid_t process) {
  int state = 0;
  while (waitpid(process, &state, 0) < 0) {
    if (errno != EINTR) return IoError("cannot wait for a command: {}", std::strerror(errno));
  }
  return state;
}

bool CannotBeRun(int state) {
  return WIFEXITED(state) && (WEXITSTATUS(state) == 126 || WEXITSTATUS(state) == 127);
}

}  // namespace lathe::tools
