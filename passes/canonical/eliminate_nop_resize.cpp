#include "lathe/passes/canonical/eliminate_nop_resize.h"

#include <algorithm>

#include "lathe/passes/canonical/equal_shapes.h"
#include "lathe/passes/canonical/operands.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Removes Resize and Upsample by 1, and SpaceToDepth and DepthToSpace with blocks of 1:

    %b = Resize(%a, -, [1, 1, 1, 1])       %y = Relu(%a)
    %y = Relu(%b)

At scale 1 every way of placing samples that is named below takes each element from its own place, and every
interpolation then gives the element itself.

Conditions for Resize and Upsample:
- the scales are constant, and all are 1; or the sizes are given, and they are the operand's own extents: as the
  types show, or as constants for those axes;
- `coordinate_transformation_mode` is neither tf_crop_and_resize (it takes a part of the image) nor
  tf_half_pixel_for_nn (it is off by half an element).
)";

bool SamplesOwnPlace(const ir::Node& node) {
  const std::string mode = node.StringAttribute("coordinate_transformation_mode", "half_pixel");
  return mode == "half_pixel" || mode == "half_pixel_symmetric" || mode == "pytorch_half_pixel" ||
         mode == "align_corners" || mode == "asymmetric";
}

bool AllOnes(const std::vector<float>& scales) {
  return !scales.empty() && std::ranges::all_of(scales, [](float each) { return each == 1.0f; });
}

bool ScalesAreOne(const ir::Node& node) {
  if (const ir::Attribute* attribute = node.FindAttribute("scales")) {
    const auto* scales = attribute->get_if<std::vector<float>>();
    return scales != nullptr && AllOnes(*scales);
  }
  // Resize has the region of interest as operand 1, since operator set 11.
  for (const size_t i : {size_t{1}, size_t{2}}) {
    if (node.input(i) == nullptr || (i == 1 && node.num_inputs() > 2)) continue;
    const ir::Tensor constant = node.input(i)->ConstantTensor();
    if (!constant || constant.element_type() != ir::ElementType::kFloat32) return false;
    const StatusOr<std::vector<float>> scales = constant.ValuesAsFloat();
    return scales.ok() && AllOnes(*scales);
  }
  return false;
}

// The sizes are constant and those that the axes named, by default all, have already.
bool SizesAreOwn(const ir::Node& resize) {
  const ir::Type& type = resize.input(0)->type();
  const auto sizes = ConstantInts(resize.input(3));
  if (!sizes || !type.is_tensor() || !type.has_rank()) return false;
  std::vector<int64_t> axes = resize.IntsAttribute("axes");
  const auto rank = static_cast<int64_t>(type.shape->size());
  if (axes.empty()) {
    for (int64_t axis = 0; axis < rank; ++axis) axes.push_back(axis);
  }
  if (axes.size() != sizes->size()) return false;
  for (size_t i = 0; i < axes.size(); ++i) {
    const int64_t axis = axes[i] < 0 ? axes[i] + rank : axes[i];
    if (axis < 0 || axis >= rank) return false;
    const ir::Dim& dim = (*type.shape)[static_cast<size_t>(axis)];
    if (!dim.is_known() || dim.extent() != (*sizes)[i]) return false;
  }
  return true;
}

ir::Value* ScaleOne(const ir::Node& node) {
  ir::Value* input = node.input(0);
  if (input == nullptr || !SamplesOwnPlace(node)) return nullptr;
  if (ScalesAreOne(node)) return input;
  const bool by_sizes =
      node.Is("Resize") && node.input(3) != nullptr &&
      (SizesAreOwn(node) || EqualTensorTypes(node.output()->type(), input->type()));
  return by_sizes ? input : nullptr;
}

ir::Value* BlockOne(const ir::Node& node) {
  return node.IntAttribute("blocksize", 0) == 1 ? node.input(0) : nullptr;
}

}  // namespace

std::vector<RewriteRule> NopResizeRules() {
  return {NoOpRule("drop-resize", {"Resize", "Upsample"}, "has scale 1", ScaleOne),
          NoOpRule("drop-space-to-depth", {"SpaceToDepth", "DepthToSpace"}, "has blocks of 1",
                   BlockOne)};
}

const PassDescriptor& EliminateNopResizePass() {
  static const PassDescriptor kPass = NoOpPass<NopResizeRules>(
      "eliminate-nop-resize", "Remove Resize by 1 and its like", kDescription);
  return kPass;
}

}  // namespace lathe::passes
