#include "describe_onnx.h"

#include <fstream>
#include <map>
#include <set>

#include <onnx/onnx_pb.h>

namespace lathe::test {
namespace {

using quant::LayerType;

class Describer {
 public:
  explicit Describer(const onnx::GraphProto& graph) : graph_(graph) {
    for (const auto& tensor : graph.initializer()) initializers_[tensor.name()] = &tensor;
    for (const auto& input : graph.input()) {
      if (!initializers_.contains(input.name())) from_input_.insert(input.name());
    }
    for (const auto& node : graph.node()) {
      for (const auto& output : node.output()) producers_[output] = &node;
      for (const auto& input : node.input()) {
        consumers_[input].push_back(&node);
        if (from_input_.contains(input)) {
          from_input_.insert(node.output().begin(), node.output().end());
        }
      }
      if (const auto* weight = Weight(node)) ++weight_uses_[weight];
    }
  }

  quant::NetworkDescription Run() {
    quant::NetworkDescription network;
    for (int i = 0; i < graph_.node_size(); ++i) {
      const auto& node = graph_.node(i);
      const std::string name = node.name().empty() ? fmt::format("node_{}", i) : node.name();
      const std::optional<LayerType> type = Type(node);
      const std::string reason =
          type.has_value() ? WhyNot(node) : "its operator is not among those";
      if (reason.empty()) {
        network.layers.push_back(Describe(node, name, *type));
      } else {
        network.others.push_back(
            {name, type.has_value() ? std::string(ToString(*type)) : node.op_type(), reason});
      }
    }
    return network;
  }

 private:
  const onnx::TensorProto* Constant(std::string name) const {
    while (producers_.contains(name) && producers_.at(name)->op_type() == "Identity") {
      name = producers_.at(name)->input(0);
    }
    const auto found = initializers_.find(name);
    return found == initializers_.end() ? nullptr : found->second;
  }

  const onnx::TensorProto* Weight(const onnx::NodeProto& node) const {
    static const std::set<std::string> kOps = {"Conv",   "ConvTranspose", "Gemm",
                                               "MatMul", "LSTM",          "GRU"};
    return kOps.contains(node.op_type()) && node.input_size() > 1 ? Constant(node.input(1))
                                                                  : nullptr;
  }

  static int64_t Int(const onnx::NodeProto& node, const std::string& name, int64_t value) {
    for (const auto& attribute : node.attribute()) {
      if (attribute.name() == name) value = attribute.i();
    }
    return value;
  }

  static bool HasAny(const onnx::NodeProto& node, const std::set<std::string>& names) {
    for (const auto& attribute : node.attribute()) {
      if (names.contains(attribute.name())) return true;
    }
    return false;
  }

  std::optional<LayerType> Type(const onnx::NodeProto& node) const {
    const std::string& op = node.op_type();
    if (op == "Gemm" || op == "MatMul") return LayerType::kLinear;
    if (op == "LSTM") return LayerType::kLstm;
    if (op == "GRU") return LayerType::kGru;
    if (op == "AveragePool") return LayerType::kAvgPool2d;
    const auto* weight = Weight(node);
    if (weight == nullptr) return std::nullopt;
    if (op == "Conv" && weight->dims_size() == 3) return LayerType::kConv1d;
    if (op == "Conv" && weight->dims_size() == 4) return LayerType::kConv2d;
    if (op == "Conv" && weight->dims_size() == 5) return LayerType::kConv3d;
    if (op == "ConvTranspose" && weight->dims_size() == 3) return LayerType::kConvTranspose1d;
    if (op == "ConvTranspose" && weight->dims_size() == 4) return LayerType::kConvTranspose2d;
    return std::nullopt;
  }

  std::string WhyNot(const onnx::NodeProto& node) const {
    const std::string& op = node.op_type();
    if (op == "AveragePool") return "";
    const auto* weight = Weight(node);
    if (weight == nullptr) return "its weight is not a constant";
    if (weight_uses_.at(weight) > 1) return "its weight is used by another layer";
    if (op == "Gemm" && Int(node, "transA", 0) == 1) return "transA is 1";
    if ((op == "Gemm" || op == "MatMul") && weight->dims_size() != 2)
      return "its weight is not 2-D";
    if (op == "LSTM" || op == "GRU") return WhyNotRecurrent(node);
    return "";
  }

  bool ComesFromInput(const onnx::NodeProto& node, int index) const {
    return node.input_size() > index && from_input_.contains(node.input(index));
  }

  std::string WhyNotRecurrent(const onnx::NodeProto& node) const {
    const bool lstm = node.op_type() == "LSTM";
    if (!ComesFromInput(node, 5) || (lstm && !ComesFromInput(node, 6))) {
      return "its initial state does not come from an input";
    }
    if (lstm && node.input_size() > 7 && !node.input(7).empty()) return "it has peepholes";
    if (node.output_size() < (lstm ? 3 : 2)) return "its last state is not an output";
    if (HasAny(node, {"activation_alpha", "activation_beta", "activations", "clip"})) {
      return "it has its own activations";
    }
    if (Int(node, "layout", 0) != 0 || Int(node, "input_forget", 0) != 0) return "of its layout";
    if (!lstm && Int(node, "linear_before_reset", 0) == 0) return "linear_before_reset is 0";
    return Weight(node)->dims(0) == 1 ? "" : "it is bidirectional";
  }

  bool HasBias(const onnx::NodeProto& node) const {
    if (node.op_type() != "MatMul") return node.input_size() > 2 && !node.input(2).empty();
    const auto& users = consumers_.at(node.output(0));
    return users.size() == 1 && users[0]->op_type() == "Add" && users[0]->input_size() == 2 &&
           Constant(users[0]->input(1)) != nullptr;
  }

  quant::LayerDescription Describe(const onnx::NodeProto& node, const std::string& name,
                                   LayerType type) const {
    quant::LayerDescription layer;
    layer.name = name;
    layer.type = type;
    layer.op = node.op_type();
    layer.group = Int(node, "group", 1);
    layer.has_bias = HasBias(node);
    const std::string& op = node.op_type();
    if (const auto* weight = Weight(node)) {
      const bool second = op == "Conv" || (op == "Gemm" && Int(node, "transB", 0) == 1);
      const int axis = op == "LSTM" || op == "GRU" ? 2 : second ? 1 : 0;
      layer.cin_axis_lengths.push_back(weight->dims(axis));
      if (axis == 2) layer.cin_axis_lengths.push_back(Constant(node.input(2))->dims(axis));
    }
    return layer;
  }

  const onnx::GraphProto& graph_;
  std::map<std::string, const onnx::TensorProto*> initializers_;
  std::map<std::string, const onnx::NodeProto*> producers_;
  std::map<std::string, std::vector<const onnx::NodeProto*>> consumers_;
  std::set<std::string> from_input_;
  std::map<const onnx::TensorProto*, int> weight_uses_;
};

}  // namespace

StatusOr<quant::NetworkDescription> DescribeOnnx(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  onnx::ModelProto model;
  if (!model.ParseFromIstream(&file)) return InvalidInput("{} is not an ONNX model", path);
  return Describer(model.graph()).Run();
}

}  // namespace lathe::test
