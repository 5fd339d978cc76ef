#include "lathe/passes/instrument/print_model.h"

#include <algorithm>
#include <filesystem>

#include "lathe/ir/text/print.h"
#include "lathe/support/atomic_file.h"
#include "lathe/support/glob.h"
#include "lathe/support/text_diff.h"

namespace lathe::passes {
namespace {

bool AnyMatches(const std::vector<std::string>& globs, std::string_view name) {
  return std::ranges::any_of(globs,
                             [&](const std::string& glob) { return GlobMatches(glob, name); });
}

bool IsWanted(const ir::Node& node, const std::vector<std::string>& globs) {
  if (AnyMatches(globs, node.display_name())) return true;
  const std::vector<ir::Name> origins = node.model().OriginNames(node.origin());
  return std::ranges::any_of(
      origins, [&](ir::Name name) { return AnyMatches(globs, node.model().Text(name)); });
}

// "02-round1-fixpoint" for number 5.2#1.
std::string FileName(std::string_view position, std::string_view name) {
  const size_t dot = position.rfind('.');
  std::string_view number = position.substr(dot == std::string_view::npos ? 0 : dot + 1);
  std::string round;
  if (const size_t hash = number.find('#'); hash != std::string_view::npos) {
    round = fmt::format("-round{}", number.substr(hash + 1));
    number = number.substr(0, hash);
  }
  std::string file = fmt::format("{:0>2}{}-{}", number, round, name);
  // Phases may be called anything.
  for (char& c : file) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_';
    if (!plain) c = '_';
  }
  return file;
}

}  // namespace

void PrintModelObserver::GroupStarts(const GroupPoint& point) {
  groups_.push_back(FileName(point.position, point.name));
}

void PrintModelObserver::GroupEnds(const GroupPoint& /*point*/) { groups_.pop_back(); }

StatusOr<std::string> PrintModelObserver::Text(const ir::Model& model) const {
  if (options_.nodes.empty()) return ir::PrintModel(model, {.weights = ir::WeightText::kElided});
  std::string text;
  for (const ir::Graph* graph : model.AllGraphs()) {
    for (const ir::Node& node : graph->nodes()) {
      if (IsWanted(node, options_.nodes)) text += ir::PrintNode(node) + "\n";
    }
  }
  return text;
}

Status PrintModelObserver::Write(const PassPoint& point, std::string_view what,
                                 std::string_view ending, std::string_view text) const {
  if (options_.folder.empty()) {
    sink_(fmt::format("// {} pass {} (number {})\n{}{}", what, point.pass.name, point.position,
                      text, text.ends_with('\n') || text.empty() ? "" : "\n"));
    return OkStatus();
  }
  std::filesystem::path path(options_.folder);
  for (const std::string& group : groups_) path /= group;
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) {
    return WithContext(IoError("cannot make the folder: {}", error.message()), ErrorContext::kFile,
                       path.string());
  }
  path /= fmt::format("{}.{}", FileName(point.position, point.pass.name), ending);
  return WriteFileAtomically(path.string(), text);
}

Status PrintModelObserver::BeforePass(const PassPoint& point) {
  const bool print = AnyMatches(options_.before, point.pass.name);
  const bool compare = AnyMatches(options_.changes, point.pass.name);
  if (!print && !compare) return OkStatus();
  LATHE_ASSIGN_OR_RETURN(std::string text, Text(point.model));
  if (print) LATHE_RETURN_IF_ERROR(Write(point, "before", "before.txt", text));
  if (compare) text_before_ = std::move(text);
  return OkStatus();
}

Status PrintModelObserver::AfterPass(const PassPoint& point, const PassReport& /*report*/) {
  const bool print = AnyMatches(options_.after, point.pass.name);
  const bool compare = AnyMatches(options_.changes, point.pass.name);
  if (!print && !compare) return OkStatus();
  LATHE_ASSIGN_OR_RETURN(const std::string text, Text(point.model));
  if (print) LATHE_RETURN_IF_ERROR(Write(point, "after", "after.txt", text));
  if (!compare) return OkStatus();
  const std::string diff = TextDiff(text_before_, text);
  return diff.empty() ? OkStatus() : Write(point, "changes by", "diff", diff);
}

}  // namespace lathe::passes
