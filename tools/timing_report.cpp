#include "lathe/tools/timing_report.h"

#include <fmt/format.h>

namespace lathe::tools {
namespace {

void AddRows(const passes::TimingNode& node, size_t depth,
             std::vector<std::vector<std::string>>& rows) {
  const auto& allocations = node.allocations;
  rows.push_back({fmt::format("{:.3f}", node.wall * 1e3), fmt::format("{:.3f}", node.cpu * 1e3),
                  allocations ? fmt::format("{}", allocations->count) : "-",
                  allocations ? SizeText(static_cast<uint64_t>(allocations->bytes)) : "-",
                  node.peak_memory ? SizeText(static_cast<uint64_t>(*node.peak_memory)) : "-",
                  fmt::format("{}{}{}{}", std::string(2 * depth, ' '), node.position,
                              node.position.empty() ? "" : " ", node.name)});
  for (const passes::TimingNode& child : node.children) AddRows(child, depth + 1, rows);
}

// What was measured beside wall time.
Json Measures(const passes::TimingNode& node) {
  Json measures = {{"cpu", node.cpu}};
  if (node.allocations) {
    measures["allocations"] = node.allocations->count;
    measures["allocated_bytes"] = node.allocations->bytes;
  }
  if (node.peak_memory) measures["peak_bytes"] = *node.peak_memory;
  return measures;
}

void AddEvents(const passes::TimingNode& node, Json& events) {
  Json arguments = {{"position", node.position}};
  arguments.update(Measures(node));
  // Microseconds.
  events.push_back({{"name", node.name},
                    {"cat", node.children.empty() ? "pass" : "group"},
                    {"ph", "X"},
                    {"ts", node.start * 1e6},
                    {"dur", node.wall * 1e6},
                    {"pid", 1},
                    {"tid", 1},
                    {"args", std::move(arguments)}});
  for (const passes::TimingNode& child : node.children) AddEvents(child, events);
}

}  // namespace

void PrintTiming(const passes::TimingNode& tree) {
  std::vector<std::vector<std::string>> rows = {
      {"wall ms", "CPU ms", "allocations", "allocated", "peak memory", "pass"}};
  AddRows(tree, 0, rows);
  PrintTable(rows);
}

Json TimingJson(const passes::TimingNode& tree) {
  Json json = {
      {"position", tree.position}, {"name", tree.name}, {"start", tree.start}, {"wall", tree.wall}};
  json.update(Measures(tree));
  json["children"] = Json::array();
  for (const passes::TimingNode& child : tree.children) {
    json["children"].push_back(TimingJson(child));
  }
  return json;
}

Json TimingTrace(const passes::TimingNode& tree) {
  Json events = Json::array();
  AddEvents(tree, events);
  return {{"traceEvents", std::move(events)}, {"displayTimeUnit", "ms"}};
}

}  // namespace lathe::tools
