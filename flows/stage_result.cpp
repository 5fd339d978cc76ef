#include "lathe/flows/stage_result.h"

#include <filesystem>
#include <optional>

#include "lathe/backends/config/ptq_json.h"
#include "lathe/backends/config/record.h"
#include "lathe/backends/onnx/export.h"
#include "lathe/frontends/onnx/import.h"

namespace lathe::flows {
namespace {

Status StageText(AtomicFileSet& files, const std::string& path, std::string_view text) {
  LATHE_ASSIGN_OR_RETURN(AtomicFileSet::File * file, files.Add(path));
  return file->Append(text);
}

}  // namespace

Status StageResult(SavedModels& saved, const quant::Record& record, const quant::PtqConfig& config,
                   const OutputPaths& paths, AtomicFileSet& files) {
  LATHE_RETURN_IF_ERROR(backends::StageOnnx(*saved.deploy, paths.deploy, &files));
  saved.deploy.reset();
  LATHE_RETURN_IF_ERROR(backends::StageOnnx(*saved.fake_quant, paths.fake_quant, &files));
  LATHE_RETURN_IF_ERROR(StageText(files, paths.record, backends::WriteRecord(record)));
  LATHE_ASSIGN_OR_RETURN(const std::string json, backends::WritePtqJson(config));
  return StageText(files, paths.config, json);
}

StatusOr<std::unique_ptr<ir::Model>> ReadStaged(const std::string& path, AtomicFileSet& files) {
  LATHE_ASSIGN_OR_RETURN(const std::optional<std::string> model, files.Staged(path));
  if (!model) return InternalError("{} is not staged", path);
  frontends::ImportOptions options;
  const std::string data = backends::DataPath(path);
  LATHE_ASSIGN_OR_RETURN(std::optional<std::string> staged_data, files.Staged(data));
  if (staged_data) {
    options.external_files.emplace(std::filesystem::path(data).filename().string(),
                                   *std::move(staged_data));
  }
  return frontends::ImportOnnx(*model, options);
}

}  // namespace lathe::flows
