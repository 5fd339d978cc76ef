#include "lathe/passes/lowering/split_directions.h"

#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "lathe/passes/core/plain_attributes.h"
#include "lathe/passes/core/tensor_edit.h"

namespace lathe::passes {
namespace {

// Operands of the float operators.
constexpr size_t kSequence = 0;
constexpr size_t kLengths = 4;

// [d:d+1] along axis 0, without a copy.
StatusOr<ir::Tensor> Part(const ir::Tensor& tensor, int64_t direction, int64_t directions) {
  LATHE_ASSIGN_OR_RETURN(const ir::TensorBytes bytes, tensor.Read());
  std::vector<int64_t> dims(tensor.dims().begin(), tensor.dims().end());
  dims[0] = 1;
  const size_t size = bytes.size() / static_cast<size_t>(directions);
  return ir::Tensor::FromBytes(
      tensor.element_type(), std::move(dims),
      {bytes.bytes().subspan(static_cast<size_t>(direction) * size, size), bytes.owner()},
      tensor.notes());
}

class Splitter {
 public:
  Splitter(ir::Rewriter& rewriter, const QuantLayer& layer)
      : rewriter_(rewriter), layer_(layer), node_(*layer.node), graph_(*layer.node->graph()) {}

  StatusOr<std::vector<QuantLayer>> Run() {
    const ir::Rewriter::OriginScope origin(rewriter_, node_);
    const bool both = layer_.directions == 2;
    std::vector<QuantLayer> layers;
    // [output][direction].
    std::vector<std::vector<ir::Value*>> results(node_.num_outputs());
    for (int64_t d = 0; d < layer_.directions; ++d) {
      const bool reversed = !both || d == 1;
      prefix_ = layer_.name + (reversed ? ".reverse" : ".forward");
      LATHE_ASSIGN_OR_RETURN(QuantLayer part, MakeLayer(d, reversed));
      for (size_t i = 0; i < results.size(); ++i) {
        ir::Value* result = part.node->output(i);
        if (i == 0 && reversed && node_.output(0)->has_uses()) result = TurnResult(*result);
        results[i].push_back(result);
      }
      layers.push_back(std::move(part));
    }
    Replace(results);
    return layers;
  }

 private:
  ir::Value* Constant(const std::string& suffix, const std::vector<int64_t>& values) {
    const auto count = static_cast<int64_t>(values.size());
    return &rewriter_.CreateInitializer(graph_, prefix_ + suffix, ir::Tensor::Of({count}, values));
  }

  ir::Value* Insert(std::string op, const std::string& suffix, std::vector<ir::Value*> inputs,
                    std::vector<std::pair<std::string, ir::PlainAttribute>> attributes = {}) {
    ir::NodeSpec spec;
    spec.op = std::move(op);
    spec.name = prefix_ + suffix;
    spec.inputs = std::move(inputs);
    spec.attributes = std::move(attributes);
    return rewriter_.CreateNode(graph_, &node_, std::move(spec)).output();
  }

  ir::Value* Typed(ir::Value* value, const ir::Value& as) {
    rewriter_.SetType(*value, as.type_ref());
    return value;
  }

  // What stands for direction d in an operand with one row a direction.
  StatusOr<ir::Value*> Row(size_t operand, int64_t d) {
    ir::Value* value = node_.input(operand);
    if (value == nullptr || layer_.directions == 1) return value;
    if (const ir::Tensor tensor = value->ConstantTensor()) {
      LATHE_ASSIGN_OR_RETURN(ir::Tensor part, Part(tensor, d, layer_.directions));
      const std::string suffix = d == 0 ? ".forward" : ".reverse";
      return &rewriter_.CreateInitializer(graph_, std::string(value->name_text()) + suffix,
                                          std::move(part));
    }
    const std::string suffix = fmt::format(".state{}", operand);
    return Insert("Slice", suffix,
                  {value, Constant(suffix + ".first", {d}), Constant(suffix + ".end", {d + 1}),
                   Constant(suffix + ".axis", {0})});
  }

