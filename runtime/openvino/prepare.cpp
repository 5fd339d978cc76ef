#include "lathe/runtime/openvino/prepare.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "lathe/ir/rewriter.h"
#include "lathe/runtime/openvino/check_operator.h"
#include "lathe/runtime/openvino/quantize_op.h"

namespace lathe::runtime {
namespace {

using ir::ElementType;

Status AddTaps(ir::Model& copy, const eval::CompileOptions& options) {
  absl::flat_hash_map<std::string_view, ir::Value*> values;
  const auto add = [&](ir::Value* value) { values.emplace(value->name_text(), value); };
  std::ranges::for_each(copy.graph().inputs(), add);
  std::ranges::for_each(copy.graph().initializers(), add);
  for (const ir::Node& node : copy.graph().nodes()) std::ranges::for_each(node.outputs(), add);
  ir::Rewriter rewriter(copy);
  for (const eval::Tap& tap : options.taps) {
    const std::string_view name = tap.value->name_text();
    const auto found = values.find(name);
    if (name.empty() || found == values.end()) {
      return InternalError("tapped value '{}' is not in the main graph", name);
    }
    rewriter.AddGraphOutput(copy.graph(), found->second);
  }
  return OkStatus();
}

Status FixInputShapes(ir::Model& copy, const eval::CompileOptions& options) {
  ir::Rewriter rewriter(copy);
  for (const auto& [name, dims] : options.input_shapes) {
    for (ir::Value* input : copy.graph().inputs()) {
      if (input->name_text() != name) continue;
      rewriter.SetType(*input, copy.Intern(ir::Type::Tensor(input->type().element, dims)));
    }
  }
  return OkStatus();
}

// What QuantizeOp computes. The rest is left to OpenVINO.
bool IsExactQuantize(const ir::Node& node) {
  if (!node.Is("QuantizeLinear") || node.inputs().size() != 3 || node.input(2) == nullptr) {
    return false;
  }
  const ElementType type = node.input(2)->type().element;
  return (type == ElementType::kInt8 || type == ElementType::kUint8) &&
         node.input(1)->type().element == ElementType::kFloat32 &&
         node.IntAttribute("block_size", 0) == 0;
}

void UseExactQuantize(ir::Model& copy) {
  ir::Rewriter rewriter(copy);
  for (ir::Graph* graph : copy.AllGraphs()) {
    for (ir::Node& node : graph->nodes()) {
      if (IsExactQuantize(node)) rewriter.SetOperator(node, node.op_text(), kQuantizeDomain);
    }
  }
}

// OpenVINO's frontend looks for the axes of ReduceL1 where opset 18 has them, as an operand, and
// reduces all where they are the attribute of opsets 13 to 17: the sum of magnitudes is taken
// instead.
void WriteOutReduceL1(ir::Model& copy) {
  const int64_t opset = copy.OpsetVersion("");
  if (opset < 13 || opset >= 18) return;
  ir::Rewriter rewriter(copy);
  for (ir::Graph* graph : copy.AllGraphs()) {
    for (ir::Node& node : graph->nodes()) {
      if (!node.Is("ReduceL1")) continue;
      const std::vector<int64_t> axes = node.IntsAttribute("axes");
      rewriter.RemoveAttribute(node, "axes");
      rewriter.SetOperator(node, "ReduceSum", "");
      ir::NodeSpec magnitude;
      magnitude.op = "Abs";
      magnitude.inputs = {node.input(0)};
      rewriter.SetInput(node, 0, rewriter.CreateNode(*graph, &node, std::move(magnitude)).output());
      if (axes.empty()) continue;
      const std::vector<int64_t> dims = {static_cast<int64_t>(axes.size())};
      rewriter.AddInput(
          node, &rewriter.CreateInitializer(*graph, "axes", ir::Tensor::Of<int64_t>(dims, axes)));
    }
  }
}

bool IsWide(ElementType type) {
  return type == ElementType::kInt64 || type == ElementType::kUint64 ||
         type == ElementType::kUint32;
}

// The first element beyond int32, if any.
StatusOr<std::optional<std::string>> Beyond32Bits(const ir::Tensor& tensor) {
  LATHE_ASSIGN_OR_RETURN(const ir::TensorBytes bytes, tensor.Read());
  const size_t width = static_cast<size_t>(ir::ElementBits(tensor.element_type())) / 8;
  const bool is_signed = tensor.element_type() == ElementType::kInt64;
  for (size_t at = 0; at < bytes.size(); at += width) {
    uint64_t value = 0;
    std::memcpy(&value, bytes.data() + at, width);
    const auto as_signed = static_cast<int64_t>(value);
    if (is_signed ? as_signed < INT32_MIN || as_signed > INT32_MAX : value > INT32_MAX) {
      return is_signed ? std::to_string(as_signed) : std::to_string(value);
    }
  }
  return std::nullopt;
}

// Whether clamping a far-away constant to int32 leaves the operator's result as it is: there the
// constant means "to the end", "for ever" or "no bound", or is only compared.
bool ToleratesClamping(const ir::Node& user) {
  constexpr std::array<std::string_view, 15> kTolerant = {
      "Clip",        "Constant", "Equal", "Greater", "GreaterOrEqual", "Identity", "If",   "Less",
      "LessOrEqual", "Loop",     "Max",   "Min",     "Scan",           "Slice",    "Where"};
  return user.is_return() || std::ranges::any_of(kTolerant, [&](auto op) { return user.Is(op); });
}

Status InNode(Status status, const ir::Node& node) {
  return WithContext(std::move(status), ErrorContext::kNode, node.display_name());
}

Status CheckConstant(const ir::Tensor& tensor, const ir::Value& value) {
  if (!IsWide(tensor.element_type())) return OkStatus();
  LATHE_ASSIGN_OR_RETURN(const std::optional<std::string> beyond, Beyond32Bits(tensor));
  if (!beyond) return OkStatus();
  for (const ir::Use& use : value.uses()) {
    if (ToleratesClamping(*use.user())) continue;
    return InNode(
        Unsupported("operator {} takes the constant {} of type {}, OpenVINO computes it "
                    "in 32 bits",
                    use.user()->op_text(), *beyond, ir::ElementTypeName(tensor.element_type())),
        *use.user());
  }
  return OkStatus();
}

}  // namespace

StatusOr<std::unique_ptr<ir::Model>> PrepareForOpenVino(const ir::Model& model,
                                                        const eval::CompileOptions& options) {
  LATHE_RETURN_IF_ERROR(CheckCarried(model));
  std::unique_ptr<ir::Model> copy = model.Clone();
  if (!options.outputs) {
    ir::Rewriter(*copy).TruncateInputs(*copy->graph().return_node(), 0);
  }
  LATHE_RETURN_IF_ERROR(AddTaps(*copy, options));
  LATHE_RETURN_IF_ERROR(FixInputShapes(*copy, options));
  UseExactQuantize(*copy);
  WriteOutReduceL1(*copy);
  return copy;
}

Status CheckCarried(const ir::Model& model) {
  for (const ir::Value* input : model.graph().inputs()) {
    if (input->type().element == ElementType::kString) {
      return Unsupported("input '{}' is made of strings, OpenVINO has none", input->name_text());
    }
  }
  for (const ir::Graph* graph : model.AllGraphs()) {
    for (const ir::Value* value : graph->initializers()) {
      if (value->tensor()) LATHE_RETURN_IF_ERROR(CheckConstant(value->tensor(), *value));
    }
    for (const ir::Node& node : graph->nodes()) {
      LATHE_RETURN_IF_ERROR(CheckComputedAlike(node));
      if (!node.Is("Constant")) continue;
      if (const ir::Tensor tensor = node.output()->ConstantTensor()) {
        LATHE_RETURN_IF_ERROR(CheckConstant(tensor, *node.output()));
      }
    }
  }
  return OkStatus();
}

Status CheckCarried(std::string_view input, const ir::Tensor& tensor) {
  if (!IsWide(tensor.element_type())) return OkStatus();
  LATHE_ASSIGN_OR_RETURN(const std::optional<std::string> beyond, Beyond32Bits(tensor));
  if (!beyond) return OkStatus();
  return Unsupported("input '{}': {} is beyond the 32-bit integers that OpenVINO computes with",
                     input, *beyond);
}

}  // namespace lathe::runtime
