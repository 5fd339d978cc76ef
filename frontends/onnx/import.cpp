#include "lathe/frontends/onnx/import.h"

#include <filesystem>
#include <vector>

#include "lathe/frontends/onnx/internal/graph_reader.h"
#include "lathe/support/onnx_fields.h"
#include "lathe/support/wire_reader.h"

namespace lathe::frontends {
namespace {

namespace fields = onnx_fields::model;

// The fields of a ModelProto that hold graphs; the others are in ir::ModelInfo by then.
struct ModelParts {
  std::optional<Message> graph;
  std::vector<Message> functions;
  bool has_ir_version = false;
};

Status ReadModelField(const WireField& field, ir::ModelInfo& info, ModelParts& parts) {
  std::string_view text;
  Message part;
  switch (field.number) {
    case fields::kIrVersion:
      parts.has_ir_version = true;
      return ReadInt(field, "ir_version", &info.ir_version);
    case fields::kProducerName:
      LATHE_RETURN_IF_ERROR(ReadText(field, "producer_name", &text));
      info.producer_name = text;
      info.has_producer_name = true;
      return OkStatus();
    case fields::kProducerVersion:
      LATHE_RETURN_IF_ERROR(ReadText(field, "producer_version", &text));
      info.producer_version = text;
      info.has_producer_version = true;
      return OkStatus();
    case fields::kDomain:
      LATHE_RETURN_IF_ERROR(ReadText(field, "domain", &text));
      info.domain = text;
      info.has_domain = true;
      return OkStatus();
    case fields::kModelVersion:
      info.has_model_version = true;
      return ReadInt(field, "model_version", &info.model_version);
    case fields::kDoc:
      LATHE_RETURN_IF_ERROR(ReadText(field, "doc_string", &text));
      info.doc = text;
      info.has_doc = true;
      return OkStatus();
    case fields::kGraph:
      if (parts.graph) return InvalidInput("has two main graphs");
      LATHE_RETURN_IF_ERROR(ReadMessage(field, "graph", &part));
      parts.graph = part;
      return OkStatus();
    case fields::kOpsetImport:
      LATHE_RETURN_IF_ERROR(ReadMessage(field, "opset_import", &part));
      return ReadOpsetImport(part, &info.opset_imports);
    case fields::kMetadata:
      LATHE_RETURN_IF_ERROR(ReadMessage(field, "metadata_props", &part));
      return ReadEntry(part, &info.metadata);
    case fields::kTrainingInfo:
      LATHE_RETURN_IF_ERROR(ReadText(field, "training_info", &text));
      info.training_info.emplace_back(text);
      return OkStatus();
    case fields::kConfiguration:
      LATHE_RETURN_IF_ERROR(ReadText(field, "configuration", &text));
      info.device_configurations.emplace_back(text);
      return OkStatus();
    case fields::kFunctions:
      LATHE_RETURN_IF_ERROR(ReadMessage(field, "functions", &part));
      parts.functions.push_back(part);
      return OkStatus();
    default:
      return OkStatus();
  }
}

Status CheckVersions(const ir::Model& model) {
  const ir::ModelInfo& info = model.info();
  if (info.ir_version < kOldestIrVersion) {
    return InvalidInput("IR version {} is too old, {} is the oldest that is read", info.ir_version,
                        kOldestIrVersion);
  }
  const int64_t opset = model.OpsetVersion("");
  if (opset != 0 && (opset < kOldestOpset || opset > kNewestOpset)) {
    return WithContext(InvalidInput("operator set {} is not supported, {} to {} are", opset,
                                    kOldestOpset, kNewestOpset),
                       ErrorContext::kHint,
                       "export the model again with another operator set, or convert it");
  }
  return OkStatus();
}

StatusOr<std::unique_ptr<ir::Model>> ReadModel(MessageSource source, ExternalFiles external) {
  auto model = std::make_unique<ir::Model>();
  ir::ModelInfo& info = ir::Rewriter(*model).MutableInfo();
  const Message message = source.bytes;
  ModelParts parts;
  Status status;
  WireReader reader(message);
  for (WireField field; status.ok() && reader.Next(&field);) {
    status = ReadModelField(field, info, parts);
  }
  if (status.ok()) status = reader.status();
  if (!parts.graph && (!status.ok() || !parts.has_ir_version)) {
    const Status reason = status.ok() ? InvalidInput("no ir_version and no graph") : status;
    return AtPlace(reason, "not an ONNX model, or damaged");
  }
  LATHE_RETURN_IF_ERROR(status);
  if (!parts.has_ir_version) return InvalidInput("the model has no ir_version");
  if (!parts.graph) return InvalidInput("the model has no graph");
  LATHE_RETURN_IF_ERROR(CheckVersions(*model));
  const TensorReader tensors(std::move(source), &external);
  GraphReader graphs(*model, tensors);
  for (const Message function : parts.functions) {
    LATHE_RETURN_IF_ERROR(graphs.ReadFunction(function));
  }
  LATHE_RETURN_IF_ERROR(graphs.ReadMainGraph(*parts.graph));
  return model;
}

// Adds the name of the file to an error.
StatusOr<std::unique_ptr<ir::Model>> InFile(StatusOr<std::unique_ptr<ir::Model>> model,
                                            const std::string& name) {
  if (model.ok()) return model;
  return WithContext(model.status(), ErrorContext::kFile, name);
}

}  // namespace

StatusOr<std::unique_ptr<ir::Model>> ImportOnnx(const std::string& path,
                                                const ImportOptions& options) {
  LATHE_ASSIGN_OR_RETURN(std::shared_ptr<const MappedFile> file, MappedFile::Open(path));
  LATHE_ASSIGN_OR_RETURN(const Message bytes, file->Range(0, file->size()));
  std::string folder = options.external_data_folder;
  if (folder.empty()) {
    folder = (std::filesystem::path(".") / std::filesystem::path(path).parent_path()).string();
  }
  return InFile(ReadModel({std::move(file), nullptr, bytes},
                          ExternalFiles(std::move(folder), options.external_files)),
                path);
}

StatusOr<std::unique_ptr<ir::Model>> ImportOnnxBytes(std::span<const std::byte> bytes,
                                                     const std::string& name,
                                                     const ImportOptions& options) {
  const auto copy = std::make_shared<const std::vector<std::byte>>(bytes.begin(), bytes.end());
  return InFile(ReadModel({nullptr, copy, *copy},
                          ExternalFiles(options.external_data_folder, options.external_files)),
                name);
}

}  // namespace lathe::frontends
