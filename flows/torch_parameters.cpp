#include "lathe/flows/torch_parameters.h"

#include <algorithm>
#include <array>
#include <utility>

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include "lathe/passes/canonical/visit_nodes.h"

namespace lathe::flows {
namespace {

// Marked modules are wrapped when they are exported; the checkpoint does not know it.
std::string WithoutWrapper(std::string_view name) {
  constexpr std::string_view kWrapper = ".sub_module";
  std::string result(name);
  for (size_t at = result.find(kWrapper); at != std::string::npos; at = result.find(kWrapper, at)) {
    const size_t end = at + kWrapper.size();
    if (end == result.size() || result[end] == '.') {
      result.erase(at, kWrapper.size());
    } else {
      at = end;
    }
  }
  return result;
}

ir::Tensor FloatConstant(const ir::Value* value) {
  if (value == nullptr) return {};
  ir::Tensor tensor = value->ConstantTensor();
  return tensor && ir::IsFloatingPoint(tensor.element_type()) ? tensor : ir::Tensor();
}

// The Add behind a MatMul whose other operand is a vector of the MatMul's last extent.
struct MatMulBias {
  ir::Node* add = nullptr;
  size_t input = 0;
};

MatMulBias BiasOf(const ir::Node& matmul, int64_t width) {
  if (!matmul.output()->has_one_use()) return {};
  ir::Node* add = matmul.output()->first_use()->user();
  if (add->is_return() || !add->Is("Add")) return {};
  const size_t input = 1 - matmul.output()->first_use()->index();
  const ir::Tensor bias = FloatConstant(add->input(input));
  if (!bias || bias.rank() != 1 || bias.dims()[0] != width) return {};
  return {add, input};
}

class Finder {
 public:
  Finder(const std::vector<passes::RetrainLayer>& layers, std::span<const std::string> sparse)
      : sparse_(sparse.begin(), sparse.end()) {
    for (const passes::RetrainLayer& layer : layers) {
      trained_.insert(layer.layer.node);
      trained_names_.insert(layer.layer.name);
      if (layer.batch_norm != nullptr) norms_[layer.batch_norm] = layer.layer.name;
    }
  }

  void Visit(ir::Node& node) {
    const std::string path = PathOf(node);
    if (node.Is("LSTM")) {
      AddRecurrent(node, path, ParameterLayout::kLstmGates);
    } else if (node.Is("GRU")) {
      AddRecurrent(node, path, ParameterLayout::kGruGates);
    } else if (node.Is("Conv") || node.Is("ConvTranspose") || node.Is("InstanceNormalization") ||
               node.Is("LayerNormalization") || node.Is("GroupNormalization")) {
      Add(node, 1, path + ".weight");
      Add(node, 2, path + ".bias");
    } else if (node.Is("Gemm")) {
      Add(node, 1, path + ".weight",
          node.IntAttribute("transB", 0) != 0 ? ParameterLayout::kSame
                                              : ParameterLayout::kTransposed);
      Add(node, 2, path + ".bias");
    } else if (node.Is("MatMul")) {
      AddMatMul(node, path);
    } else if (node.Is("BatchNormalization")) {
      constexpr std::array<std::string_view, 4> kNames = {".weight", ".bias", ".running_mean",
                                                          ".running_var"};
      for (size_t i = 0; i < kNames.size(); ++i) Add(node, i + 1, path + std::string(kNames[i]));
    } else if (node.Is("PRelu")) {
      Add(node, 1, path + ".weight", ParameterLayout::kFlat);
    }
  }

  // What no node above claims goes by the names of its initializers.
  void AddByName(const ir::Graph& graph) {
    for (ir::Value* value : graph.initializers()) {
      if (FloatConstant(value)) AddUses(*value);
    }
  }

  std::vector<TorchParameter> Take() && { return std::move(found_); }

 private:
  // Through Identity, with which exporters hand on a value that they store once.
  void AddUses(const ir::Value& value) {
    std::vector<const ir::Value*> values = {&value};
    while (!values.empty()) {
      const ir::Value* next = values.back();
      values.pop_back();
      for (const ir::Use& use : next->uses()) {
        if (use.user()->is_return() || use.index() >= use.user()->num_inputs()) continue;
        if (use.user()->Is("Identity")) {
          values.push_back(use.user()->output());
        } else if (!claimed_.contains(&use)) {
          AddOperand(*use.user(), use.index()).optional = true;
        }
      }
    }
  }

  std::string PathOf(const ir::Node& node) const {
    if (trained_.contains(&node)) {
      return node.display_name() + ".quant_module.replaced_module";
    }
    if (const auto norm = norms_.find(&node); norm != norms_.end()) {
      return norm->second + ".bn_module";
    }
    if (sparse_.contains(node.display_name())) return node.display_name() + ".replaced_module";
    return ModulePath(node.display_name());
  }

  std::string KeyOfInitializer(std::string_view name) const {
    std::string key = WithoutWrapper(name);
    const size_t dot = key.rfind('.');
    if (dot == std::string::npos) return key;
    const std::string module = key.substr(0, dot);
    if (trained_names_.contains(module)) {
      return module + ".quant_module.replaced_module" + key.substr(dot);
    }
    return sparse_.contains(module) ? module + ".replaced_module" + key.substr(dot) : key;
  }

