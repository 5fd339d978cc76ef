// Caffe nets in: a prototxt and a caffemodel become a model of standard ONNX operators.
//
// The net is read as Caffe runs it in phase TEST: layers are chosen by their include and exclude
// rules (level and stages as the net's `state` says), losses, Accuracy and other layers that only
// training has are left out, and what then nobody reads is an output, in the order of the file.
// Old nets (`layers`, and those before them) and old blobs (num, channels, height, width) are
// brought up to date. docs/caffe.md lists the layers that are read.
//
// - A layer's node has the layer's name; where a layer takes several nodes, the one that computes
//   has it and the others are "LAYER/part". All have the layer as origin.
// - A value has its blob's name. Of a blob that layers change in place the last version has the
//   name, the one before layer L is "BLOB_before_L"; versions of an input after it are
//   "BLOB_after_L".
// - A BatchNorm whose only reader is a Scale becomes one BatchNormalization.
// - Dim 0 of every input is free; inputs whose dim 0 is the same number share a symbol.
// - Weights stay where they are in the caffemodel, which stays mapped while any of them lives.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "lathe/ir/model.h"
#include "lathe/support/status.h"

namespace lathe::frontends {

// The operator set of models that come from Caffe.
inline constexpr int64_t kCaffeOpset = 13;

// The two files of a Caffe model.
struct CaffeFiles {
  std::string prototxt;
  std::string caffemodel;
};

// The files of an argument "NET.prototxt,WEIGHTS.caffemodel"; nothing when it is no such pair. One
// of the two endings (the first may be .pbtxt) is enough.
std::optional<CaffeFiles> SplitCaffeFiles(std::string_view argument);

// Reads a net. O(structure of the net), and of weights only what BatchNorm layers and old files ask
// for. Errors name file, line and layer: not a prototxt, not a caffemodel, unknown fields and layer
// types, bottoms that nothing makes, weights that are missing or of another shape, extents that do
// not fit, what standard operators cannot express.
StatusOr<std::unique_ptr<ir::Model>> ImportCaffe(const CaffeFiles& files);

}  // namespace lathe::frontends
