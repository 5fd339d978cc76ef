#include "lathe/runtime/openvino/failure.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <vector>

namespace lathe::runtime {
namespace {

std::string_view Trim(std::string_view line) {
  constexpr std::string_view kSpace = " \t\r";
  const size_t first = line.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return line.substr(first, line.find_last_not_of(kSpace) - first + 1);
}

std::vector<std::string_view> Lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    if (const std::string_view line = Trim(text.substr(0, end)); !line.empty()) {
      lines.push_back(line);
    }
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return lines;
}

// Lines that say where in OpenVINO's sources something happened, not what.
bool IsNoise(std::string_view line) {
  return line.starts_with("Exception from ") || line.starts_with("Check '") ||
         line.starts_with("[GENERAL_ERROR]") || line.starts_with("FrontEnd API failed") ||
         line.starts_with("While validating ") || line.starts_with("Model wasn't fully") ||
         line.starts_with("Summary:") || line.find(".cpp:") != std::string_view::npos;
}

template <typename Wanted>
const ir::Node* FindNode(const ir::Model& model, const Wanted& wanted) {
  for (const ir::Graph* graph : model.AllGraphs()) {
    for (const ir::Node& node : graph->nodes()) {
      if (wanted(node)) return &node;
    }
  }
  return nullptr;
}

// OpenVINO calls a node by its name or by its first output's.
const ir::Node* FindNamed(const ir::Model& model, std::string_view name) {
  return FindNode(model, [&](const ir::Node& node) {
    if (node.name_text() == name) return true;
    return node.num_outputs() > 0 && node.output()->name_text() == name;
  });
}

Status Refused(const ir::Node& node, std::string_view why) {
  const std::string_view domain = node.domain_text();
  return WithContext(Unsupported("OpenVINO cannot run operator {}{}{}: {}", domain,
                                 domain.empty() ? "" : ".", node.op_text(), why),
                     ErrorContext::kNode, node.display_name());
}

// "-- No conversion rule found for operations: Bar-17, x.Foo, util::SequenceMark".
std::optional<Status> UnknownOperator(std::string_view text, const ir::Model& model) {
  constexpr std::string_view kFront = "No conversion rule found for operations: ";
  const size_t at = text.find(kFront);
  if (at == std::string_view::npos) return std::nullopt;
  std::string_view list = text.substr(at + kFront.size());
  list = Trim(list.substr(0, list.find('\n')));
  const ir::Node* blamed = nullptr;
  while (!list.empty() && blamed == nullptr) {
    const size_t comma = list.find(", ");
    std::string_view name = list.substr(0, comma);
    list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 2);
    if (name.starts_with("util::Sequence")) {
      // What the frontend makes of operators on sequences and could not turn into tensors.
      blamed = FindNode(model, [](const ir::Node& node) {
        return node.op_text().find("Sequence") != std::string_view::npos;
      });
      continue;
    }
    if (const size_t dash = name.rfind('-'); dash != std::string_view::npos) {
      name = name.substr(0, dash);
    }
    blamed = FindNode(model, [&](const ir::Node& node) {
      if (node.domain_text().empty() || node.domain_text() == "ai.onnx") {
        return node.op_text() == name;
      }
      return fmt::format("{}.{}", node.domain_text(), node.op_text()) == name;
    });
  }
  if (blamed == nullptr) return std::nullopt;
  return Refused(*blamed, "it has no such operator");
}

// "While validating ONNX node '<Node(Conv): NAME>': ..." and, lines later, the reason.
std::optional<Status> FailedConversion(std::string_view text, const ir::Model& model) {
  constexpr std::string_view kFront = "<Node(";
  const size_t at = text.find(kFront);
  if (at == std::string_view::npos) return std::nullopt;
  std::string_view rest = text.substr(at + kFront.size());
  const size_t colon = rest.find("): "), end = rest.find(">'");
  if (colon == std::string_view::npos || end == std::string_view::npos || end < colon) {
    return std::nullopt;
  }
  const std::string_view name = rest.substr(colon + 3, end - colon - 3);
  rest.remove_prefix(end + 2);
  const ir::Node* blamed = FindNamed(model, name);
  if (blamed == nullptr) return std::nullopt;
  // This operator's part ends where the next one's begins.
  rest = rest.substr(0, rest.find("\n--"));
  if (rest.starts_with(": ")) rest.remove_prefix(2);
  std::string_view reason = "it does not say why";
  for (const std::string_view line : Lines(rest)) {
    if (!IsNoise(line)) {
      reason = line;
      break;
    }
  }
  return Refused(*blamed, reason);
}

// The many ways in which OpenVINO, its kernels and the system say that there is no memory (or no
// thread, which needs some).
bool IsOutOfMemory(std::string_view text) {
  constexpr std::array<std::string_view, 5> kSigns = {"bad_alloc", "Failed to allocate",
                                                      "can't alloc", "out of memory",
                                                      "Resource temporarily unavailable"};
  return std::ranges::any_of(
      kSigns, [&](std::string_view sign) { return text.find(sign) != std::string_view::npos; });
}

}  // namespace

Status DescribeRefusal(std::string_view name, std::string_view why, const ir::Model& model) {
  if (const ir::Node* node = FindNamed(model, name)) return Refused(*node, why);
  return Unsupported("OpenVINO cannot run the model: {}: {}", name, why);
}

Status DescribeFailure(std::string_view text, const ir::Model& model) {
  if (IsOutOfMemory(text)) return absl::ResourceExhaustedError("out of memory");
  if (auto status = UnknownOperator(text, model)) return *status;
  if (auto status = FailedConversion(text, model)) return *status;
  std::string_view reason;
  for (const std::string_view line : Lines(text)) {
    if (reason.empty() || IsNoise(reason)) reason = line;
  }
  // The longest name wins: "conv1" is part of "conv10".
  const ir::Node* blamed = nullptr;
  FindNode(model, [&](const ir::Node& node) {
    const std::string_view name = node.name_text();
    if (name.size() >= 3 && text.find(name) != std::string_view::npos &&
        (blamed == nullptr || name.size() > blamed->name_text().size())) {
      blamed = &node;
    }
    return false;
  });
  if (blamed != nullptr) return Refused(*blamed, reason);
  return Unsupported("OpenVINO cannot run the model: {}", reason);
}

}  // namespace lathe::runtime
