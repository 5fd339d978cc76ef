#include "lathe/tools/interrupt.h"

#include <atomic>
#include <csignal>

namespace lathe::tools {
namespace {

std::atomic<bool> interrupted = false;
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may not wait");

extern "C" void OnInterrupt(int /*signal*/) { interrupted = true; }

}  // namespace

void CatchInterrupts() {
  struct sigaction action = {};
  action.sa_handler = OnInterrupt;
  // The second signal meets the default again.
  action.sa_flags = SA_RESETHAND | SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool Interrupted() { return interrupted; }

Status StopIfInterrupted() {
  return Interrupted() ? absl::CancelledError("interrupted; nothing was written") : OkStatus();
}

}  // namespace lathe::tools
