#include "lathe/flows/output_paths.h"

#include <filesystem>
#include <system_error>

namespace lathe::flows {

StatusOr<OutputPaths> MakeOutputPaths(const std::string& prefix) {
  const std::filesystem::path path(prefix);
  const std::string name = path.filename().string();
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

}  // namespace lathe::flows
