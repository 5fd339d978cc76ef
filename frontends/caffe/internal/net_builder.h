// A linked net as a model.
#pragma once

#include <memory>

#include "lathe/frontends/caffe/internal/caffemodel.h"
#include "lathe/frontends/caffe/internal/link_net.h"
#include "lathe/ir/model.h"

namespace lathe::frontends::caffe {

// O(layers). Errors name line and layer: an unknown type, and what the layer's function says.
StatusOr<std::unique_ptr<ir::Model>> BuildNet(const LinkedNet& net, const CaffeModel& weights);

}  // namespace lathe::frontends::caffe
