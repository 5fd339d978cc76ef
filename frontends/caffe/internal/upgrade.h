// Layers of old nets as they are written today: V1 (`layers`, whose types are an enum) and V0
// (a `layer` inside of it, whose parameters are all in one message).
#pragma once

#include <string_view>

#include "lathe/proto/caffe.pb.h"
#include "lathe/support/status.h"

namespace lathe::frontends::caffe {

// Writes the padding of V0's padding layers into the convolutions and poolings behind them, which
// then read what the padding layers read. Errors name the line's layer: something else reads a
// padding layer.
Status MergePaddingLayers(LatheCaffe::NetParameter& net);

// `line` is for messages. Errors: a type of V0 that never was.
StatusOr<LatheCaffe::LayerParameter> Upgrade(const LatheCaffe::V1LayerParameter& old, int line);

// Today's name of a V1 type; empty for NONE and numbers that are none.
std::string_view UpgradedType(int v1_type);

// Today's name of a V0 type; empty for unknown ones.
std::string_view UpgradedV0Type(std::string_view v0_type);

// The parameters of a V0 layer; name and type are set, bottoms and tops are not.
StatusOr<LatheCaffe::LayerParameter> UpgradeV0(const LatheCaffe::V0LayerParameter& old);

}  // namespace lathe::frontends::caffe
