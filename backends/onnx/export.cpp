#include "lathe/backends/onnx/export.h"

#include <filesystem>

#include "lathe/backends/onnx/internal/model_writer.h"

namespace lathe::backends {
namespace {

Status TooLarge(uint64_t size, uint64_t limit) {
  return Unsupported("the model's message takes {} bytes, more than the {} that readers accept",
                     size, limit);
}

Status Append(const WireMessage& message, AtomicFileSet::File& file) {
  for (const WireMessage::Piece& piece : message.pieces()) {
    LATHE_RETURN_IF_ERROR(file.Append(piece.text));
    LATHE_RETURN_IF_ERROR(file.Append(piece.payload));
  }
  return OkStatus();
}

Status AppendData(const DataPlacement& placement, AtomicFileSet::File& file) {
  for (const DataPlacement::Placed& placed : placement.placed()) {
    LATHE_RETURN_IF_ERROR(
        file.Append(std::string(static_cast<size_t>(placed.offset - file.size()), '\0')));
    LATHE_RETURN_IF_ERROR(file.Append(placed.bytes.bytes()));
  }
  return OkStatus();
}

}  // namespace

StatusOr<std::string> SerializeOnnx(const ir::Model& model, const SerializeOptions& options) {
  DataPlacement placement =
      options.memory != nullptr
          ? DataPlacement::InMemory(options.memory_threshold, options.memory_of_attributes)
          : DataPlacement::Inline();
  LATHE_ASSIGN_OR_RETURN(const WireMessage message, WriteModel(model, placement));
  if (message.size() > INT32_MAX) return TooLarge(message.size(), INT32_MAX);
  for (const DataPlacement::Placed& placed : placement.placed()) {
    options.memory->push_back(placed.bytes);
  }
  return message.Join();
}

std::string DataPath(const std::string& path) { return path + ".data"; }

Status StageOnnx(const ir::Model& model, const std::string& path, AtomicFileSet* files,
                 const ExportOptions& options) {
  const std::string data_path = DataPath(path);
  const std::string location = std::filesystem::path(data_path).filename().string();
  DataPlacement placement = DataPlacement::InFile(location, SIZE_MAX);
  LATHE_ASSIGN_OR_RETURN(WireMessage message, WriteModel(model, placement));
  if (message.size() > options.message_limit) {
    placement = DataPlacement::InFile(location, options.external_threshold);
    LATHE_ASSIGN_OR_RETURN(message, WriteModel(model, placement));
    if (message.size() > options.message_limit) {
      return WithContext(TooLarge(message.size(), options.message_limit), ErrorContext::kFile,
                         path);
    }
  }
  if (!placement.placed().empty()) {
    LATHE_ASSIGN_OR_RETURN(AtomicFileSet::File* const data, files->Add(data_path));
    LATHE_RETURN_IF_ERROR(AppendData(placement, *data));
  }
  LATHE_ASSIGN_OR_RETURN(AtomicFileSet::File* const file, files->Add(path));
  return Append(message, *file);
}

Status ExportOnnx(const ir::Model& model, const std::string& path, const ExportOptions& options) {
  AtomicFileSet files;
  LATHE_RETURN_IF_ERROR(StageOnnx(model, path, &files, options));
  return files.Commit();
}

}  // namespace lathe::backends
