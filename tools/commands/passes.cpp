// lathe passes [NAME]: what passes and pipelines there are, from their descriptors.
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "lathe/passes/core/fact_table.h"
#include "lathe/passes/core/pipeline_group.h"
#include "lathe/tools/commands/commands.h"
#include "lathe/tools/exit_status.h"
#include "lathe/tools/pass_docs.h"
#include "lathe/tools/plugin_option.h"
#include "lathe/tools/summary.h"

namespace lathe::tools {
namespace {

std::string_view TypeText(const passes::OptionValue& value) {
  constexpr std::string_view kNames[] = {"bool", "int", "number", "text", "list"};
  return kNames[value.index()];
}

Json DescriptorJson(const passes::PassDescriptor& pass) {
  Json options = Json::array();
  for (const passes::OptionDescriptor& option : pass.options) {
    options.push_back({{"name", option.name},
                       {"type", TypeText(option.default_value)},
                       {"default", passes::OptionText(option.default_value)},
                       {"help", option.help}});
  }
  Json statistics = Json::array();
  for (const passes::StatisticDescriptor& statistic : pass.statistics) {
    statistics.push_back({{"name", statistic.name}, {"help", statistic.help}});
  }
  return {{"name", pass.name},
          {"summary", pass.summary},
          {"description", pass.description},
          {"options", options},
          {"statistics", statistics},
          {"requires", pass.requires_facts},
          {"establishes", pass.establishes},
          {"preserves", pass.preserves},
          {"bodies", pass.scope == passes::PassScope::kGraphs}};
}

Json PipelineJson(const passes::PipelineDescriptor& pipeline) {
  return {{"name", pipeline.name},
          {"summary", pipeline.summary},
          {"description", pipeline.description},
          {"text", pipeline.text}};
}

void PrintFacts(std::string_view heading, const std::vector<std::string_view>& facts) {
  if (facts.empty()) return;
  fmt::print("\n{}:\n", heading);
  for (const std::string_view fact : facts) {
    const passes::FactDescriptor* known = passes::FindFact(fact);
    fmt::print("  {}{}{}\n", fact, known == nullptr ? "" : ": ",
               known == nullptr ? "" : known->help);
  }
}

std::string_view Trimmed(std::string_view text) {
  while (text.starts_with('\n')) text.remove_prefix(1);
  while (text.ends_with('\n')) text.remove_suffix(1);
  return text;
}

void PrintDescriptor(const passes::PassDescriptor& pass) {
  fmt::print("{}: {}\n\n{}\n", pass.name, pass.summary, Trimmed(pass.description));
  if (!pass.options.empty()) fmt::print("\nOptions:\n");
  for (const passes::OptionDescriptor& option : pass.options) {
    fmt::print("  {} ({}, default {}): {}\n", option.name, TypeText(option.default_value),
               passes::OptionText(option.default_value), option.help);
  }
  if (!pass.statistics.empty()) fmt::print("\nCounts:\n");
  for (const passes::StatisticDescriptor& statistic : pass.statistics) {
    fmt::print("  {}: {}\n", statistic.name, statistic.help);
  }
  PrintFacts("Requires", pass.requires_facts);
  PrintFacts("Establishes", pass.establishes);
  PrintFacts("Preserves", pass.preserves);
}

void PrintPipeline(const passes::PipelineDescriptor& pipeline) {
  fmt::print("{}: {}\n\n{}\n\nIt stands for:\n  {}\n", pipeline.name, pipeline.summary,
             Trimmed(pipeline.description), pipeline.text);
}

void ListAll(const passes::PassRegistry& registry, bool json) {
  if (json) {
    Json passes = Json::array();
    for (const auto* pass : registry.All()) passes.push_back(DescriptorJson(*pass));
    Json pipelines = Json::array();
    for (const auto* pipeline : registry.AllPipelines()) {
      pipelines.push_back(PipelineJson(*pipeline));
    }
    PrintJson({{"passes", std::move(passes)}, {"pipelines", std::move(pipelines)}});
    return;
  }
  using Rows = std::vector<std::vector<std::string>>;
  Rows rows = {{"pass", "does"}};
  for (const auto* pass : registry.All()) {
    rows.push_back({std::string(pass->name), std::string(pass->summary)});
  }
  PrintTable(rows);
  rows = {{"pipeline", "does"}};
  for (const auto* pipeline : registry.AllPipelines()) {
    rows.push_back({std::string(pipeline->name), std::string(pipeline->summary)});
  }
  fmt::print("\n");
  PrintTable(rows);
  rows = {{"group", "its passes"}};
  for (const passes::GroupDescriptor& group : passes::AllGroups()) {
    rows.push_back({fmt::format("{}(...)", group.word), std::string(group.help)});
  }
  fmt::print("\n");
  PrintTable(rows);
}

struct PassesOptions {
  std::string name;
  std::string docs;
  std::vector<std::string> plugins;
};

Status Run(const PassesOptions& options, bool json) {
  passes::PassRegistry registry;
  LATHE_RETURN_IF_ERROR(RegisterPasses(options.plugins, registry));
  if (!options.docs.empty()) return WritePassDocs(registry, options.docs);
  const std::string& name = options.name;
  if (name.empty()) {
    ListAll(registry, json);
    return OkStatus();
  }
  if (const passes::PipelineDescriptor* pipeline = registry.FindPipeline(name)) {
    if (json) {
      PrintJson(PipelineJson(*pipeline));
    } else {
      PrintPipeline(*pipeline);
    }
    return OkStatus();
  }
  const StatusOr<const passes::PassDescriptor*> pass = registry.FindItem(name);
  if (!pass.ok()) return UsageError(pass.status());
  if (json) {
    PrintJson(DescriptorJson(**pass));
  } else {
    PrintDescriptor(**pass);
  }
  return OkStatus();
}

}  // namespace

void AddPassesCommand(CLI::App& app, GlobalOptions& global) {
  CLI::App* command =
      app.add_subcommand("passes", "List the passes and named pipelines, or describe one");
  const auto options = std::make_shared<PassesOptions>();
  CLI::Option* of_one =
      command->add_option("NAME", options->name, "The pass or pipeline to describe");
  command->add_option("--docs", options->docs, "Write a page for each into this folder")
      ->type_name("DIR")
      ->excludes(of_one);
  AddPluginOption(*command, options->plugins);
  command->callback([options, &global] {
    global.run = [options, &global] { return Run(*options, global.json); };
  });
}

}  // namespace lathe::tools
