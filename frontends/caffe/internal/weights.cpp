#include "lathe/frontends/caffe/internal/weights.h"

#include <algorithm>

#include "lathe/support/nearest_names.h"
#include "lathe/support/quoted.h"

namespace lathe::frontends::caffe {
namespace {

// The name under which layers share a blob; empty: it is the layer's own.
std::string SharedName(const proto::LayerParameter& layer, size_t blob) {
  if (blob >= static_cast<size_t>(layer.param_size())) return "";
  return layer.param(static_cast<int>(blob)).name();
}

// Without leading ones, which old blobs have in front.
std::vector<int64_t> Essential(std::span<const int64_t> dims) {
  const auto first = std::ranges::find_if(dims, [](int64_t extent) { return extent != 1; });
  return {first, dims.end()};
}

}  // namespace

StatusOr<const std::vector<ir::Tensor>*> Weights::BlobsOf(const std::string& layer) {
  if (layer != layer_) {
    LATHE_ASSIGN_OR_RETURN(blobs_, model_.Blobs(layer));
    layer_ = layer;
  }
  return &blobs_;
}

StatusOr<ir::Tensor> Weights::Find(const proto::LayerParameter& layer, size_t blob) {
  const std::string shared = SharedName(layer, blob);
  if (const auto found = shared_.find(shared); !shared.empty() && found != shared_.end()) {
    return found->second;
  }
  LATHE_ASSIGN_OR_RETURN(const std::vector<ir::Tensor>* blobs, BlobsOf(layer.name()));
  if (blobs->empty()) {
    Status status = InvalidInput("has no weights in {}", model_.path());
    const std::string near = DidYouMean(layer.name(), model_.Names());
    return near.empty() ? status : WithContext(std::move(status), ErrorContext::kHint, near);
  }
  if (blob >= blobs->size()) {
    return InvalidInput("needs blob {} and has {} in {}", blob, blobs->size(), model_.path());
  }
  if (!shared.empty()) shared_.emplace(shared, (*blobs)[blob]);
  return (*blobs)[blob];
}

StatusOr<ir::Tensor> Weights::Tensor(const proto::LayerParameter& layer, size_t blob,
                                     const Dims& dims) {
  LATHE_ASSIGN_OR_RETURN(const ir::Tensor tensor, Find(layer, blob));
  const auto same_count = [&] {
    const auto count = ir::CheckedElementCount(dims);
    return count.ok() && *count == tensor.num_elements();
  };
  const auto index = static_cast<int>(blob);
  const bool permissive = index < layer.param_size() &&
                          layer.param(index).share_mode() == proto::ParamSpec::PERMISSIVE &&
                          same_count();
  if (!permissive && Essential(tensor.dims()) != Essential(dims)) {
    return InvalidInput("blob {} in {} has shape {}, the net asks for {}", blob, model_.path(),
                        DimsText({tensor.dims().begin(), tensor.dims().end()}), DimsText(dims));
  }
  return tensor.WithDims(dims);
}

StatusOr<ir::Value*> Weights::Constant(const proto::LayerParameter& layer, size_t blob,
                                       const Dims& dims, std::string_view part, const Dims& as) {
  LATHE_ASSIGN_OR_RETURN(const ir::Tensor stored, Tensor(layer, blob, dims));
  ir::Tensor tensor = stored.WithDims(as);
  const std::string shared = SharedName(layer, blob);
  if (const auto found = shared_constants_.find(shared); found != shared_constants_.end()) {
    // In another shape it is a value of its own, with the same data.
    if (std::ranges::equal(found->second->tensor().dims(), tensor.dims())) return found->second;
  }
  ir::Value& value = rewriter_.CreateInitializer(
      rewriter_.model().graph(), fmt::format("{}.{}", layer.name(), part), std::move(tensor));
  if (!shared.empty()) shared_constants_.emplace(shared, &value);
  return &value;
}

Status Weights::CheckCount(const proto::LayerParameter& layer, size_t count) {
  LATHE_ASSIGN_OR_RETURN(const std::vector<ir::Tensor>* blobs, BlobsOf(layer.name()));
  if (blobs->size() <= count) return OkStatus();
  return InvalidInput("takes {} blobs and has {} in {}", count, blobs->size(), model_.path());
}

}  // namespace lathe::frontends::caffe
