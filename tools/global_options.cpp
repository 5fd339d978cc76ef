#include "lathe/tools/global_options.h"

#include <charconv>

#include <CLI/CLI.hpp>

#include "lathe/support/quoted.h"
#include "lathe/tools/exit_status.h"

namespace lathe::tools {
namespace {

bool ParseExtents(std::string_view text, std::vector<int64_t>* extents) {
  while (true) {
    int64_t extent = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), extent);
    if (error != std::errc() || extent < 1) return false;
    extents->push_back(extent);
    text.remove_prefix(static_cast<size_t>(end - text.data()));
    if (text.empty()) return true;
    if (text.front() != ',') return false;
    text.remove_prefix(1);
  }
}

}  // namespace

void AddGlobalOptions(CLI::App& app, GlobalOptions& global) {
  app.add_option("--threads", global.threads, "Threads to use (default: all of the machine)")
      ->type_name("N")
      ->check(CLI::Range(1, 4096).description(""));
  app.add_flag("--json", global.json, "Print the summary as one JSON object");
  app.add_flag("-v,--verbose", global.verbosity, "Say more; twice: still more");
  app.add_option("--shape", global.shape_texts,
                 "Shape of a graph input whose dimensions are free; repeat for further inputs")
      ->type_name("NAME=1,3,224,224")
      ->allow_extra_args(false);
}

Status ParseShapes(GlobalOptions& global) {
  for (const std::string& text : global.shape_texts) {
    // Names may hold '=', extents do not.
    const size_t equals = text.rfind('=');
    std::vector<int64_t> extents;
    if (equals == std::string::npos || equals == 0 ||
        !ParseExtents(std::string_view(text).substr(equals + 1), &extents)) {
      return UsageError(InvalidInput("--shape {}: write NAME=1,3,224,224", Quoted(text)));
    }
    std::string name = text.substr(0, equals);
    for (const auto& [known, shape] : global.shapes) {
      if (known == name) {
        return UsageError(InvalidInput("--shape is given twice for input {}", Quoted(name)));
      }
    }
    global.shapes.emplace_back(std::move(name), std::move(extents));
  }
  return OkStatus();
}

}  // namespace lathe::tools
