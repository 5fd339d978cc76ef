#include "lathe/frontends/caffe/internal/feed_dims.h"

#include <limits>

#include "lathe/support/quoted.h"

namespace lathe::frontends::caffe {
namespace {

StatusOr<Dims> InputDims(const proto::InputParameter& param, int i, int tops) {
  if (param.shape_size() != 1 && param.shape_size() != tops) {
    return InvalidInput("has {} tops and {} shapes in input_param, one or one a top are expected",
                        tops, param.shape_size());
  }
  const proto::BlobShape& shape = param.shape(param.shape_size() == 1 ? 0 : i);
  return Dims(shape.dim().begin(), shape.dim().end());
}

Dims MemoryDataDims(const proto::MemoryDataParameter& param, int i) {
  if (i > 0) return {param.batch_size()};
  return {param.batch_size(), param.channels(), param.height(), param.width()};
}

}  // namespace

StatusOr<Dims> FeedDims(const proto::LayerParameter& layer, int i) {
  Dims dims;
  if (layer.type() == "Input") {
    LATHE_ASSIGN_OR_RETURN(dims, InputDims(layer.input_param(), i, layer.top_size()));
  } else if (layer.type() == "MemoryData") {
    dims = MemoryDataDims(layer.memory_data_param(), i);
  } else {
    return WithContext(Unsupported("a layer of type {} learns the shape of top {} from its data",
                                   layer.type(), Quoted(layer.top(i))),
                       ErrorContext::kHint,
                       "put a layer of type Input, which says the shape, in its place");
  }
  if (dims.size() > kMostAxes) {
    return InvalidInput("top {} has {} axes, at most {} are possible", Quoted(layer.top(i)),
                        dims.size(), kMostAxes);
  }
  for (const int64_t extent : dims) {
    if (extent < 1 || extent > std::numeric_limits<int32_t>::max()) {
      return InvalidInput("top {} has shape {}", Quoted(layer.top(i)), DimsText(dims));
    }
  }
  return dims;
}

}  // namespace lathe::frontends::caffe
