#include "lathe/frontends/caffe/internal/caffemodel.h"

#include <bit>
#include <cstring>
#include <optional>

#include "lathe/support/quoted.h"
#include "lathe/support/wire_reader.h"

namespace lathe::frontends::caffe {
namespace {

using Message = std::span<const std::byte>;

// Field numbers of the format; 0 where a form has no such field.
namespace net {
constexpr uint32_t kV1Layers = 2;
constexpr uint32_t kLayer = 100;
}  // namespace net
namespace layer {
constexpr uint32_t kName = 1;
constexpr uint32_t kBlobs = 7;
}  // namespace layer
namespace v1 {
constexpr uint32_t kV0Layer = 1;
constexpr uint32_t kName = 4;
constexpr uint32_t kBlobs = 6;
}  // namespace v1
namespace v0 {
constexpr uint32_t kName = 1;
constexpr uint32_t kBlobs = 50;
}  // namespace v0
namespace blob {
constexpr uint32_t kNum = 1;
constexpr uint32_t kWidth = 4;
constexpr uint32_t kData = 5;
constexpr uint32_t kShape = 7;
constexpr uint32_t kDoubleData = 8;
constexpr uint32_t kInt8Data = 10;
constexpr uint32_t kUint64Data = 12;
constexpr uint32_t kDim = 1;
}  // namespace blob

// What a BlobProto says.
struct BlobParts {
  std::optional<std::vector<int64_t>> shape;
  // num, channels, height, width.
  std::optional<std::vector<int64_t>> old_shape;
  // The floats when they stand in one piece.
  std::optional<Message> piece;
  // All others.
  std::vector<float> values;
};

Status ReadShape(Message message, std::vector<int64_t>& dims) {
  WireReader reader(message);
  for (WireField field; reader.Next(&field);) {
    if (field.number == blob::kDim) LATHE_RETURN_IF_ERROR(ReadInts(field, "dim", &dims));
  }
  return reader.status();
}

// What stood in one piece, as values, because more follow.
Status Unpack(BlobParts& parts) {
  if (!parts.piece) return OkStatus();
  WireField field{.type = WireType::kBytes, .bytes = *parts.piece};
  parts.piece.reset();
  return ReadFloats(field, "data", &parts.values);
}

Status ReadDoubles(const WireField& field, std::vector<float>& values) {
  if (field.type == WireType::kFixed64) {
    values.push_back(static_cast<float>(std::bit_cast<double>(field.value)));
    return OkStatus();
  }
  Message bytes;
  LATHE_RETURN_IF_ERROR(ReadMessage(field, "double_data", &bytes));
  if (bytes.size() % sizeof(double) != 0) return InvalidInput("double_data is cut off");
  values.reserve(values.size() + bytes.size() / sizeof(double));
  for (size_t at = 0; at < bytes.size(); at += sizeof(double)) {
    double value = 0;
    std::memcpy(&value, bytes.data() + at, sizeof(double));
    values.push_back(static_cast<float>(value));
  }
  return OkStatus();
}

Status ReadBlobField(const WireField& field, BlobParts& parts) {
  if (field.number >= blob::kNum && field.number <= blob::kWidth) {
    int64_t extent = 0;
    LATHE_RETURN_IF_ERROR(ReadInt(field, "num", &extent));
    if (!parts.old_shape) parts.old_shape = {0, 0, 0, 0};
    (*parts.old_shape)[field.number - blob::kNum] = extent;
    return OkStatus();
  }
  if (field.number >= blob::kInt8Data && field.number <= blob::kUint64Data) {
    return WithContext(InvalidInput("holds integers: the net is quantised already"),
                       ErrorContext::kHint, "start from the float model");
  }
  switch (field.number) {
    case blob::kShape: {
      Message message;
      LATHE_RETURN_IF_ERROR(ReadMessage(field, "shape", &message));
      parts.shape.emplace();
      return ReadShape(message, *parts.shape);
    }
    case blob::kData:
      if (field.type == WireType::kBytes && !parts.piece && parts.values.empty()) {
        parts.piece = field.bytes;
        return OkStatus();
      }
      LATHE_RETURN_IF_ERROR(Unpack(parts));
      return ReadFloats(field, "data", &parts.values);
    case blob::kDoubleData:
      LATHE_RETURN_IF_ERROR(Unpack(parts));
      return ReadDoubles(field, parts.values);
    default:
      return OkStatus();
  }
}

}  // namespace

Status CaffeModel::ReadLayer(Message message, uint32_t name_field, uint32_t blobs_field,
                             uint32_t inner_field, Layer& layer) {
  WireReader reader(message);
  for (WireField field; reader.Next(&field);) {
    if (field.number == name_field) {
      LATHE_RETURN_IF_ERROR(ReadText(field, "name", &layer.name));
    } else if (field.number == blobs_field) {
      LATHE_RETURN_IF_ERROR(ReadMessage(field, "blobs", &layer.blobs.emplace_back()));
    } else if (inner_field != 0 && field.number == inner_field) {
      Message inner;
      LATHE_RETURN_IF_ERROR(ReadMessage(field, "layer", &inner));
      LATHE_RETURN_IF_ERROR(ReadLayer(inner, v0::kName, v0::kBlobs, 0, layer));
    }
  }
  return reader.status();
}

void CaffeModel::Add(Layer layer) {
  if (layer.blobs.empty()) return;
  // Several layers may have one name, for instance one a phase; Caffe takes the last.
  layers_[layer.name] = order_.size();
  order_.push_back(std::move(layer));
}

StatusOr<CaffeModel> CaffeModel::Open(const std::string& path) {
  CaffeModel model;
  LATHE_ASSIGN_OR_RETURN(model.file_, MappedFile::Open(path));
  LATHE_ASSIGN_OR_RETURN(model.bytes_, model.file_->Range(0, model.file_->size()));
  const auto in_file = [&](Status status) {
    return WithContext(std::move(status), ErrorContext::kFile, path);
  };
  constexpr std::string_view kHdf5 = "\x89HDF";
  if (model.bytes_.size() >= kHdf5.size() &&
      std::memcmp(model.bytes_.data(), kHdf5.data(), kHdf5.size()) == 0) {
    return WithContext(in_file(Unsupported("weights in HDF5 are not read")), ErrorContext::kHint,
                       "save them as a caffemodel");
  }
  bool has_layers = false;
  Status status;
  WireReader reader(model.bytes_);
  for (WireField field; status.ok() && reader.Next(&field);) {
    const bool old = field.number == net::kV1Layers;
    if (!old && field.number != net::kLayer) continue;
    has_layers = true;
    Message message;
    Layer read;
    status = ReadMessage(field, old ? "layers" : "layer", &message);
    if (status.ok()) {
      status = old ? ReadLayer(message, v1::kName, v1::kBlobs, v1::kV0Layer, read)
                   : ReadLayer(message, layer::kName, layer::kBlobs, 0, read);
    }
    model.Add(std::move(read));
  }
  if (status.ok()) status = reader.status();
  if (status.ok() && !has_layers) status = InvalidInput("no layers");
  if (!status.ok()) return in_file(AtPlace(status, "not a caffemodel, or damaged"));
  return model;
}

std::vector<std::string_view> CaffeModel::Names() const {
  std::vector<std::string_view> names;
  names.reserve(order_.size());
  for (const Layer& each : order_) names.push_back(each.name);
  return names;
}

StatusOr<ir::Tensor> CaffeModel::ReadBlob(Message message) const {
  BlobParts parts;
  WireReader reader(message);
  for (WireField field; reader.Next(&field);) {
    LATHE_RETURN_IF_ERROR(ReadBlobField(field, parts));
  }
  LATHE_RETURN_IF_ERROR(reader.status());
  const size_t bytes = parts.piece ? parts.piece->size() : parts.values.size() * sizeof(float);
  std::vector<int64_t> dims = {static_cast<int64_t>(bytes / sizeof(float))};
  if (parts.shape) {
    dims = *std::move(parts.shape);
  } else if (parts.old_shape) {
    dims = *std::move(parts.old_shape);
  }
  LATHE_ASSIGN_OR_RETURN(const size_t expected,
                         ir::CheckedByteSize(ir::ElementType::kFloat32, dims));
  if (expected != bytes) {
    return InvalidInput("shape [{}] asks for {} values, there are {}", fmt::join(dims, ","),
                        expected / sizeof(float), bytes / sizeof(float));
  }
  if (!parts.piece) return ir::Tensor::Of<float>(std::move(dims), parts.values);
  const auto offset = static_cast<uint64_t>(parts.piece->data() - bytes_.data());
  return ir::Tensor::FromFile(ir::ElementType::kFloat32, std::move(dims), file_, offset);
}

StatusOr<std::vector<ir::Tensor>> CaffeModel::Blobs(std::string_view layer) const {
  std::vector<ir::Tensor> blobs;
  const auto found = layers_.find(layer);
  if (found == layers_.end()) return blobs;
  for (const Message message : order_[found->second].blobs) {
    auto tensor = ReadBlob(message);
    if (!tensor.ok()) {
      return WithContext(
          AtPlace(tensor.status(), fmt::format("layer {}, blob {}", Quoted(layer), blobs.size())),
          ErrorContext::kFile, path());
    }
    blobs.push_back(*std::move(tensor));
  }
  return blobs;
}

}  // namespace lathe::frontends::caffe
