// What a user feeds: the shapes of the tops of data layers.
#pragma once

#include "lathe/frontends/caffe/internal/layer_builder.h"

namespace lathe::frontends::caffe {

// The extents of top `i` of a data layer (choose_layers.h), as the prototxt says them, dim 0
// included. Errors: the layer says none, because it reads them with the data; an extent below 1.
StatusOr<Dims> FeedDims(const proto::LayerParameter& layer, int i);

}  // namespace lathe::frontends::caffe