  StatusOr<QuantLayer> MakeLayer(int64_t d, bool reversed) {
    ir::NodeSpec spec;
    spec.op = node_.op_text();
    spec.name = prefix_;
    for (size_t i = 0; i < node_.num_inputs(); ++i) {
      ir::Value* value = node_.input(i);
      if (i == kSequence && reversed) {
        value = Turn(*value, ".steps");
      } else if (i != kSequence && i != kLengths) {
        LATHE_ASSIGN_OR_RETURN(value, Row(i, d));
      }
      spec.inputs.push_back(value);
    }
    spec.outputs.assign(node_.num_outputs(), "");
    ir::Node& node = rewriter_.CreateNode(graph_, &node_, std::move(spec));
    CopyPlainAttributes(rewriter_, node_, node);
    rewriter_.RemoveAttribute(node, "direction");
    rewriter_.RemoveAttribute(node, "activations");
    QuantLayer part = layer_;
    part.node = &node;
    part.name = prefix_;
    part.directions = 1;
    part.channels = layer_.channels / layer_.directions;
    const auto same = [&](ir::Use* use) {
      return use == nullptr ? nullptr : &node.inputs()[use->index()];
    };
    part.activation = same(layer_.activation);
    part.weight = same(layer_.weight);
    part.bias = same(layer_.bias);
    part.hidden = same(layer_.hidden);
    part.recurrence = same(layer_.recurrence);
    return part;
  }

  // [steps, batch, ...] with the steps of each sample turned around.
  ir::Value* Turn(ir::Value& value, const std::string& suffix) {
    ir::Value* lengths = node_.input(kLengths);
    if (lengths == nullptr) {
      ir::Value* back = Constant(suffix + ".back", {-1});
      return Typed(
          Insert("Slice", suffix + ".turned",
                 {&value, back, Constant(suffix + ".end", {std::numeric_limits<int64_t>::min()}),
                  Constant(suffix + ".axis", {0}), back}),
          value);
    }
    // sequence_lens is int32, ReverseSequence takes int64.
    if (lengths_ == nullptr) {
      lengths_ = Insert("Cast", ".lengths", {lengths},
                        {{"to", static_cast<int64_t>(ir::ElementType::kInt64)}});
    }
    return Typed(Insert("ReverseSequence", suffix + ".turned", {&value, lengths_},
                        {{"batch_axis", int64_t{1}}, {"time_axis", int64_t{0}}}),
                 value);
  }

  // Y [steps, 1, batch, hidden]; ReverseSequence wants the batch along axis 1.
  ir::Value* TurnResult(ir::Value& y) {
    if (node_.input(kLengths) == nullptr) return Turn(y, ".result");
    const int64_t hidden = layer_.channels / layer_.directions / (node_.Is("LSTM") ? 4 : 3);
    ir::Value* flat =
        Insert("Reshape", ".result.flat", {&y, Constant(".result.flat.shape", {0, -1, hidden})});
    return Insert("Reshape", ".result",
                  {Turn(*flat, ".result"), Constant(".result.shape", {0, 1, -1, hidden})});
  }

  // The results in place of the node's, under its names.
  void Replace(const std::vector<std::vector<ir::Value*>>& results) {
    const ir::Name name = node_.name();
    prefix_ = layer_.name;
    std::vector<ir::Value*> joined;
    std::vector<ir::Name> names;
    for (size_t i = 0; i < results.size(); ++i) {
      ir::Value& old = *node_.output(i);
      if (!old.has_uses()) {
        joined.push_back(nullptr);
        names.emplace_back();
        continue;
      }
      ir::Value* value = results[i].front();
      if (results[i].size() > 1) {
        value = Insert("Concat", fmt::format(".join{}", i), results[i],
                       {{"axis", int64_t{i == 0 ? 1 : 0}}});
      }
      rewriter_.SetType(*value, old.type_ref());
      joined.push_back(value);
      names.push_back(old.name());
    }
    std::vector<ir::Value*> constants;
    for (const ir::Use& use : node_.inputs()) {
      if (use.value() != nullptr && use.value()->ConstantTensor()) constants.push_back(use.value());
    }
    rewriter_.ReplaceNode(node_, joined);
    for (ir::Value* constant : constants) EraseIfUnused(rewriter_, *constant);
    for (size_t i = 0; i < joined.size(); ++i) {
      if (joined[i] != nullptr && joined[i]->name() != names[i]) {
        rewriter_.Rename(*joined[i], names[i]);
      }
    }
    if (joined.front() != nullptr) rewriter_.Rename(*joined.front()->producer(), name);
  }

  ir::Rewriter& rewriter_;
  const QuantLayer& layer_;
  ir::Node& node_;
  ir::Graph& graph_;
  std::string prefix_;
  ir::Value* lengths_ = nullptr;
};

}  // namespace

StatusOr<std::vector<QuantLayer>> SplitDirections(ir::Rewriter& rewriter, const QuantLayer& layer) {
  if (layer.node->StringAttribute("direction", "forward") == "forward") {
    return std::vector<QuantLayer>{layer};
  }
  return Splitter(rewriter, layer).Run();
}

}  // namespace lathe::passes
