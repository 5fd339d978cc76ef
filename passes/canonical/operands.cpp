#include "lathe/passes/canonical/operands.h"

#include <algorithm>

#include "lathe/passes/core/tensor_edit.h"

namespace lathe::passes {
namespace {

constexpr int64_t kMostInts = 1024;

const ir::Graph& Top(const ir::Graph& graph) {
  const ir::Graph* top = &graph;
  while (top->parent() != nullptr) top = top->parent();
  return *top;
}

}  // namespace

int64_t OpsetOf(const ir::Node& node) {
  const ir::Graph& top = Top(*node.graph());
  if (top.function() == nullptr) return node.model().OpsetVersion("");
  for (const ir::OpsetImport& import : top.function()->opset_imports()) {
    if (import.domain.empty() || import.domain == "ai.onnx") return import.version;
  }
  return 0;
}

bool InFunction(const ir::Graph& graph) { return Top(graph).function() != nullptr; }

bool HasUnknownAttributes(const ir::Node& node) {
  return std::ranges::any_of(node.attributes(), [](const ir::Attribute& attribute) {
    return !attribute.reference.empty();
  });
}

std::optional<std::vector<int64_t>> ConstantInts(const ir::Value* value) {
  if (value == nullptr) return std::nullopt;
  const ir::Tensor tensor = value->ConstantTensor();
  if (!tensor || tensor.num_elements() > kMostInts) return std::nullopt;
  StatusOr<std::vector<int64_t>> values = tensor.ValuesAsInt64();
  if (!values.ok()) return std::nullopt;
  return *std::move(values);
}

bool IsOnlyUse(const ir::Node& node) {
  return std::ranges::all_of(node.outputs(), [&](const ir::Value* output) {
    return output->use_count() == (output == node.output() ? 1u : 0u);
  });
}

void PutInput(ir::Rewriter& rewriter, ir::Node& node, size_t i, ir::Value* value) {
  while (node.num_inputs() < i) rewriter.AddInput(node, nullptr);
  if (node.num_inputs() == i) {
    rewriter.AddInput(node, value);
    return;
  }
  ir::Value* old = node.input(i);
  rewriter.SetInput(node, i, value);
  if (old != nullptr) EraseIfUnused(rewriter, *old);
}

ir::Value& MakeConstant(ir::Rewriter& rewriter, ir::Node& user, std::string_view wanted_name,
                        ir::Tensor tensor) {
  if (!InFunction(*user.graph())) {
    return rewriter.CreateInitializer(*user.graph(), wanted_name, std::move(tensor));
  }
  ir::NodeSpec spec;
  spec.op = "Constant";
  spec.name = wanted_name;
  spec.outputs = {std::string(wanted_name)};
  const ir::Type* type = rewriter.model().Intern(ir::Type::Tensor(
      tensor.element_type(), std::vector<int64_t>(tensor.dims().begin(), tensor.dims().end())));
  spec.attributes = {{"value", std::move(tensor)}};
  const ir::Rewriter::OriginScope scope(rewriter, user);
  ir::Value& value = *rewriter.CreateNode(*user.graph(), &user, std::move(spec)).output();
  rewriter.SetType(value, type);
  return value;
}

ir::Value& MakeConstant(ir::Rewriter& rewriter, ir::Node& user, std::string_view wanted_name,
                        std::span<const int64_t> values) {
  return MakeConstant(rewriter, user, wanted_name,
                      ir::Tensor::Of<int64_t>({static_cast<int64_t>(values.size())}, values));
}

void BecomeIdentity(ir::Rewriter& rewriter, ir::Node& node, ir::Value& value) {
  rewriter.SetInput(node, 0, &value);
  DropInputs(rewriter, node, 1);
  while (!node.attributes().empty()) {
    rewriter.RemoveAttribute(node, rewriter.model().Text(node.attributes().back().name));
  }
  rewriter.SetOperator(node, "Identity", node.domain_text());
}

void DropInputs(ir::Rewriter& rewriter, ir::Node& node, size_t count) {
  std::vector<ir::Value*> dropped;
  for (size_t i = count; i < node.num_inputs(); ++i) {
    if (node.input(i) != nullptr) dropped.push_back(node.input(i));
  }
  rewriter.TruncateInputs(node, count);
  for (ir::Value* value : dropped) EraseIfUnused(rewriter, *value);
}

}  // namespace lathe::passes
