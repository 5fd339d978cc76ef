#include "lathe/passes/core/tensor_edit.h"

#include <vector>

#include "lathe/support/half.h"

namespace lathe::passes {

ir::Tensor FloatTensor(ir::ElementType type, std::span<const int64_t> dims,
                       std::span<const float> values) {
  std::vector<int64_t> shape(dims.begin(), dims.end());
  if (type != ir::ElementType::kFloat16) return ir::Tensor::Of<float>(std::move(shape), values);
  std::vector<std::byte> bytes(values.size() * 2);
  for (size_t i = 0; i < values.size(); ++i) {
    const uint16_t half = FloatToHalf(values[i]);
    bytes[2 * i] = static_cast<std::byte>(half & 0xff);
    bytes[2 * i + 1] = static_cast<std::byte>(half >> 8);
  }
  // The size fits by construction.
  return *ir::Tensor::FromVector(type, std::move(shape), std::move(bytes));
}

void SetConstantInput(ir::Rewriter& rewriter, ir::Node& node, size_t i, ir::Tensor tensor) {
  ir::Value& old = *node.input(i);
  if (old.kind() == ir::Value::Kind::kInitializer && old.has_one_use() &&
      old.graph() == node.graph()) {
    rewriter.SetTensor(old, std::move(tensor));
    return;
  }
  ir::Value& value = rewriter.CreateInitializer(*node.graph(), old.name_text(), std::move(tensor));
  rewriter.SetInput(node, i, &value);
  EraseIfUnused(rewriter, old);
}

void EraseIfUnused(ir::Rewriter& rewriter, ir::Value& value) {
  if (value.has_uses()) return;
  if (value.kind() == ir::Value::Kind::kInitializer) {
    rewriter.EraseInitializer(value);
    return;
  }
  if (value.kind() == ir::Value::Kind::kCapture) {
    ir::Value& outer = *value.captured()->value();
    rewriter.EraseUnusedCaptures(*value.graph()->owner());
    EraseIfUnused(rewriter, outer);
    return;
  }
  ir::Node* producer = value.producer();
  if (producer == nullptr || !(producer->Is("Constant") || producer->Is("Identity"))) return;
  ir::Value* input = producer->input(0);
  rewriter.Erase(*producer);
  if (input != nullptr) EraseIfUnused(rewriter, *input);
}

}  // namespace lathe::passes
