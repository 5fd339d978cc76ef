#include "lathe/tools/exit_status.h"

#include <absl/strings/cord.h>

namespace lathe::tools {
namespace {

constexpr const char* kUsage = "lathe/usage";

}  // namespace

Status UsageError(Status status) {
  if (!status.ok()) status.SetPayload(kUsage, absl::Cord());
  return status;
}

int ExitStatus(const Status& status) {
  if (status.ok()) return 0;
  return status.GetPayload(kUsage).has_value() ? 2 : 1;
}

}  // namespace lathe::tools
