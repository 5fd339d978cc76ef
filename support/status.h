// Errors. Nothing in Lathe throws across a public header: a function that can fail returns Status
// or StatusOr<T>. A status carries one clear sentence, and beside it the file, node and pass it
// concerns and a hint what to do, so that every surface (driver, Python, C API) shows them alike.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <fmt/format.h>

namespace lathe {

using absl::Status;
using absl::StatusOr;

inline Status OkStatus() { return absl::OkStatus(); }

// Which part of the context of an error: each is attached at most once, the innermost wins.
enum class ErrorContext { kFile, kNode, kPass, kHint };

// Returns `status` with the given piece of context; an OK status is returned unchanged.
Status WithContext(Status status, ErrorContext what, std::string_view text);

// The piece of context, if attached.
std::optional<std::string> GetContext(const Status& status, ErrorContext what);

// One line: "FILE: node 'N': pass P: message (hint)". Parts that are unknown are left out.
std::string FormatError(const Status& status);

// The same error with "PLACE: " in front of its message; an OK status is returned unchanged.
Status AtPlace(const Status& status, std::string_view place);

// The input (model, data, configuration) is wrong.
template <typename... Args>
Status InvalidInput(fmt::format_string<Args...> format, Args&&... args) {
  return absl::InvalidArgumentError(fmt::format(format, std::forward<Args>(args)...));
}

// The input is right, but this tool does not do that.
template <typename... Args>
Status Unsupported(fmt::format_string<Args...> format, Args&&... args) {
  return absl::UnimplementedError(fmt::format(format, std::forward<Args>(args)...));
}

template <typename... Args>
Status NotFound(fmt::format_string<Args...> format, Args&&... args) {
  return absl::NotFoundError(fmt::format(format, std::forward<Args>(args)...));
}

// The operating system refused: a file cannot be read or written, the disk is full.
template <typename... Args>
Status IoError(fmt::format_string<Args...> format, Args&&... args) {
  return absl::UnavailableError(fmt::format(format, std::forward<Args>(args)...));
}

// A mistake in Lathe itself.
template <typename... Args>
Status InternalError(fmt::format_string<Args...> format, Args&&... args) {
  return absl::InternalError(fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace lathe

#define LATHE_CONCAT_INNER(a, b) a##b
#define LATHE_CONCAT(a, b) LATHE_CONCAT_INNER(a, b)

#define LATHE_RETURN_IF_ERROR(expression)                                                     \
  do {                                                                                        \
    if (::lathe::Status lathe_status = (expression); !lathe_status.ok()) return lathe_status; \
  } while (false)

#define LATHE_ASSIGN_OR_RETURN(declaration, expression) \
  LATHE_ASSIGN_OR_RETURN_INNER(LATHE_CONCAT(lathe_result_, __LINE__), declaration, expression)
#define LATHE_ASSIGN_OR_RETURN_INNER(result, declaration, expression) \
  auto result = (expression);                                         \
  if (!result.ok()) return std::move(result).status();                \
  declaration = *std::move(result)
