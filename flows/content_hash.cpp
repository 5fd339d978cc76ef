#include "lathe/flows/content_hash.h"

#include "lathe/support/mapped_file.h"

namespace lathe::flows {

void ContentHash::Add(std::span<const std::byte> bytes) {
  for (const std::byte byte : bytes) {
    value_ = (value_ ^ static_cast<uint64_t>(byte)) * 0x100000001B3ull;
  }
}

void ContentHash::Add(std::string_view text) {
  Add(uint64_t{text.size()});
  Add(std::as_bytes(std::span(text)));
}

void ContentHash::Add(uint64_t number) { Add(std::as_bytes(std::span(&number, 1))); }

Status ContentHash::Add(const ir::Tensor& tensor) {
  Add(static_cast<uint64_t>(tensor.element_type()));
  Add(static_cast<uint64_t>(tensor.rank()));
  for (const int64_t dim : tensor.dims()) Add(static_cast<uint64_t>(dim));
  if (tensor.element_type() == ir::ElementType::kString) {
    for (const std::string& text : tensor.strings()) Add(text);
    return OkStatus();
  }
  LATHE_ASSIGN_OR_RETURN(const ir::TensorBytes bytes, tensor.Read());
  Add(bytes.bytes());
  return OkStatus();
}

Status HashModel(const std::string& path, const ir::Model& model, ContentHash& hash) {
  LATHE_ASSIGN_OR_RETURN(const auto file, MappedFile::Open(path));
  LATHE_ASSIGN_OR_RETURN(const auto bytes, file->Range(0, file->size()));
  hash.Add(bytes);
  for (const ir::Graph* graph : model.AllGraphs()) {
    for (const ir::Value* value : graph->initializers()) {
      if (!value->tensor() || !value->tensor().notes().external) continue;
      LATHE_RETURN_IF_ERROR(hash.Add(value->tensor()));
    }
  }
  return OkStatus();
}

StatusOr<std::vector<uint64_t>> HashBatches(const frontends::BatchSource& data) {
  std::vector<uint64_t> hashes;
  for (size_t batch = 0; batch < data.num_batches(); ++batch) {
    LATHE_ASSIGN_OR_RETURN(const std::vector<ir::Tensor> inputs, data.Load(batch));
    ContentHash hash;
    for (const ir::Tensor& input : inputs) LATHE_RETURN_IF_ERROR(hash.Add(input));
    hashes.push_back(hash.value());
  }
  return hashes;
}

}  // namespace lathe::flows
