#include "lathe/ir/value.h"

#include "lathe/ir/model.h"

namespace lathe::ir {

std::string_view Value::name_text() const { return graph()->model().Text(name()); }

Graph* Value::graph() const { return kind_ == Kind::kNodeOutput ? producer_->graph() : graph_; }

Use* Value::captured() const {
  if (kind_ != Kind::kCapture) return nullptr;
  return &graph_->owner()->captures()[index_];
}

const Value* Value::Resolve() const {
  const Value* value = this;
  while (value->kind() == Kind::kCapture) value = value->captured()->value();
  return value;
}

Tensor Value::ConstantTensor() const {
  const Value* value = Resolve();
  while (const Node* node = value->producer()) {
    if (!node->Is("Identity") || node->num_inputs() != 1 || node->input(0) == nullptr) break;
    value = node->input(0)->Resolve();
  }
  if (value->kind() == Kind::kInitializer) return value->tensor();
  const Node* node = value->producer();
  if (node == nullptr || !node->Is("Constant") || node->attributes().size() != 1) return {};
  const Attribute& attribute = node->attributes()[0];
  const std::string_view name = node->model().Text(attribute.name);
  if (name == "value") {
    const Tensor* tensor = attribute.get_if<Tensor>();
    return tensor != nullptr ? *tensor : Tensor();
  }
  if (const auto* number = attribute.get_if<float>(); number != nullptr && name == "value_float") {
    return Tensor::Scalar(*number);
  }
  if (const auto* number = attribute.get_if<int64_t>(); number != nullptr && name == "value_int") {
    return Tensor::Scalar(*number);
  }
  if (const auto* numbers = attribute.get_if<std::vector<float>>();
      numbers != nullptr && name == "value_floats") {
    return Tensor::Of({static_cast<int64_t>(numbers->size())}, *numbers);
  }
  if (const auto* numbers = attribute.get_if<std::vector<int64_t>>();
      numbers != nullptr && name == "value_ints") {
    return Tensor::Of({static_cast<int64_t>(numbers->size())}, *numbers);
  }
  return {};
}

}  // namespace lathe::ir
