#include "lathe/flows/output_paths.h"

#include <filesystem>
#include <system_error>

#include "lathe/flows/import_model.h"

namespace lathe::flows {

StatusOr<OutputPaths> MakeOutputPaths(const std::string& prefix) {
  const std::filesystem::path path(prefix);
  const std::string name = path.filename().string();
  LATHE_RETURN_IF_ERROR(RefuseCaffeOutput(prefix));
  constexpr size_t kLongestName = 241;
  if (name.size() > kLongestName) {
    return InvalidInput(
        "output prefix '{}': the name part has {} characters, at most {} are allowed", prefix,
        name.size(), kLongestName);
  }
  const std::filesystem::path folder = path.parent_path();
  if (!folder.empty()) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) return IoError("cannot make the folder '{}': {}", folder.string(), error.message());
  }
  const std::string start = (folder / (name.empty() ? "" : name + "_")).string();
  return OutputPaths{.deploy = start + "deploy_model.onnx",
                     .fake_quant = start + "fake_quant_model.onnx",
                     .qdq = start + "qdq_model.onnx",
                     .record = start + "record.txt",
                     .config = start + "config.json"};
}

Status CheckOutputName(const std::string& path) {
  if (path.empty()) return InvalidInput("the name of a result is empty");
  const std::string name = std::filesystem::path(path).filename().string();
  if (name.empty()) return InvalidInput("'{}' names a folder, not a file to write", path);
  constexpr size_t kLongestName = 254;
  if (name.size() > kLongestName) {
    return InvalidInput("output '{}': the name has {} characters, at most {} are allowed", path,
                        name.size(), kLongestName);
  }
  return RefuseCaffeOutput(path);
}

}  // namespace lathe::flows
