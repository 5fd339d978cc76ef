#include "lathe/tools/evaluate_command.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <sys/wait.h>

#include "lathe/support/quoted.h"
#include "lathe/tools/interrupt.h"
#include "lathe/tools/shell.h"

namespace lathe::tools {
namespace {

constexpr std::string_view kBlank = " \t\r\n";

// Reads until the command closes its output or somebody interrupts. Of a long output the end is
// enough.
StatusOr<std::string> ReadOutput(int descriptor) {
  constexpr size_t kKept = 4096;
  constexpr int kMilliseconds = 100;
  std::string output;
  std::array<char, 65536> buffer;
  while (true) {
    LATHE_RETURN_IF_ERROR(StopIfInterrupted());
    pollfd ready = {descriptor, POLLIN, 0};
    // None within the time, or a signal.
    if (poll(&ready, 1, kMilliseconds) <= 0) continue;
    const ssize_t size = read(descriptor, buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return IoError("cannot read from a command: {}", std::strerror(errno));
    if (size == 0) return output;
    output.append(buffer.data(), static_cast<size_t>(size));
    if (output.size() > 2 * kKept) output.erase(0, output.size() - kKept);
  }
}

Status CheckEnd(int state) {
  if (CannotBeRun(state))
    return InvalidInput("it cannot be run (exit status {})", WEXITSTATUS(state));
  if (WIFSIGNALED(state)) return InvalidInput("it was ended by signal {}", WTERMSIG(state));
  if (WEXITSTATUS(state) != 0)
    return InvalidInput("it failed with exit status {}", WEXITSTATUS(state));
  return OkStatus();
}

StatusOr<double> Evaluate(const std::string& command, const std::string& deploy,
                          const std::string& fake_quant) {
  std::array<int, 2> ends;
  if (pipe2(ends.data(), O_CLOEXEC) != 0) {
    return IoError("no pipe: {}", std::strerror(errno));
  }
  ShellCommand shell;
  shell.script = command + " \"$1\" \"$2\"";
  shell.arguments = {deploy, fake_quant};
  shell.output = ends[1];
  shell.own_group = true;
  const StatusOr<pid_t> process = StartShell(shell);
  close(ends[1]);
  StatusOr<std::string> output = std::string();
  if (process.ok()) {
    output = ReadOutput(ends[0]);
    if (!output.ok()) kill(-*process, SIGTERM);
  }
  close(ends[0]);
  if (!process.ok()) return process.status();
  LATHE_ASSIGN_OR_RETURN(const int state, WaitForEnd(*process));
  if (!output.ok()) return output.status();
  LATHE_RETURN_IF_ERROR(StopIfInterrupted());
  LATHE_RETURN_IF_ERROR(CheckEnd(state));
  return LastNumber(*output);
}

}  // namespace

StatusOr<double> LastNumber(std::string_view output) {
  const size_t end = output.find_last_not_of(kBlank);
  if (end == std::string_view::npos) return InvalidInput("it printed nothing");
  std::string_view line = output.substr(0, end + 1);
  if (const size_t before = line.find_last_of('\n'); before != std::string_view::npos) {
    line.remove_prefix(before + 1);
  }
  line.remove_prefix(std::min(line.find_first_not_of(kBlank), line.size()));
  double number = 0;
  const std::string_view digits = line.starts_with('+') ? line.substr(1) : line;
  const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || stop != digits.data() + digits.size() || !std::isfinite(number)) {
    return InvalidInput("its last line {} is no finite number", Quoted(line));
  }
  return number;
}

StatusOr<double> EvaluateByCommand(const std::string& command, const std::string& deploy,
                                   const std::string& fake_quant) {
  StatusOr<double> number = Evaluate(command, deploy, fake_quant);
  if (number.ok() || absl::IsCancelled(number.status())) return number;
  return AtPlace(number.status(), fmt::format("the evaluator {}", Quoted(command)));
}

}  // namespace lathe::tools
