#include "lathe/passes/instrument/reproducer.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <optional>

#include "lathe/ir/text/parse.h"
#include "lathe/ir/text/print.h"
#include "lathe/support/atomic_file.h"
#include "lathe/support/text_file.h"

namespace lathe::passes {
namespace {

// The file is the text form of a model under three lines of comment.
constexpr std::string_view kTitle = "// lathe reproducer";
constexpr std::string_view kPipeline = "// pipeline: ";
constexpr std::string_view kAssume = "// assume: ";

// Takes the first line off.
std::string_view TakeLine(std::string_view& text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(line.size() + 1, text.size()));
  return line;
}

std::optional<std::string_view> TakeField(std::string_view field, std::string_view& text) {
  const std::string_view line = TakeLine(text);
  if (!line.starts_with(field)) return std::nullopt;
  return line.substr(field.size());
}

std::vector<std::string> SplitFacts(std::string_view text) {
  std::vector<std::string> facts;
  while (!text.empty()) {
    const std::string_view fact = text.substr(0, text.find(','));
    if (!fact.empty()) facts.emplace_back(fact);
    text.remove_prefix(std::min(fact.size() + 1, text.size()));
  }
  return facts;
}

}  // namespace

Status SaveReproducer(const std::string& path, const Pipeline& pipeline, const FactSet& assume,
                      const ir::Model& model) {
  LATHE_ASSIGN_OR_RETURN(const std::string text, ir::PrintModel(model));
  return WriteFileAtomically(
      path, fmt::format("{}\n{}{}\n{}{}\n{}", kTitle, kPipeline, pipeline.ToText(), kAssume,
                        fmt::join(assume, ","), text));
}

Status WriteReproducer::BeforePass(const PassPoint& point) {
  FactSet assume(assume_.begin(), assume_.end());
  assume.insert(point.facts.begin(), point.facts.end());
  LATHE_RETURN_IF_ERROR(
      SaveReproducer(path_, point.pipeline.From(point.path), assume, point.model));
  left_ = true;
  return OkStatus();
}

Status WriteReproducer::RunEnds(const PipelineReport& /*report*/, const Status& outcome) {
  if (!left_ || !(outcome.ok() || absl::IsCancelled(outcome))) return OkStatus();
  left_ = false;
  if (std::remove(path_.c_str()) == 0 || errno == ENOENT) return OkStatus();
  return WithContext(IoError("cannot remove: {}", std::strerror(errno)), ErrorContext::kFile,
                     path_);
}

StatusOr<Reproducer> ReadReproducer(const std::string& path) {
  LATHE_ASSIGN_OR_RETURN(const std::string file, ReadTextFile(path));
  std::string_view text = file;
  const bool titled = TakeLine(text) == kTitle;
  const std::optional<std::string_view> pipeline = TakeField(kPipeline, text);
  const std::optional<std::string_view> assume = TakeField(kAssume, text);
  if (!titled || !pipeline || !assume) {
    return WithContext(InvalidInput("is no reproducer: it should begin with {}", kTitle),
                       ErrorContext::kFile, path);
  }
  Reproducer result{.pipeline = std::string(*pipeline), .assume = SplitFacts(*assume)};
  // The whole file, so that errors name its lines.
  StatusOr<std::unique_ptr<ir::Model>> model = ir::ParseModel(file);
  if (!model.ok()) return WithContext(model.status(), ErrorContext::kFile, path);
  result.model = *std::move(model);
  return result;
}

}  // namespace lathe::passes
