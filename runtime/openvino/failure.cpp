#include "lathe/runtime/openvino/failure.h"

#include <string>
#include <vector>

#include <absl/strings/str_split.h>
#include <absl/strings/string_view.h>

namespace lathe::runtime {
namespace {

// Lines that say where in OpenVINO's sources something happened, not what.
bool IsNoise(std::string_view line) {
  return line.empty() || line.starts_with("Exception from ") || line.starts_with("Check '") ||
         line.starts_with("[GENERAL_ERROR]") || line.find(".cpp:") != std::string_view::npos;
}

std::string_view Trim(std::string_view line) {
  while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
  while (!line.empty() && (line.back() == ' ' || line.back() == '\r')) line.remove_suffix(1);
  return line;
}

std::string FirstTelling(std::string_view text) {
  std::string fallback;
  for (const absl::string_view piece :
       absl::StrSplit(absl::string_view(text.data(), text.size()), '\n')) {
    const std::string_view line = Trim({piece.data(), piece.size()});
    if (line.empty()) continue;
    if (fallback.empty()) fallback = line;
    if (!IsNoise(line)) return std::string(line);
  }
  return fallback;
}

}  // namespace

Status DescribeFailure(std::string_view text, const ir::Model& model) {
  Status status = Unsupported("OpenVINO cannot run the model: {}", FirstTelling(text));
  // The longest name wins: "conv1" is part of "conv10".
  const ir::Node* blamed = nullptr;
  for (const ir::Graph* graph : model.AllGraphs()) {
    for (const ir::Node& node : graph->nodes()) {
      const std::string_view name = node.name_text();
      if (name.size() < 3 || text.find(name) == std::string_view::npos) continue;
      if (blamed == nullptr || name.size() > blamed->name_text().size()) blamed = &node;
    }
  }
  return blamed == nullptr ? status : WithContext(status, ErrorContext::kNode, blamed->name_text());
}

}  // namespace lathe::runtime
