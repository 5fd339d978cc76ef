#include "lathe/tools/summary.h"

#include <algorithm>
#include <cstdio>
#include <map>

#include <fmt/format.h>

namespace lathe::tools {
namespace {

// Columns that hold numbers are aligned to the right.
bool LooksNumeric(std::string_view text) {
  return !text.empty() && text.front() >= '0' && text.front() <= '9';
}

// Characters, not bytes, so that names in any script line up.
size_t Width(std::string_view text) {
  return static_cast<size_t>(
      std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; }));
}

// A pass at its place in the pipeline, over all rounds of the fixpoints around it.
struct PassTotal {
  std::string position;
  std::string pass;
  int64_t runs = 0;
  int64_t runs_that_changed = 0;
  std::vector<std::pair<std::string, int64_t>> statistics;
};

// "2.1" for "2#3.1".
std::string WithoutRounds(std::string_view position) {
  std::string result;
  bool in_round = false;
  for (const char c : position) {
    if (c == '#' || c == '.') in_round = c == '#';
    if (!in_round) result += c;
  }
  return result;
}

// In the order of their first runs.
std::vector<PassTotal> Totals(const passes::PipelineReport& report) {
  std::vector<PassTotal> totals;
  std::map<std::string, size_t> index;
  for (const passes::PassReport& pass : report.passes) {
    std::string position = WithoutRounds(pass.position);
    const auto [it, first] = index.try_emplace(position, totals.size());
    if (first) {
      totals.push_back({.position = std::move(position), .pass = pass.pass});
      for (const auto& [name, count] : pass.statistics)
        totals.back().statistics.emplace_back(name, 0);
    }
    PassTotal& total = totals[it->second];
    ++total.runs;
    total.runs_that_changed += pass.changed ? 1 : 0;
    // Every run has the statistics of the descriptor, in its order.
    for (size_t i = 0; i < pass.statistics.size(); ++i) {
      total.statistics[i].second += pass.statistics[i].second;
    }
  }
  return totals;
}

std::string ResultText(const PassTotal& total) {
  std::string text = total.runs_that_changed > 0 ? "changed" : "unchanged";
  if (total.runs > 1) {
    text = total.runs_that_changed > 0
               ? fmt::format("changed in {} of {} rounds", total.runs_that_changed, total.runs)
               : fmt::format("unchanged in {} rounds", total.runs);
  }
  std::string_view separator = ": ";
  for (const auto& [name, count] : total.statistics) {
    if (count == 0) continue;
    text += fmt::format("{}{} {}", separator, name, count);
    separator = ", ";
  }
  return text;
}

}  // namespace

void PrintJson(const Json& json) {
  fmt::print("{}\n", json.dump(2, ' ', false, Json::error_handler_t::replace));
}

void PrintTable(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  std::vector<bool> numeric;
  for (size_t r = 0; r < rows.size(); ++r) {
    for (size_t c = 0; c < rows[r].size(); ++c) {
      if (c == widths.size()) {
        widths.push_back(0);
        numeric.push_back(rows.size() > 1);
      }
      widths[c] = std::max(widths[c], Width(rows[r][c]));
      if (r > 0 && !LooksNumeric(rows[r][c])) numeric[c] = false;
    }
  }
  for (const std::vector<std::string>& row : rows) {
    std::string line;
    for (size_t c = 0; c < row.size(); ++c) {
      const std::string padding(widths[c] - Width(row[c]), ' ');
      if (c > 0) line += "  ";
      line += numeric[c] ? padding + row[c] : row[c] + padding;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    fmt::print("{}\n", line);
  }
}

std::string SizeText(uint64_t bytes) {
  if (bytes < 1000) return fmt::format("{} B", bytes);
  constexpr std::string_view kUnits[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
  double value = static_cast<double>(bytes) / 1000;
  size_t unit = 0;
  // 999.95 would be printed as 1000.0.
  while (value >= 999.95) {
    value /= 1000;
    ++unit;
  }
  return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

void PrintRecordSummary(const RecordSummary& summary, bool json) {
  if (json) {
    PrintJson({{"model", summary.model},
               {"record", summary.record},
               {summary.done, summary.layers},
               {"notes", summary.notes}});
    return;
  }
  fmt::print("{} {} layers\n", summary.done, summary.layers);
  for (const std::string& note : summary.notes) fmt::print("note: {}\n", note);
  fmt::print("wrote {}\n", summary.record);
}

std::string_view RemarkKindText(passes::Remark::Kind kind) {
  switch (kind) {
    case passes::Remark::Kind::kApplied:
      return "applied";
    case passes::Remark::Kind::kMissed:
      return "missed";
    case passes::Remark::Kind::kFailed:
      return "failed";
    case passes::Remark::Kind::kNote:
      return "note";
  }
  return "note";
}

Json ReportJson(const passes::PipelineReport& report, bool timing) {
  Json list = Json::array();
  for (const passes::PassReport& pass : report.passes) {
    Json entry = {{"position", pass.position}, {"pass", pass.pass}, {"changed", pass.changed}};
    if (timing) entry["seconds"] = pass.seconds;
    entry["statistics"] = Json::object();
    for (const auto& [name, count] : pass.statistics) entry["statistics"][name] = count;
    entry["remarks"] = Json::array();
    for (const passes::Remark& remark : pass.remarks) {
      entry["remarks"].push_back({{"kind", RemarkKindText(remark.kind)},
                                  {"node", remark.node},
                                  {"message", remark.message}});
    }
    list.push_back(std::move(entry));
  }
  return list;
}

void PrintReport(const passes::PipelineReport& report, bool remarks) {
  std::vector<std::vector<std::string>> rows = {{"#", "pass", "result"}};
  for (const PassTotal& total : Totals(report)) {
    rows.push_back({total.position, total.pass, ResultText(total)});
  }
  if (rows.size() > 1) PrintTable(rows);
  if (!remarks) return;
  for (const passes::PassReport& pass : report.passes) {
    for (const passes::Remark& remark : pass.remarks) {
      fmt::print("{} {}: {}{}{}\n", remark.pass, RemarkKindText(remark.kind), remark.node,
                 remark.node.empty() ? "" : ": ", remark.message);
    }
  }
}

}  // namespace lathe::tools
