#include "lathe/runtime/openvino/fold_scales.h"

#include <memory>

#include <openvino/core/graph_util.hpp>
#include <openvino/core/rt_info.hpp>
#include <openvino/op/constant.hpp>
#include <openvino/op/matmul.hpp>
#include <openvino/op/multiply.hpp>

namespace lathe::runtime {
namespace {

using ov::op::v0::Constant;
using ov::op::v0::MatMul;
using ov::op::v1::Multiply;

std::shared_ptr<Constant> ConstantAt(const ov::Node& node, size_t input) {
  return ov::as_type_ptr<Constant>(node.get_input_node_shared_ptr(input));
}

// The scale in the shape in which it multiplies the matrix; null where it is neither one value nor
// one a column, or adds dimensions to the result.
std::shared_ptr<Constant> ScaleOf(const Constant& scale, const MatMul& product,
                                  const Constant& matrix) {
  // Matrices of narrower types are widened first.
  if (matrix.get_element_type() != ov::element::f32) return nullptr;
  const ov::Rank rank = product.get_output_partial_shape(0).rank();
  const ov::Shape& shape = scale.get_shape();
  if (rank.is_dynamic() || static_cast<int64_t>(shape.size()) > rank.get_length()) return nullptr;
  const bool transposed = product.get_transpose_b();
  const size_t columns = matrix.get_shape()[transposed ? 0 : 1];
  const size_t count = ov::shape_size(shape);
  if (count != 1 && (count != columns || shape.back() != columns)) return nullptr;
  const ov::Shape wanted = transposed ? ov::Shape{count, 1} : ov::Shape{1, count};
  return std::make_shared<Constant>(scale, wanted);
}

// The matrix times the scale behind its product; null where there is nothing to fold.
std::shared_ptr<ov::Node> Fold(const Multiply& multiply) {
  for (const size_t side : {size_t{0}, size_t{1}}) {
    const auto product = ov::as_type_ptr<MatMul>(multiply.get_input_node_shared_ptr(side));
    const auto scale = ConstantAt(multiply, 1 - side);
    if (product == nullptr || scale == nullptr) continue;
    if (product->get_output_target_inputs(0).size() != 1) continue;
    const auto matrix = ConstantAt(*product, 1);
    if (matrix == nullptr || matrix->get_shape().size() != 2) continue;
    const auto factor = ScaleOf(*scale, *product, *matrix);
    if (factor == nullptr) continue;
    const auto scaled = std::make_shared<Multiply>(matrix, factor);
    ov::OutputVector folded(1);
    if (!scaled->constant_fold(folded, scaled->input_values())) continue;
    return std::make_shared<MatMul>(product->input_value(0), folded[0], product->get_transpose_a(),
                                    product->get_transpose_b());
  }
  return nullptr;
}

}  // namespace

void FoldScales(const ov::Model& model) {
  // A copy of the list holds no node that is gone: a matrix is freed when its last user is.
  ov::NodeVector multiplies;
  for (std::shared_ptr<ov::Node>& node : model.get_ordered_ops()) {
    if (ov::is_type<Multiply>(node)) multiplies.push_back(std::move(node));
  }
  for (std::shared_ptr<ov::Node>& node : multiplies) {
    const std::shared_ptr<ov::Node> product = Fold(*ov::as_type_ptr<Multiply>(node));
    if (product != nullptr) {
      product->set_friendly_name(node->get_friendly_name());
      ov::copy_runtime_info(node, product);
      ov::replace_node(node, product);
    }
    node.reset();
  }
}

}  // namespace lathe::runtime
