// lathe compare A B -d DATA...: layer by layer difference of two models.
#include <cmath>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "lathe/flows/compare_models.h"
#include "lathe/flows/import_model.h"
#include "lathe/runtime/engine.h"
#include "lathe/tools/commands/commands.h"
#include "lathe/tools/commands/data_options.h"
#include "lathe/tools/summary.h"

namespace lathe::tools {
namespace {

struct CompareOptions {
  std::string a;
  std::string b;
  DataArguments data;
};

std::string Percent(const std::optional<double>& share) {
  return share ? fmt::format("{:.2f} %", *share * 100) : "-";
}

// JSON has no infinity.
Json Number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }
Json Number(const std::optional<double>& value) { return value ? Json(*value) : Json(nullptr); }

Status Run(const CompareOptions& options, const GlobalOptions& global) {
  LATHE_RETURN_IF_ERROR(CheckDataArguments(options.data));
  LATHE_ASSIGN_OR_RETURN(const auto a, flows::ImportModel(options.a));
  LATHE_ASSIGN_OR_RETURN(const auto b, flows::ImportModel(options.b));
  LATHE_ASSIGN_OR_RETURN(const auto data, OpenData(options.data, *a, global));
  Progress progress;
  const auto engine = runtime::MakeEngine();
  LATHE_ASSIGN_OR_RETURN(const std::vector<flows::LayerDifference> differences,
                         flows::CompareModels({*a, options.a}, {*b, options.b}, *data, *engine,
                                              MakeRunControl(global, progress)));
  Json layers = Json::array();
  std::vector<std::vector<std::string>> rows = {
      {"layer", "operator", "SQNR", "cosine", "largest", "saturated A", "saturated B"}};
  for (const flows::LayerDifference& each : differences) {
    layers.push_back({{"layer", each.layer},
                      {"operator", each.op},
                      {"sqnr_db", Number(each.sqnr_db)},
                      {"equal", each.largest == 0},
                      {"cosine", each.cosine},
                      {"largest", Number(each.largest)},
                      {"saturated_a", Number(each.saturated_a)},
                      {"saturated_b", Number(each.saturated_b)}});
    rows.push_back({each.layer, each.op,
                    each.largest == 0 ? "equal" : fmt::format("{:.1f} dB", each.sqnr_db),
                    fmt::format("{:.6f}", each.cosine), fmt::format("{:.3g}", each.largest),
                    Percent(each.saturated_a), Percent(each.saturated_b)});
  }
  if (global.json) {
    PrintJson({{"a", options.a}, {"b", options.b}, {"layers", std::move(layers)}});
  } else {
    PrintTable(rows);
  }
  return OkStatus();
}

}  // namespace

void AddCompareCommand(CLI::App& app, GlobalOptions& global) {
  CLI::App* command = app.add_subcommand("compare", "Compare two models layer by layer");
  command->footer(
      "Each may be the float, the fake-quant or the deploy model of one network; layers are "
      "matched\n"
      "by name:\n"
      "  lathe compare net.onnx net_deploy_model.onnx -d x.npy");
  const auto options = std::make_shared<CompareOptions>();
  command->add_option("A", options->a, "The ONNX model that counts as right")->required();
  command->add_option("B", options->b, "The ONNX model that is compared with it")->required();
  AddDataArguments(*command, options->data);
  command->callback(
      [options, &global] { global.run = [options, &global] { return Run(*options, global); }; });
}

}  // namespace lathe::tools
