#include "lathe/tools/bisect.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include <fmt/format.h>

#include "lathe/backends/onnx/export.h"
#include "lathe/passes/instrument/reproducer.h"
#include "lathe/tools/check_command.h"
#include "lathe/tools/interrupt.h"
#include "lathe/tools/summary.h"

namespace lathe::tools {
namespace {

using passes::BisectResult;

// A folder that is gone afterwards.
class TemporaryFolder {
 public:
  static StatusOr<std::unique_ptr<TemporaryFolder>> Make() {
    std::error_code error;
    std::string path =
        (std::filesystem::temp_directory_path(error) / "lathe-bisect-XXXXXX").string();
    if (error || mkdtemp(path.data()) == nullptr) {
      return IoError("cannot make a folder for models in the folder for temporary files");
    }
    return std::unique_ptr<TemporaryFolder>(new TemporaryFolder(std::move(path)));
  }
  ~TemporaryFolder() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::string& path() const { return path_; }

 private:
  explicit TemporaryFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

std::string PassText(const passes::PassReport& pass) {
  return fmt::format("{} (number {})", pass.pass, pass.position);
}

StatusOr<bool> Check(const std::string& command, const ir::Model& model, size_t runs,
                     const passes::PassReport* last) {
  LATHE_ASSIGN_OR_RETURN(const auto folder, TemporaryFolder::Make());
  const std::string file =
      last == nullptr ? folder->path() + "/before-1.onnx"
                      : fmt::format("{}/after-{}-{}.onnx", folder->path(), runs, last->pass);
  LATHE_RETURN_IF_ERROR(backends::ExportOnnx(model, file));
  LATHE_ASSIGN_OR_RETURN(const bool holds, CheckHolds(command, file));
  const std::string when = last == nullptr ? std::string("before the first run")
                                           : fmt::format("after run {}, {}", runs, PassText(*last));
  fmt::print(stderr, "{}: the check {}\n", when, holds ? "holds" : "fails");
  return holds;
}

Json ResultJson(const BisectRequest& request, const BisectResult& result) {
  Json json = {{"runs", result.runs}, {"checks", result.checks}, {"first_bad", nullptr}};
  if (result.first_bad) {
    json["first_bad"] = {{"run", result.first_bad->number},
                         {"position", result.first_bad->report.position},
                         {"pass", result.first_bad->report.pass},
                         {"pipeline", result.first_bad->pipeline.ToText()}};
    json["reproducer"] = request.reproducer;
  }
  json["output"] = request.output;
  return json;
}

void PrintResult(const BisectRequest& request, const BisectResult& result) {
  if (!result.first_bad) {
    fmt::print("the check holds after all {} runs of passes\n", result.runs);
  } else {
    fmt::print("run {} of {} is the first after which the check fails: {}\n",
               result.first_bad->number, result.runs, PassText(result.first_bad->report));
    PrintReport({.changed = true, .passes = {result.first_bad->report}}, request.verbose);
    fmt::print("{}: the model before it, and {}\n", request.reproducer,
               result.first_bad->pipeline.ToText());
  }
  if (!request.output.empty()) fmt::print("{}: the last good model\n", request.output);
}

}  // namespace

Status RunBisect(const BisectRequest& request, const passes::Pipeline& pipeline,
                 const passes::PassRegistry& registry, const std::vector<std::string>& assume,
                 std::function<StatusOr<std::unique_ptr<ir::Model>>()> load) {
  passes::BisectOptions options;
  options.load = std::move(load);
  options.check = [&](const ir::Model& model, size_t runs, const passes::PassReport* last) {
    return Check(request.command, model, runs, last);
  };
  options.interrupted = Interrupted;
  options.assume = assume;
  LATHE_ASSIGN_OR_RETURN(const BisectResult result, passes::Bisect(pipeline, registry, options));
  if (result.first_bad) {
    passes::FactSet facts = result.first_bad->facts;
    facts.insert(assume.begin(), assume.end());
    LATHE_RETURN_IF_ERROR(passes::SaveReproducer(request.reproducer, result.first_bad->pipeline,
                                                 facts, *result.last_good));
  }
  if (!request.output.empty()) {
    LATHE_RETURN_IF_ERROR(backends::ExportOnnx(*result.last_good, request.output));
  }
  if (request.json) {
    PrintJson(ResultJson(request, result));
  } else {
    PrintResult(request, result);
  }
  return OkStatus();
}

}  // namespace lathe::tools
