#include "lathe/support/status.h"

#include <absl/strings/cord.h>

namespace lathe {
namespace {

const char* PayloadKey(ErrorContext what) {
  switch (what) {
    case ErrorContext::kFile:
      return "lathe/file";
    case ErrorContext::kNode:
      return "lathe/node";
    case ErrorContext::kPass:
      return "lathe/pass";
    case ErrorContext::kHint:
      return "lathe/hint";
  }
  return "lathe/other";
}

}  // namespace

Status WithContext(Status status, ErrorContext what, std::string_view text) {
  if (!status.ok() && !status.GetPayload(PayloadKey(what)).has_value()) {
    status.SetPayload(PayloadKey(what), absl::Cord(std::string(text)));
  }
  return status;
}

std::optional<std::string> GetContext(const Status& status, ErrorContext what) {
  const auto payload = status.GetPayload(PayloadKey(what));
  if (!payload.has_value()) return std::nullopt;
  return std::string(*payload);
}

Status AtPlace(const Status& status, std::string_view place) {
  if (status.ok()) return status;
  Status result(status.code(),
                fmt::format("{}: {}", place,
                            std::string_view(status.message().data(), status.message().size())));
  status.ForEachPayload(
      [&](absl::string_view key, const absl::Cord& payload) { result.SetPayload(key, payload); });
  return result;
}

std::string FormatError(const Status& status) {
  std::string text;
  if (const auto file = GetContext(status, ErrorContext::kFile)) text += *file + ": ";
  if (const auto node = GetContext(status, ErrorContext::kNode)) text += "node '" + *node + "': ";
  if (const auto pass = GetContext(status, ErrorContext::kPass)) text += "pass " + *pass + ": ";
  text += std::string(status.message());
  if (const auto hint = GetContext(status, ErrorContext::kHint)) text += " (" + *hint + ")";
  return text;
}

}  // namespace lathe
