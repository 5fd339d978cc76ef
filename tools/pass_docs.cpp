#include "lathe/tools/pass_docs.h"

#include <filesystem>

#include <fmt/format.h>

#include "lathe/passes/core/fact_table.h"
#include "lathe/passes/core/pipeline.h"
#include "lathe/support/atomic_file.h"

namespace lathe::tools {
namespace {

constexpr std::string_view kNote =
    "<!-- Made from the descriptor by `lathe passes --docs docs/passes`; change it there. -->\n";

// As a cell of a table.
std::string Cell(std::string_view text) {
  std::string cell;
  for (const char c : text) {
    if (c == '|') cell += '\\';
    cell += c == '\n' ? ' ' : c;
  }
  return cell;
}

std::string_view Trimmed(std::string_view text) {
  while (text.starts_with('\n')) text.remove_prefix(1);
  while (text.ends_with('\n')) text.remove_suffix(1);
  return text;
}

std::string Heading(std::string_view name, std::string_view summary, std::string_view description) {
  return fmt::format("{}\n# {}\n\n{}.\n\n{}\n", kNote, name, summary, Trimmed(description));
}

std::string OptionTable(const std::vector<passes::OptionDescriptor>& options) {
  std::string text = "| option | type | default | meaning |\n| --- | --- | --- | --- |\n";
  for (const passes::OptionDescriptor& option : options) {
    text += fmt::format("| `{}` | {} | `{}` | {} |\n", option.name,
                        passes::OptionTypeName(option.default_value),
                        Cell(passes::OptionText(option.default_value)), Cell(option.help));
  }
  return text;
}

std::string FactList(std::string_view heading, const std::vector<std::string_view>& facts) {
  if (facts.empty()) return "";
  std::string text = fmt::format("\n{}:\n\n", heading);
  for (const std::string_view fact : facts) {
    const passes::FactDescriptor* known = passes::FindFact(fact);
    text += fmt::format("- `{}`{}{}\n", fact, known == nullptr ? "" : ": ",
                        known == nullptr ? "" : known->help);
  }
  return text;
}

std::string IndexPage(const passes::PassRegistry& registry) {
  std::string text = fmt::format(
      "{}\n# Passes and pipelines\n\n"
      "`lathe opt MODEL -o OUT --passes 'PASS{{option=value}},PIPELINE,GROUP(...)'` runs them in "
      "order; [writing-a-pass.md](../writing-a-pass.md) says how to add one.\n\n"
      "| pass | does |\n| --- | --- |\n",
      kNote);
  for (const passes::PassDescriptor* pass : registry.All()) {
    text += fmt::format("| [{0}]({0}.md) | {1} |\n", pass->name, Cell(pass->summary));
  }
  text += "\n| pipeline | does |\n| --- | --- |\n";
  for (const passes::PipelineDescriptor* pipeline : registry.AllPipelines()) {
    text += fmt::format("| [{0}]({0}.md) | {1} |\n", pipeline->name, Cell(pipeline->summary));
  }
  text += "\n| group | its passes |\n| --- | --- |\n";
  for (const passes::GroupDescriptor& group : passes::AllGroups()) {
    std::string help(group.help);
    for (const passes::OptionDescriptor& option : group.options) {
      help += fmt::format("; `{}` ({}, default `{}`): {}", option.name,
                          passes::OptionTypeName(option.default_value),
                          passes::OptionText(option.default_value), option.help);
    }
    text += fmt::format("| `{}(...)` | {} |\n", group.word, Cell(help));
  }
  return text;
}

}  // namespace

std::string PassPage(const passes::PassDescriptor& pass) {
  std::string text = Heading(pass.name, pass.summary, pass.description);
  if (!pass.options.empty()) text += "\n## Options\n\n" + OptionTable(pass.options);
  if (!pass.statistics.empty()) {
    text += "\n## Counts\n\n| count | of |\n| --- | --- |\n";
    for (const passes::StatisticDescriptor& statistic : pass.statistics) {
      text += fmt::format("| `{}` | {} |\n", statistic.name, Cell(statistic.help));
    }
  }
  const std::string facts = FactList("Requires", pass.requires_facts) +
                            FactList("Establishes", pass.establishes) +
                            FactList("Preserves", pass.preserves);
  if (!facts.empty()) text += "\n## Facts\n" + facts;
  if (pass.scope == passes::PassScope::kGraphs) text += "\nIt may stand in `bodies(...)`.\n";
  return text;
}

std::string PipelinePage(const passes::PipelineDescriptor& pipeline) {
  return fmt::format("{}\n## It stands for\n\n```\n{}\n```\n",
                     Heading(pipeline.name, pipeline.summary, pipeline.description), pipeline.text);
}

std::map<std::string, std::string> PassDocs(const passes::PassRegistry& registry) {
  std::map<std::string, std::string> pages;
  for (const passes::PassDescriptor* pass : registry.All()) {
    pages[fmt::format("{}.md", pass->name)] = PassPage(*pass);
  }
  for (const passes::PipelineDescriptor* pipeline : registry.AllPipelines()) {
    pages[fmt::format("{}.md", pipeline->name)] = PipelinePage(*pipeline);
  }
  pages["README.md"] = IndexPage(registry);
  return pages;
}

Status WritePassDocs(const passes::PassRegistry& registry, const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) {
    return WithContext(IoError("cannot make the folder: {}", error.message()), ErrorContext::kFile,
                       folder);
  }
  AtomicFileSet files;
  for (const auto& [name, text] : PassDocs(registry)) {
    LATHE_ASSIGN_OR_RETURN(AtomicFileSet::File* const file,
                           files.Add((std::filesystem::path(folder) / name).string()));
    LATHE_RETURN_IF_ERROR(file->Append(text));
  }
  return files.Commit();
}

}  // namespace lathe::tools