  static void AddKey(TorchParameter& parameter, std::string name, ParameterLayout layout) {
    const auto same = [&](const ParameterKey& key) { return key.name == name; };
    if (std::ranges::any_of(parameter.keys, same)) return;
    const ir::Tensor tensor = parameter.node->input(parameter.input)->ConstantTensor();
    ParameterKey key{std::move(name), "", layout, {tensor.dims().begin(), tensor.dims().end()}};
    if (layout == ParameterLayout::kTransposed) {
      std::swap(key.dims.front(), key.dims.back());
    } else if (layout == ParameterLayout::kFlat) {
      key.dims = {tensor.num_elements()};
    } else if (!GateBlocks(layout).empty()) {
      key.dims.erase(key.dims.begin());
    }
    parameter.keys.push_back(std::move(key));
  }

  // By the names of its initializer: as PyTorch calls it, and as it is called in the file.
  TorchParameter& AddOperand(ir::Node& node, size_t input) {
    TorchParameter& parameter = found_.emplace_back();
    parameter.node = &node;
    parameter.input = input;
    const std::string_view name = node.input(input)->name_text();
    AddKey(parameter, KeyOfInitializer(name), ParameterLayout::kSame);
    AddKey(parameter, std::string(name), ParameterLayout::kSame);
    claimed_.insert(&node.inputs()[input]);
    return parameter;
  }

  // By the module path first.
  void Add(ir::Node& node, size_t input, std::string key,
           ParameterLayout layout = ParameterLayout::kSame) {
    if (input >= node.num_inputs() || !FloatConstant(node.input(input))) return;
    TorchParameter& parameter = AddOperand(node, input);
    std::vector<ParameterKey> by_name = std::exchange(parameter.keys, {});
    AddKey(parameter, std::move(key), layout);
    for (ParameterKey& other : by_name) AddKey(parameter, std::move(other.name), other.layout);
  }

  // Modules of one layer and one direction; the keys of others are not known.
  void AddRecurrent(ir::Node& node, const std::string& path, ParameterLayout layout) {
    const ir::Tensor weight = FloatConstant(node.input(1));
    if (!weight || weight.rank() != 3 || weight.dims()[0] != 1) return;
    const bool trained = trained_.contains(&node);
    constexpr std::array<std::string_view, 3> kNames = {".weight_ih_l0", ".weight_hh_l0",
                                                        ".bias_ih_l0"};
    for (size_t i = 0; i < kNames.size(); ++i) {
      const ir::Tensor tensor = FloatConstant(node.input(i + 1));
      if (!tensor) continue;
      Add(node, i + 1, path + std::string(kNames[i]), layout);
      TorchParameter& parameter = found_.back();
      // An exporter's own name does not say that it is this module's.
      parameter.optional = !trained;
      if (i < 2) continue;
      parameter.keys.front().second_name = path + ".bias_hh_l0";
      parameter.keys.front().dims = {tensor.num_elements() / 2};
    }
  }

  void AddMatMul(ir::Node& node, const std::string& path) {
    const ir::Tensor weight = FloatConstant(node.input(1));
    if (!weight || weight.rank() != 2) return;
    Add(node, 1, path + ".weight", ParameterLayout::kTransposed);
    // A product with a constant need not be a Linear module.
    const bool is_layer = trained_.contains(&node) || sparse_.contains(node.display_name());
    if (!is_layer) found_.back().optional = true;
    const MatMulBias bias = BiasOf(node, weight.dims()[1]);
    if (bias.add == nullptr) return;
    Add(*bias.add, bias.input, path + ".bias");
    found_.back().optional = true;
  }

  absl::flat_hash_set<const ir::Node*> trained_;
  absl::flat_hash_set<std::string> trained_names_;
  absl::flat_hash_set<std::string> sparse_;
  absl::flat_hash_map<const ir::Node*, std::string> norms_;
  absl::flat_hash_set<const ir::Use*> claimed_;
  std::vector<TorchParameter> found_;
};

}  // namespace

std::string ModulePath(std::string_view node_name) {
  if (!node_name.starts_with('/')) return std::string(node_name);
  std::vector<std::string> path;
  std::string_view rest = node_name.substr(1);
  // The last part is the operator.
  for (size_t slash = rest.find('/'); slash != std::string_view::npos; slash = rest.find('/')) {
    const std::string_view scope = rest.substr(0, slash);
    rest.remove_prefix(slash + 1);
    if (scope == "sub_module") continue;
    if (!path.empty() && scope.starts_with(path.back() + ".")) path.pop_back();
    path.emplace_back(scope);
  }
  return fmt::format("{}", fmt::join(path, "."));
}

std::span<const size_t> GateBlocks(ParameterLayout layout) {
  static constexpr std::array<size_t, 4> kLstm = {0, 3, 1, 2};
  static constexpr std::array<size_t, 3> kGru = {1, 0, 2};
  if (layout == ParameterLayout::kLstmGates) return kLstm;
  if (layout == ParameterLayout::kGruGates) return kGru;
  return {};
}

std::vector<float> InGateOrder(std::span<const float> values, std::span<const size_t> blocks) {
  const size_t size = values.size() / blocks.size();
  std::vector<float> ordered;
  ordered.reserve(values.size());
  for (const size_t block : blocks) {
    const auto gate = values.subspan(block * size, size);
    ordered.insert(ordered.end(), gate.begin(), gate.end());
  }
  return ordered;
}

std::vector<TorchParameter> FindTorchParameters(const ir::Model& model,
                                                const std::vector<passes::RetrainLayer>& layers,
                                                std::span<const std::string> sparse) {
  Finder finder(layers, sparse);
  passes::VisitNodes(model.graph(), [&](ir::Node& node) { finder.Visit(node); });
  finder.AddByName(model.graph());
  return std::move(finder).Take();
}

}  // namespace lathe::flows
