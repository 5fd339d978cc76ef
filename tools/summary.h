// What a subcommand prints on standard output when it is done.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "lathe/passes/core/report.h"

namespace lathe::tools {

// Keys in the order in which they are set.
using Json = nlohmann::ordered_json;

// Prints the object, indented, with a newline. Bytes that are not UTF-8 (names may hold any) come
// out as U+FFFD.
void PrintJson(const Json& json);

// Prints rows with columns aligned; the first row is the heading.
void PrintTable(const std::vector<std::vector<std::string>>& rows);

// "1.5 MB"; units of 1000.
std::string SizeText(uint64_t bytes);

// What a command says that wrote a record and nothing else: that it `done` ("balanced") so many
// layers.
struct RecordSummary {
  std::string model;
  std::string record;
  std::string done;
  size_t layers = 0;
  std::vector<std::string> notes;
};
void PrintRecordSummary(const RecordSummary& summary, bool json);

std::string_view RemarkKindText(passes::Remark::Kind kind);

// Every run of a pass. Times are only told when asked for: without them equal runs print equal
// bytes.
Json ReportJson(const passes::PipelineReport& report, bool timing);
// A line a pass, rounds of a fixpoint taken together.
void PrintReport(const passes::PipelineReport& report, bool remarks);

}  // namespace lathe::tools
