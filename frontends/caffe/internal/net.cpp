#include "lathe/frontends/caffe/internal/net.h"

#include <google/protobuf/text_format.h>

#include "lathe/frontends/caffe/internal/upgrade.h"
#include "lathe/frontends/config/internal/text_proto.h"
#include "lathe/support/quoted.h"

namespace lathe::frontends::caffe {
namespace {

using Places = google::protobuf::TextFormat::ParseInfoTree;

int LineOf(const proto::NetParameter& message, const Places& places, const char* field, int index) {
  const auto* descriptor = message.GetDescriptor()->FindFieldByName(field);
  return places.GetLocation(descriptor, index).line + 1;
}

// The shape of input `i`, which is said as a shape or, in older nets, as four extents.
Status ReadInputShape(const proto::NetParameter& message, int i, proto::BlobShape& shape) {
  constexpr int kOldRank = 4;
  if (message.input_shape_size() > 0) {
    if (i >= message.input_shape_size()) {
      return InvalidInput("the net has {} inputs and {} input_shape fields", message.input_size(),
                          message.input_shape_size());
    }
    shape = message.input_shape(i);
    return OkStatus();
  }
  if (message.input_dim_size() != kOldRank * message.input_size()) {
    return InvalidInput("the net has {} inputs and {} input_dim fields, four an input are needed",
                        message.input_size(), message.input_dim_size());
  }
  for (int k = 0; k < kOldRank; ++k) shape.add_dim(message.input_dim(kOldRank * i + k));
  return OkStatus();
}

Status AddInputs(const proto::NetParameter& message, const Places& places, Net& net) {
  for (int i = 0; i < message.input_size(); ++i) {
    NetLayer& layer = net.layers.emplace_back();
    layer.line = LineOf(message, places, "input", i);
    layer.param.set_name(message.input(i));
    layer.param.set_type("Input");
    layer.param.add_top(message.input(i));
    Status status = ReadInputShape(message, i, *layer.param.mutable_input_param()->add_shape());
    if (!status.ok()) return AtPlace(status, PlaceOf(layer));
  }
  return OkStatus();
}

}  // namespace

std::string PlaceOf(const NetLayer& layer) {
  return fmt::format("line {}, layer {}", layer.line, Quoted(layer.param.name()));
}

StatusOr<Net> ParseNet(std::string_view text) {
  if (text.find('\0') != std::string_view::npos) {
    return WithContext(InvalidInput("not a prototxt: it is no text"), ErrorContext::kHint,
                       "a Caffe model is given as NET.prototxt,WEIGHTS.caffemodel");
  }
  proto::NetParameter message;
  Places places;
  LATHE_RETURN_IF_ERROR(ParseTextProto(text, message, &places));
  LATHE_RETURN_IF_ERROR(RequireFields(message, places));
  if (message.layer_size() > 0 && message.layers_size() > 0) {
    return InvalidInput("line {}: the net has both 'layer' and 'layers'",
                        LineOf(message, places, "layers", 0));
  }
  Net net{.name = message.name(), .state = message.state()};
  LATHE_RETURN_IF_ERROR(AddInputs(message, places, net));
  for (int i = 0; i < message.layer_size(); ++i) {
    NetLayer& layer = net.layers.emplace_back();
    layer.line = LineOf(message, places, "layer", i);
    layer.param.Swap(message.mutable_layer(i));
  }
  if (message.layers_size() == 0) return net;
  LATHE_RETURN_IF_ERROR(MergePaddingLayers(message));
  for (int i = 0; i < message.layers_size(); ++i) {
    // A padding layer that was merged.
    if (message.layers(i).layer().type() == "padding") continue;
    NetLayer& layer = net.layers.emplace_back();
    layer.line = LineOf(message, places, "layers", i);
    LATHE_ASSIGN_OR_RETURN(layer.param, Upgrade(message.layers(i), layer.line));
  }
  return net;
}

}  // namespace lathe::frontends::caffe
