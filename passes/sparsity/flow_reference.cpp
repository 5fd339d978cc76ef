// The operators that the reference follows channels through (its 4.6, 8.2 and 8.3), and those that
// need nothing more than it.
#include <algorithm>

#include <absl/container/flat_hash_set.h>
#include <fmt/format.h>

#include "lathe/passes/canonical/operands.h"
#include "lathe/passes/canonical/read_pad.h"
#include "lathe/passes/sparsity/flow_walk.h"

namespace lathe::passes {
namespace {

// What the reference takes out of the graph before it looks: element by element, or over the axes
// behind the channels.
bool IsPassThrough(const ir::Node& node) {
  static const absl::flat_hash_set<std::string_view> kOperators = {
      "MaxPool",    "AveragePool", "GlobalAveragePool",
      "Pad",        "Relu",        "LeakyRelu",
      "LogSoftmax", "Softmax",     "Abs",
      "Acos",       "Acosh",       "Asin",
      "Asinh",      "Atan",        "Atanh",
      "Bernoulli",  "Ceil",        "Celu",
      "Clip",       "Cast",        "CastLike",
      "Cos",        "Cosh",        "Dropout",
      "Identity",   "Round",       "Pow"};
  return node.domain_text().empty() && kOperators.contains(node.op_text());
}

bool Pools(const ir::Node& node) {
  return node.Is("MaxPool") || node.Is("AveragePool") || node.Is("GlobalAveragePool");
}

bool OnlyFirstOutputIsUsed(const ir::Node& node) {
  for (const ir::Value* output : node.outputs().subspan(1)) {
    if (output->has_uses()) return false;
  }
  return true;
}

// No operand but the first has a value a channel.
bool OthersAreScalars(const ir::Node& node) {
  for (const ir::Use& use : node.inputs().subspan(1)) {
    if (use.value() == nullptr) continue;
    const ir::Tensor tensor = use.value()->ConstantTensor();
    if (tensor ? tensor.num_elements() != 1 : use.value()->type().rank() > 0) return false;
  }
  return true;
}

// Why channels do not pass a node that the reference passes; empty when they do.
std::string WhyNotPassed(FlowWalk& walk, const ir::Node& node, const ChannelLayout& layout) {
  if (!OnlyFirstOutputIsUsed(node)) return "whose second output is used";
  for (const ir::Use& use : node.inputs().subspan(1)) {
    if (walk.Find(use.value()) != nullptr) return "whose other input has channels, too";
  }
  if (Pools(node) && layout.front() > 1) return "which has its channels on another axis";
  if (node.Is("Pow") && !OthersAreScalars(node)) return "whose exponents differ";
  if (node.Is("Pad")) {
    const std::optional<PadAmounts> amounts = ReadPad(node);
    // Computed amounts, or of a value of unknown rank.
    if (!amounts.has_value() || amounts->begin.size() < static_cast<size_t>(layout.back)) {
      return "whose amounts are not constant";
    }
    const size_t axis = amounts->begin.size() - static_cast<size_t>(layout.back);
    if (amounts->begin[axis] != 0 || amounts->end[axis] != 0) return "which pads channels";
  }
  return "";
}

// Resize with constant scales that leave channels alone.
bool KeepsChannels(const ir::Node& resize, const ChannelLayout& layout) {
  if (resize.input(2) == nullptr || layout.rank != 4 || layout.front() != 1) return false;
  const ir::Tensor scales = resize.input(2)->ConstantTensor();
  if (!scales || scales.num_elements() != 4) return false;
  const auto values = scales.ValuesAsFloat();
  return values.ok() && (*values)[1] == 1.0f;
}

// Reshape by a shape that begins with the batch extent: x.view(x.size(0), -1). The reference knows
// it with the size of the pool's input only.
bool FlattensAfterPool(const ir::Node& pool, const ir::Node& reshape, bool full) {
  const auto producer = [](const ir::Node* node, std::string_view op) -> const ir::Node* {
    if (node == nullptr || node->input(0) == nullptr) return nullptr;
    const ir::Node* before = node->input(0)->producer();
    return before != nullptr && before->Is(op) ? before : nullptr;
  };
  if (reshape.input(1) == nullptr) return false;
  const ir::Node* concat = reshape.input(1)->producer();
  if (concat == nullptr || !concat->Is("Concat") || concat->num_inputs() != 2) return false;
  const auto last = ConstantInts(concat->input(1));
  const ir::Node* gather = producer(producer(concat, "Unsqueeze"), "Gather");
  const ir::Node* shape = producer(gather, "Shape");
  if (!last.has_value() || last->size() != 1 || last->front() != -1 || shape == nullptr) {
    return false;
  }
  const auto index = ConstantInts(gather->input(1));
  return index.has_value() && *index == std::vector<int64_t>{0} &&
         (shape->input(0) == pool.input(0) || (full && shape->input(0) == pool.output()));
}

// GlobalAveragePool whose only user brings its result into the form of Gemm's input.
bool IsPooledFlatten(const ir::Node& node, bool full) {
  if (!node.Is("Flatten") && !node.Is("Reshape")) return false;
  if (node.input(0) == nullptr) return false;
  const ir::Node* pool = node.input(0)->producer();
  if (pool == nullptr || !pool->Is("GlobalAveragePool")) return false;
  if (node.Is("Flatten")) {
    return node.IntAttribute("axis", 1) == 1 && pool->output()->has_one_use();
  }
  return FlattensAfterPool(*pool, node, full);
}

// Shape of a pool or of what it pools, where that only serves to flatten it.
bool ServesPooledFlatten(const ir::Node& shape, bool full) {
  const auto only_user = [](const ir::Node* node) -> const ir::Node* {
    if (node == nullptr || node->is_return() || !node->output()->has_one_use()) return nullptr;
    return node->output()->first_use()->user();
  };
  const ir::Node* reshape = only_user(only_user(only_user(only_user(&shape))));
  return reshape != nullptr && !reshape->is_return() && IsPooledFlatten(*reshape, full);
}

void FlowThroughBatchNorm(FlowWalk& walk, ir::Node& node) {
  const ChannelLayout& layout = *walk.Find(node.input(0));
  const bool inference = node.num_inputs() == 5 && node.IntAttribute("training_mode", 0) == 0;
  if (!inference || !OnlyFirstOutputIsUsed(node)) {
    walk.StopAll(node, "which is not in inference form");
    return;
  }
  for (size_t i = 1; i < 5; ++i) {
    const ir::Tensor tensor =
        node.input(i) == nullptr ? ir::Tensor() : node.input(i)->ConstantTensor();
    if (!tensor || tensor.rank() != 1) {
      walk.StopAll(node, "whose parameters are not constant");
      return;
    }
  }
  const bool only_matmul = std::ranges::all_of(layout.pieces, [&](const ChannelPiece& piece) {
    return piece.stays() ||
           std::ranges::all_of(walk.records().at(piece.record).producers,
                               [](const ChannelSlot& slot) { return slot.node->Is("MatMul"); });
  });
  if (layout.rank == 0 || (!walk.full() && only_matmul && layout.rank < 4)) {
    walk.StopAll(node, "which has its channels on another axis");
    return;
  }
  if (layout.front() == 1) {
    if (node.input(1)->ConstantTensor().dims()[0] != layout.positions()) {
      walk.StopAll(node, "which has another number of channels");
      return;
    }
    walk.AddConsumer(node, layout);
  }
  walk.PassOn(*node.input(0), *node.output());
}

void FlowThroughAdd(FlowWalk& walk, ir::Node& node) {
  if (!walk.Join(node, *node.input(0), *node.input(1))) return;
  const ChannelLayout* layout = walk.Find(node.input(0));
  if (layout == nullptr) return;
  walk.AddConsumer(node, *layout);
  walk.PassOnCombined(node, *node.input(0));
}

// The Add behind a MatMul layer is its bias.
bool IsMatMulBias(const ir::Node& node, const ChannelLayout& layout) {
  for (const ir::Use& use : node.inputs()) {
    const ir::Node* producer = use.value() == nullptr ? nullptr : use.value()->producer();
    if (producer != nullptr && producer->Is("MatMul") && layout.back == 1) {
      return FindMatMulBias(*producer, layout.positions()).add == &node;
    }
  }
  return false;
}

// Positions of an input without channels of a record; 0: not known. The reference knows those
// behind layers and BatchNormalization.
int64_t ExtentOf(const ir::Value& value, size_t axis, bool full) {
  const ir::Node* producer = value.producer();
  while (producer != nullptr && IsPassThrough(*producer) && !producer->Is("Pad") &&
         producer->input(0) != nullptr) {
    producer = producer->input(0)->producer();
  }
  if (!full && (producer == nullptr ||
                !(producer->Is("Conv") || producer->Is("Gemm") || producer->Is("MatMul") ||
                  producer->Is("ConvTranspose") || producer->Is("BatchNormalization")))) {
    return 0;
  }
  if (const ir::Tensor tensor = value.ConstantTensor()) {
    return axis < tensor.dims().size() ? tensor.dims()[axis] : 0;
  }
  if (value.type().has_rank() && axis < value.type().shape->size()) {
    const ir::Dim& dim = (*value.type().shape)[axis];
    if (dim.is_known()) return dim.extent();
  }
  if (producer == nullptr || axis != 1) return 0;
  const size_t parameter = 1;
  if (producer->input(parameter) == nullptr) return 0;
  const ir::Tensor weight = producer->input(parameter)->ConstantTensor();
  if (!weight) return 0;
  if (producer->Is("Conv") || producer->Is("BatchNormalization")) return weight.dims()[0];
  if (producer->Is("ConvTranspose")) return weight.dims()[1] * producer->IntAttribute("group", 1);
  if (producer->Is("Gemm")) {
    return weight.dims()[producer->IntAttribute("transB", 0) != 0 ? 0 : 1];
  }
  return 0;
}

// Values that are joined along another axis have the same channels.
void JoinAllInputs(FlowWalk& walk, ir::Node& node) {
  for (const ir::Use& use : node.inputs()) {
    if (use.value() != nullptr) continue;
    walk.StopAll(node, "an input of which is missing");
    return;
  }
  for (const ir::Use& use : node.inputs().subspan(1)) {
    if (!walk.Join(node, *node.input(0), *use.value())) return;
  }
  if (walk.Find(node.input(0)) != nullptr) walk.PassOn(*node.input(0), *node.output());
}

void FlowThroughConcat(FlowWalk& walk, ir::Node& node) {
  const int64_t given = node.IntAttribute("axis", 0);
  const ChannelLayout* model = nullptr;
  for (const ir::Use& use : node.inputs()) {
    const ChannelLayout* layout = walk.Find(use.value());
    if (layout != nullptr) model = layout;
  }
  if (model == nullptr) return;
  const int rank = model->rank;
  const int64_t axis = given < 0 && rank > 0 && walk.full() ? given + rank : given;
  if (walk.full() && rank > 0 && axis != model->front()) {
    JoinAllInputs(walk, node);
    return;
  }
  if (rank == 0 || axis != model->front() || (axis != 1 && !walk.full())) {
    walk.StopAll(node, "which joins along another axis");
    return;
  }
  ChannelLayout joined{model->back, rank, {}};
  for (const ir::Use& use : node.inputs()) {
    if (const ChannelLayout* layout = walk.Find(use.value())) {
      const bool axes_fit =
          walk.full() || std::ranges::all_of(layout->pieces, [&](const ChannelPiece& piece) {
            return piece.stays() || walk.records().at(piece.record).axis == 1;
          });
      if (layout->back != joined.back || !axes_fit) {
        walk.StopAll(node, "whose inputs have channels on different axes");
        return;
      }
      joined.pieces.insert(joined.pieces.end(), layout->pieces.begin(), layout->pieces.end());
      continue;
    }
    const int64_t extent =
        use.value() == nullptr ? 0 : ExtentOf(*use.value(), static_cast<size_t>(axis), walk.full());
    if (extent == 0) {
      walk.StopAll(node, "another input of which has an unknown number of channels");
      return;
    }
    joined.pieces.push_back({kNoChannelRecord, 0, extent, 1});
  }
  walk.AddConsumer(node, joined);
  walk.Set(*node.output(), std::move(joined));
}

}  // namespace

bool FlowThroughReferenceOperator(FlowWalk& walk, ir::Node& node) {
  if (node.Is("Concat")) {
    FlowThroughConcat(walk, node);
    return true;
  }
  if (node.Is("Add") && node.num_inputs() == 2 && node.input(0) != nullptr &&
      node.input(1) != nullptr) {
    const ChannelLayout* first = walk.Find(node.input(0));
    const ChannelLayout* second = walk.Find(node.input(1));
    if (first != nullptr && second != nullptr) {
      FlowThroughAdd(walk, node);
      return true;
    }
    if (IsMatMulBias(node, first != nullptr ? *first : *second)) {
      walk.PassOnCombined(node, *node.input(first != nullptr ? 0 : 1));
      return true;
    }
    return false;
  }
  if (node.Is("Shape") && ServesPooledFlatten(node, walk.full())) return true;
  const ChannelLayout* layout = walk.Find(node.input(0));
  if (layout == nullptr || node.num_outputs() == 0) return false;
  if (node.Is("BatchNormalization")) {
    FlowThroughBatchNorm(walk, node);
    return true;
  }
  if (IsPassThrough(node) || (node.Is("Resize") && KeepsChannels(node, *layout))) {
    const std::string why = WhyNotPassed(walk, node, *layout);
    if (why.empty()) {
      walk.PassOn(*node.input(0), *node.output());
      return true;
    }
    if (walk.full() && node.Is("Pad")) return false;
    walk.StopAll(node, why);
    return true;
  }
  if (IsPooledFlatten(node, walk.full()) && layout->rank == 4 && layout->front() == 1) {
    walk.Set(*node.output(), {1, 2, layout->pieces});
    return true;
  }
  return false;
}

}  // namespace lathe::passes
