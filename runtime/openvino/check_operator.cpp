#include "lathe/runtime/openvino/check_operator.h"

#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

namespace lathe::runtime {
namespace {

using ir::ElementType;

Status InNode(Status status, const ir::Node& node) {
  return WithContext(std::move(status), ErrorContext::kNode, node.display_name());
}

bool IsSigned(const ir::Type& type) {
  switch (type.element) {
    case ir::ElementType::kInt8:
    case ir::ElementType::kInt16:
    case ir::ElementType::kInt32:
    case ir::ElementType::kInt64:
      return true;
    default:
      return false;
  }
}

// Whether the last window along an axis, which ceil_mode adds, would start in the end padding: ONNX
// leaves it out, OpenVINO keeps it.
bool EndsInPadding(const ir::Node& pool) {
  const std::vector<int64_t> kernel = pool.IntsAttribute("kernel_shape");
  const std::vector<int64_t> strides = pool.IntsAttribute("strides");
  const std::vector<int64_t> dilations = pool.IntsAttribute("dilations");
  const std::vector<int64_t> pads = pool.IntsAttribute("pads");
  const auto& shape = pool.input(0)->type().shape;
  const size_t rank = kernel.size();
  if (pool.IntAttribute("ceil_mode", 0) == 0 || !shape || shape->size() != rank + 2) return false;
  for (size_t axis = 0; axis < rank; ++axis) {
    const auto at = [axis](const std::vector<int64_t>& values, size_t index, int64_t absent) {
      return index + axis < values.size() ? values[index + axis] : absent;
    };
    const ir::Dim& dim = (*shape)[axis + 2];
    const int64_t stride = at(strides, 0, 1);
    if (!dim.is_known() || stride <= 0) continue;
    const int64_t begin = at(pads, 0, 0);
    const int64_t span = (kernel[axis] - 1) * at(dilations, 0, 1) + 1;
    const int64_t room = dim.extent() + begin + at(pads, rank, 0) - span;
    const int64_t last_start = (room + stride - 1) / stride * stride;
    if (room > 0 && last_start >= dim.extent() + begin) return true;
  }
  return false;
}

// Whether a Resize with align_corners places its corners by an extent that is no whole number: ONNX
// takes scale * extent as it is, OpenVINO its whole part. Scales that are not constant are not
// judged.
bool AlignsCornersOfFractions(const ir::Node& resize) {
  constexpr size_t kScales = 2;
  const ir::Value* scales = resize.input(kScales);
  if (scales == nullptr || !scales->tensor() ||
      resize.StringAttribute("coordinate_transformation_mode", "half_pixel") != "align_corners") {
    return false;
  }
  const auto factors = scales->tensor().ValuesAsFloat();
  const auto& shape = resize.input(0)->type().shape;
  for (size_t axis = 0; factors.ok() && axis < factors->size(); ++axis) {
    const float factor = (*factors)[axis];
    const bool is_known = shape && axis < shape->size() && (*shape)[axis].is_known();
    const float extent = is_known ? static_cast<float>((*shape)[axis].extent()) : 1;
    if (factor * extent != std::floor(factor * extent)) return true;
  }
  return false;
}

// What OpenVINO 2026.4 computes wrongly without a word; found by running onnx's own operator tests.
Status RefuseIgnored(const ir::Node& node) {
  const auto refuse = [&](std::string_view what) {
    return InNode(Unsupported("operator {} has {}, which OpenVINO ignores", node.op_text(), what),
                  node);
  };
  const bool is_recurrent = node.Is("LSTM") || node.Is("GRU") || node.Is("RNN");
  if (is_recurrent && node.IntAttribute("layout", 0) != 0) return refuse("layout 1");
  constexpr size_t kPeepholes = 7;
  if (node.Is("LSTM") && node.input(kPeepholes) != nullptr) return refuse("peephole weights");
  if (node.Is("Resize")) {
    if (node.IntAttribute("antialias", 0) != 0) return refuse("antialias 1");
    if (node.IntAttribute("exclude_outside", 0) != 0) return refuse("exclude_outside 1");
    if (AlignsCornersOfFractions(node)) {
      return InNode(Unsupported("operator Resize has align_corners and scales that give no whole "
                                "extent, which OpenVINO "
                                "computes otherwise"),
                    node);
    }
    const std::string policy = node.StringAttribute("keep_aspect_ratio_policy", "stretch");
    if (policy != "stretch") return refuse(fmt::format("keep_aspect_ratio_policy {}", policy));
  }
  if (node.Is("SpaceToDepth") && node.StringAttribute("mode", "DCR") == "CRD") {
    return refuse("mode CRD");
  }
  if (node.Is("RoiAlign") && node.StringAttribute("mode", "avg") == "max") {
    return InNode(Unsupported("operator RoiAlign has mode max, which OpenVINO computes otherwise"),
                  node);
  }
  if (node.Is("Attention")) {
    for (const std::string_view window : {"left_window_size", "right_window_size"}) {
      if (node.IntAttribute(window, -1) >= 0) return refuse(window);
    }
    constexpr size_t kPastKey = 4;
    if (node.IntAttribute("is_causal", 0) != 0 && node.input(kPastKey) != nullptr) {
      return InNode(
          Unsupported(
              "operator Attention is causal with a past, which OpenVINO computes otherwise"),
          node);
    }
  }
  if (node.Is("BitShift") && IsSigned(node.input(0)->type())) {
    return InNode(Unsupported("operator BitShift of signed integers has other results in OpenVINO"),
                  node);
  }
  if (node.Is("MaxPool") && EndsInPadding(node)) {
    return InNode(
        Unsupported(
            "operator MaxPool has ceil_mode and a window in the end padding alone, which OpenVINO "
            "computes otherwise"),
        node);
  }
  if (node.Is("DFT")) {
    return InNode(Unsupported("operator DFT has other results in OpenVINO"), node);
  }
  return OkStatus();
}

Status RefuseStrings(const ir::Node& node) {
  const auto refuse = [&] {
    return InNode(Unsupported("operator {} works on strings, OpenVINO does not", node.op_text()),
                  node);
  };
  const auto is_string = [](const ir::Value* value) {
    return value != nullptr &&
           (value->type().element == ElementType::kString ||
            (value->tensor() && value->tensor().element_type() == ElementType::kString));
  };
  for (const ir::Use& use : node.inputs()) {
    if (is_string(use.value())) return refuse();
  }
  for (const ir::Value* output : node.outputs()) {
    if (is_string(output)) return refuse();
  }
  const ir::Tensor* constant = node.TensorAttribute("value");
  if (constant != nullptr && constant->element_type() == ElementType::kString) return refuse();
  if (node.Is("Constant") && (node.FindAttribute("value_string") != nullptr ||
                              node.FindAttribute("value_strings") != nullptr)) {
    return refuse();
  }
  if (node.Is("Cast") && node.IntAttribute("to", 0) == static_cast<int64_t>(ElementType::kString)) {
    return refuse();
  }
  return OkStatus();
}

}  // namespace

Status CheckComputedAlike(const ir::Node& node) {
  LATHE_RETURN_IF_ERROR(RefuseStrings(node));
  return RefuseIgnored(node);
}

}  // namespace lathe::runtime
