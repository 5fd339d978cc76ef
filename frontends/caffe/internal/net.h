// A net as its prototxt says it, in today's form: every layer a LayerParameter, inputs as Input
// layers.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lathe/proto/caffe.pb.h"
#include "lathe/support/status.h"

namespace lathe::frontends::caffe {

namespace proto = LatheCaffe;

struct NetLayer {
  proto::LayerParameter param;
  // Where the layer stands in the file, from 1.
  int line = 0;
};

struct Net {
  std::string name;
  proto::NetState state;
  std::vector<NetLayer> layers;
};

// Reads the text form. Errors name line and field: not the text form of a net, unknown fields,
// values out of range, layers of both the old and the new form, inputs without a shape.
StatusOr<Net> ParseNet(std::string_view text);

// "line 12, layer 'conv1'", for error messages.
std::string PlaceOf(const NetLayer& layer);

}  // namespace lathe::frontends::caffe
