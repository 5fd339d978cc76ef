#include "lathe/passes/core/registry.h"

#include <algorithm>

#include "lathe/passes/core/pipeline.h"
#include "lathe/passes/core/pipeline_group.h"
#include "lathe/support/nearest_names.h"
#include "lathe/support/quoted.h"

namespace lathe::passes {
namespace {

// Lower-case words joined by single dashes.
bool IsDashedName(std::string_view name) {
  if (name.empty() || name.front() == '-' || name.back() == '-') return false;
  for (size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    if (c == '-' && name[i - 1] == '-') return false;
    if (c != '-' && !(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9')) return false;
  }
  return true;
}

// Every name once, and each entry with its help.
template <typename Entries>
Status CheckEntries(std::string_view what, const Entries& entries) {
  std::vector<std::string_view> seen;
  for (const auto& entry : entries) {
    if (entry.name.empty()) return InvalidInput("{} without a name", what);
    if (entry.help.empty()) return InvalidInput("{} {} has no help", what, Quoted(entry.name));
    if (std::ranges::find(seen, entry.name) != seen.end()) {
      return InvalidInput("{} {} appears twice", what, Quoted(entry.name));
    }
    seen.push_back(entry.name);
  }
  return OkStatus();
}

Status CheckFacts(std::string_view list, std::vector<std::string_view> facts) {
  std::ranges::sort(facts);
  if (const auto twice = std::ranges::adjacent_find(facts); twice != facts.end()) {
    return InvalidInput("fact {} appears twice in {}", Quoted(*twice), list);
  }
  return OkStatus();
}

Status CheckTexts(std::string_view summary, std::string_view description) {
  if (summary.empty()) return InvalidInput("the summary is missing");
  if (summary.find('\n') != std::string_view::npos) {
    return InvalidInput("the summary has more than one line");
  }
  if (description.empty()) return InvalidInput("the description is missing");
  return OkStatus();
}

Status CheckDescriptor(const PassDescriptor& pass) {
  LATHE_RETURN_IF_ERROR(CheckTexts(pass.summary, pass.description));
  if (pass.run == nullptr) return InvalidInput("there is nothing to run");
  LATHE_RETURN_IF_ERROR(CheckEntries("option", pass.options));
  LATHE_RETURN_IF_ERROR(CheckEntries("statistic", pass.statistics));
  LATHE_RETURN_IF_ERROR(CheckFacts("requires_facts", pass.requires_facts));
  LATHE_RETURN_IF_ERROR(CheckFacts("establishes", pass.establishes));
  return CheckFacts("preserves", pass.preserves);
}

}  // namespace

Status PassRegistry::CheckName(std::string_view what, std::string_view name) const {
  if (!IsDashedName(name)) {
    return InvalidInput("{} is no {} name: a name is lower-case words joined by dashes",
                        Quoted(name), what);
  }
  if (FindGroup(name) != nullptr) return InvalidInput("{} means a group of passes", Quoted(name));
  if (passes_.contains(name)) return InvalidInput("there is already a pass {}", Quoted(name));
  if (pipelines_.contains(name)) {
    return InvalidInput("there is already a pipeline {}", Quoted(name));
  }
  return OkStatus();
}

Status PassRegistry::Add(const PassDescriptor& descriptor) {
  const std::string_view name = descriptor.name;
  LATHE_RETURN_IF_ERROR(CheckName("pass", name));
  LATHE_RETURN_IF_ERROR(WithContext(CheckDescriptor(descriptor), ErrorContext::kPass, name));
  passes_.emplace(name, descriptor);
  return OkStatus();
}

Status PassRegistry::AddPipeline(const PipelineDescriptor& descriptor) {
  LATHE_RETURN_IF_ERROR(CheckName("pipeline", descriptor.name));
  Status valid = CheckTexts(descriptor.summary, descriptor.description);
  if (valid.ok()) valid = Pipeline::Parse(descriptor.text, *this).status();
  LATHE_RETURN_IF_ERROR(AtPlace(valid, fmt::format("pipeline {}", Quoted(descriptor.name))));
  pipelines_.emplace(descriptor.name, descriptor);
  return OkStatus();
}

const PipelineDescriptor* PassRegistry::FindPipeline(std::string_view name) const {
  const auto it = pipelines_.find(name);
  return it == pipelines_.end() ? nullptr : &it->second;
}

std::vector<const PipelineDescriptor*> PassRegistry::AllPipelines() const {
  std::vector<const PipelineDescriptor*> result;
  result.reserve(pipelines_.size());
  for (const auto& [name, pipeline] : pipelines_) result.push_back(&pipeline);
  return result;
}

StatusOr<const PassDescriptor*> PassRegistry::FindItem(std::string_view name) const {
  if (const auto it = passes_.find(name); it != passes_.end()) return &it->second;
  std::vector<std::string_view> names;
  for (const auto& [key, pass] : passes_) names.push_back(key);
  for (const auto& [key, pipeline] : pipelines_) names.push_back(key);
  for (const GroupDescriptor& group : AllGroups()) names.push_back(group.word);
  const std::string hint = DidYouMean(name, names);
  return NotFound("there is no pass or pipeline {}{}{}", Quoted(name), hint.empty() ? "" : "; ",
                  hint);
}

StatusOr<const PassDescriptor*> PassRegistry::Find(std::string_view name) const {
  if (const auto it = passes_.find(name); it != passes_.end()) return &it->second;
  std::vector<std::string_view> names;
  for (const auto& [key, pass] : passes_) names.push_back(key);
  const std::string hint = DidYouMean(name, names);
  return NotFound("there is no pass {}{}{}", Quoted(name), hint.empty() ? "" : "; ", hint);
}

std::vector<const PassDescriptor*> PassRegistry::All() const {
  std::vector<const PassDescriptor*> result;
  for (const auto& [name, pass] : passes_) result.push_back(&pass);
  return result;
}

std::vector<std::string_view> PassRegistry::PassesThatEstablish(std::string_view fact) const {
  std::vector<std::string_view> result;
  for (const auto& [name, pass] : passes_) {
    if (std::ranges::find(pass.establishes, fact) != pass.establishes.end()) result.push_back(name);
  }
  return result;
}

}  // namespace lathe::passes
