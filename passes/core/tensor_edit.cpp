#include "lathe/passes/core/tensor_edit.h"

#include <algorithm>
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
  std::vector<ir::Value*> unused = {&value};
  while (!unused.empty()) {
    ir::Value& last = *unused.back();
    unused.pop_back();
    // An operand may be listed twice, and be gone since.
    if (rewriter.model().FindValue(last.id()) == nullptr || last.has_uses()) continue;
    if (last.kind() == ir::Value::Kind::kInitializer) {
      rewriter.EraseInitializer(last);
    } else if (last.kind() == ir::Value::Kind::kCapture) {
      unused.push_back(last.captured()->value());
      rewriter.EraseUnusedCaptures(*last.graph()->owner());
    } else if (ir::Node* producer = last.producer()) {
      if (std::ranges::any_of(producer->outputs(), &ir::Value::has_uses)) continue;
      for (const ir::Use& operand : producer->operands()) {
        if (operand.value() != nullptr) unused.push_back(operand.value());
      }
      rewriter.Erase(*producer);
    }
  }
}

}  // namespace lathe::passes
