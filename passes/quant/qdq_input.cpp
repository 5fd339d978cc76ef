#include "lathe/passes/quant/qdq_input.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "lathe/passes/core/tensor_edit.h"

namespace lathe::passes {
namespace {

// Whether the results are elements of input 0, or, of Relu, zero, which every rounding keeps.
bool OnlyMoves(const ir::Node& node) {
  constexpr std::string_view kOperators[] = {"Flatten", "Identity", "MaxPool",   "Relu",
                                             "Reshape", "Squeeze",  "Transpose", "Unsqueeze"};
  return node.num_inputs() > 0 && node.input(0) != nullptr && node.num_outputs() == 1 &&
         std::ranges::any_of(kOperators, [&](std::string_view op) { return node.Is(op); });
}

enum class Joined { kAllowed, kNotAgain };

std::variant<QdqInput, QdqRefusal> Find(ir::Value& value, Joined joined);

// What all that are joined are rounded to alike.
std::variant<QdqInput, QdqRefusal> FindJoined(const ir::Node& concat) {
  QdqInput joined;
  for (size_t i = 0; i < concat.num_inputs(); ++i) {
    if (concat.input(i) == nullptr) return QdqRefusal{"its input is not quantised"};
    auto found = Find(*concat.input(i), Joined::kNotAgain);
    auto* input = std::get_if<QdqInput>(&found);
    if (input == nullptr) return found;
    if (i > 0 && input->rounding != joined.rounding) {
      return QdqRefusal{"its input joins values that are rounded differently"};
    }
    joined.rounding = input->rounding;
  }
  return joined;
}

std::variant<QdqInput, QdqRefusal> Find(ir::Value& value, Joined joined) {
  std::vector<ir::Node*> between;
  ir::Node* node = value.producer();
  while (node != nullptr && OnlyMoves(*node)) {
    between.push_back(node);
    node = node->input(0)->producer();
  }
  if (node == nullptr) return QdqRefusal{"its input is not quantised"};
  if (node->Is("Concat") && node->num_inputs() > 0 && joined == Joined::kAllowed) {
    auto found = FindJoined(*node);
    if (auto* input = std::get_if<QdqInput>(&found)) {
      between.push_back(node);
      input->between = std::move(between);
    }
    return found;
  }
  if (!IsDequantize(*node)) return QdqRefusal{"its input is not quantised"};
  auto found = FindQdqPair(*node);
  if (auto* refusal = std::get_if<QdqRefusal>(&found)) {
    return QdqRefusal{"its input: " + refusal->reason};
  }
  const auto& pair = std::get<QdqPair>(found);
  return QdqInput{pair.rounding, pair, std::move(between)};
}

bool HasOneReader(const ir::Value& value) {
  return value.has_one_use() && !value.is_graph_output();
}

}  // namespace

std::variant<QdqInput, QdqRefusal> FindQdqInput(ir::Value& value) {
  return Find(value, Joined::kAllowed);
}

bool SinkPair(ir::Rewriter& rewriter, const QdqInput& input) {
  if (input.pair.dequantize == nullptr || input.between.empty()) return false;
  ir::Value& rounded = *input.pair.dequantize->output();
  if (!HasOneReader(rounded)) return false;
  for (const ir::Node* node : input.between) {
    if (!HasOneReader(*node->output())) return false;
  }
  rewriter.ReplaceUse(input.between.back()->inputs()[0], input.pair.source());
  EraseIfUnused(rewriter, rounded);
  return true;
}

}  // namespace lathe::passes
