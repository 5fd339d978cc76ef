#include "lathe/tools/commands/memory_option.h"

#include <charconv>
#include <string_view>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "lathe/support/quoted.h"
#include "lathe/tools/exit_status.h"
#include "lathe/tools/peak_memory.h"

namespace lathe::tools {
namespace {

// The factor of a unit, 0 for one that is none.
double FactorOf(std::string_view unit) {
  if (unit.ends_with('B')) unit.remove_suffix(1);
  if (unit.empty()) return 1;
  if (unit.size() > 1) return 0;
  switch (unit.front()) {
    case 'k':
    case 'K':
      return 1e3;
    case 'm':
    case 'M':
      return 1e6;
    case 'g':
    case 'G':
      return 1e9;
    case 't':
    case 'T':
      return 1e12;
    default:
      return 0;
  }
}

}  // namespace

void AddMemoryOption(CLI::App& command, std::optional<std::string>& text) {
  command
      .add_option("--max-memory", text,
                  "Take no more memory than this (800M, 1.5G, bytes): more passes over the data if "
                  "need be, with the same results; a job that cannot fit is refused at once")
      ->type_name("SIZE");
}

StatusOr<uint64_t> ParseMemorySize(const std::optional<std::string>& text) {
  if (!text) return uint64_t{0};
  double number = 0;
  const char* const begin = text->data();
  const char* const end = begin + text->size();
  const auto [rest, error] = std::from_chars(begin, end, number, std::chars_format::fixed);
  const double bytes =
      error == std::errc()
          ? number * FactorOf(std::string_view(rest, static_cast<size_t>(end - rest)))
          : 0;
  constexpr double kMost = 0x1p62;
  if (!(bytes >= 1 && bytes <= kMost)) {
    return UsageError(InvalidInput(
        "--max-memory {}: write a size such as 800M, 1.5G or a number of bytes", Quoted(*text)));
  }
  return static_cast<uint64_t>(bytes);
}

void AddPeakMemory(Json& summary, uint64_t limit) {
  summary["peak_memory_bytes"] = PeakMemoryBytes();
  if (limit != 0) summary["max_memory_bytes"] = limit;
}

std::string PeakMemoryText(uint64_t limit) {
  const std::string peak = fmt::format("{} at the peak", SizeText(PeakMemoryBytes()));
  return limit == 0 ? peak : fmt::format("{} of {} allowed", peak, SizeText(limit));
}

}  // namespace lathe::tools
