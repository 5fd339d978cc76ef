#include "lathe/flows/content_hash.h"

#include "lathe/flows/import_model.h"
#include "lathe/support/mapped_file.h"

namespace lathe::flows {

namespace {

bool HasSamples(const ir::Tensor& tensor) {
  return tensor.rank() > 0 && tensor.element_type() != ir::ElementType::kString;
}

// How many samples the inputs of one batch hold; 1 where that cannot be told.
size_t CountSamples(const std::vector<ir::Tensor>& inputs) {
  int64_t samples = 0;
  for (const ir::Tensor& input : inputs) {
    if (input.rank() == 0) continue;
    const int64_t here = HasSamples(input) ? input.dims()[0] : 0;
    if (here == 0 || (samples != 0 && samples != here)) return 1;
    samples = here;
  }
  return samples == 0 ? 1 : static_cast<size_t>(samples);
}

// Adds to each sample its part of the tensor.
Status AddSamples(const ir::Tensor& tensor, std::vector<ContentHash>& samples) {
  if (samples.size() == 1 || !HasSamples(tensor)) {
    for (ContentHash& hash : samples) LATHE_RETURN_IF_ERROR(hash.Add(tensor));
    return OkStatus();
  }
  LATHE_ASSIGN_OR_RETURN(const ir::TensorBytes read, tensor.Read());
  const std::span<const std::byte> bytes = read.bytes();
  const size_t size = bytes.size() / samples.size();
  for (size_t i = 0; i < samples.size(); ++i) {
    samples[i].Add(static_cast<uint64_t>(tensor.element_type()));
    for (const int64_t dim : tensor.dims().subspan(1)) samples[i].Add(static_cast<uint64_t>(dim));
    samples[i].Add(bytes.subspan(i * size, size));
  }
  return OkStatus();
}

}  // namespace

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

void ContentHash::Add(const SampleHashes& samples) {
  for (const std::vector<uint64_t>& batch : samples) {
    Add(uint64_t{batch.size()});
    for (const uint64_t sample : batch) Add(sample);
  }
}

Status HashModel(const std::string& path, const ir::Model& model, ContentHash& hash) {
  for (const std::string& each : FilesOf(path)) {
    LATHE_ASSIGN_OR_RETURN(const auto file, MappedFile::Open(each));
    LATHE_ASSIGN_OR_RETURN(const auto bytes, file->Range(0, file->size()));
    hash.Add(bytes);
  }
  for (const ir::Graph* graph : model.AllGraphs()) {
    for (const ir::Value* value : graph->initializers()) {
      if (!value->tensor() || !value->tensor().notes().external) continue;
      LATHE_RETURN_IF_ERROR(hash.Add(value->tensor()));
    }
  }
  return OkStatus();
}

StatusOr<SampleHashes> HashSamples(const frontends::BatchSource& data) {
  SampleHashes hashes;
  for (size_t batch = 0; batch < data.num_batches(); ++batch) {
    LATHE_ASSIGN_OR_RETURN(const std::vector<ir::Tensor> inputs, data.Load(batch));
    const size_t samples = CountSamples(inputs);
    std::vector<ContentHash> each(samples);
    for (const ir::Tensor& input : inputs) LATHE_RETURN_IF_ERROR(AddSamples(input, each));
    hashes.emplace_back();
    for (const ContentHash& hash : each) hashes.back().push_back(hash.value());
  }
  return hashes;
}

}  // namespace lathe::flows
