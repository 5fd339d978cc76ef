#include "lathe/ir/node.h"

#include <fmt/format.h>

#include "lathe/ir/model.h"

namespace lathe::ir {

std::string_view Node::op_text() const { return model().Text(op_); }
std::string_view Node::domain_text() const { return model().Text(domain_); }
std::string_view Node::name_text() const { return model().Text(name_); }
Model& Node::model() const { return graph_->model(); }

std::string Node::display_name() const {
  if (!name_.empty()) return std::string(name_text());
  if (const std::vector<Name> names = model().OriginNames(origin_); !names.empty()) {
    return std::string(model().Text(names.front()));
  }
  return fmt::format("node_{}", id_);
}

bool Node::Is(std::string_view op) const {
  return (domain_.empty() || domain_text() == "ai.onnx") && op_text() == op;
}

bool Node::IsBefore(const Node& other) const {
  if (is_return_ || other.is_return_) return !is_return_;
  return order_ < other.order_;
}

const Attribute* Node::FindAttribute(std::string_view name) const {
  for (const Attribute& attribute : attributes_) {
    if (model().Text(attribute.name) == name) return &attribute;
  }
  return nullptr;
}

int64_t Node::IntAttribute(std::string_view name, int64_t absent) const {
  const Attribute* attribute = FindAttribute(name);
  const int64_t* value = attribute == nullptr ? nullptr : attribute->get_if<int64_t>();
  return value == nullptr ? absent : *value;
}

float Node::FloatAttribute(std::string_view name, float absent) const {
  const Attribute* attribute = FindAttribute(name);
  const float* value = attribute == nullptr ? nullptr : attribute->get_if<float>();
  return value == nullptr ? absent : *value;
}

std::string Node::StringAttribute(std::string_view name, std::string_view absent) const {
  const Attribute* attribute = FindAttribute(name);
  const auto* value = attribute == nullptr ? nullptr : attribute->get_if<std::string>();
  return value == nullptr ? std::string(absent) : *value;
}

std::vector<int64_t> Node::IntsAttribute(std::string_view name) const {
  const Attribute* attribute = FindAttribute(name);
  const auto* value = attribute == nullptr ? nullptr : attribute->get_if<std::vector<int64_t>>();
  return value == nullptr ? std::vector<int64_t>() : *value;
}

const Tensor* Node::TensorAttribute(std::string_view name) const {
  const Attribute* attribute = FindAttribute(name);
  return attribute == nullptr ? nullptr : attribute->get_if<Tensor>();
}

std::vector<Graph*> Node::bodies() const {
  std::vector<Graph*> result;
  if (!has_bodies_) return result;
  for (const Attribute& attribute : attributes_) {
    if (const auto* body = attribute.get_if<GraphPtr>()) result.push_back(body->get());
    if (const auto* several = attribute.get_if<std::vector<GraphPtr>>()) {
      for (const GraphPtr& body : *several) result.push_back(body.get());
    }
  }
  return result;
}

}  // namespace lathe::ir
