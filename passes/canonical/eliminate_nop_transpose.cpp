#include "lathe/passes/canonical/eliminate_nop_transpose.h"

#include <algorithm>
#include <string>

#include "lathe/passes/canonical/equal_shapes.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Removes Transpose that leaves everything where it is:

    %b = Transpose(%a) {perm = [0, 1, 2]}  %y = Relu(%a)
    %y = Relu(%b)

Conditions, one of:
- the permutation is 0, 1, 2, ... (without one: the operand has at most one axis);
- only axes of extent 1 change places with others, and the shape stays as it is.

Einsum goes when its equation names the axes of one operand, each by a small letter of its own, and the result has them in
the same order (`ij->ij`, `ij`).
)";

// The permutation as numbers in range; empty for the reversal of an unknown rank or nonsense.
std::vector<int64_t> Permutation(const ir::Node& transpose) {
  std::vector<int64_t> axes = transpose.IntsAttribute("perm");
  if (axes.empty()) {
    const int rank = transpose.input(0)->type().rank();
    for (int64_t axis = rank - 1; axis >= 0; --axis) axes.push_back(axis);
  }
  const auto size = static_cast<int64_t>(axes.size());
  const bool in_range =
      std::ranges::all_of(axes, [&](int64_t axis) { return axis >= 0 && axis < size; });
  return in_range ? axes : std::vector<int64_t>();
}

ir::Value* MovesNothing(const ir::Node& transpose) {
  ir::Value* input = transpose.input(0);
  if (input == nullptr) return nullptr;
  const ir::Type& type = input->type();
  if (type.rank() == 0) return input;
  const std::vector<int64_t> axes = Permutation(transpose);
  if (axes.empty()) return nullptr;
  if (std::ranges::is_sorted(axes)) return input;
  if (type.rank() != static_cast<int>(axes.size())) return nullptr;
  // Axes with more than one element, in their new order.
  int64_t last = -1;
  for (size_t i = 0; i < axes.size(); ++i) {
    const ir::Dim& dim = (*type.shape)[static_cast<size_t>(axes[i])];
    if (!EqualDims(dim, (*type.shape)[i])) return nullptr;
    if (dim.is_known() && dim.extent() == 1) continue;
    if (axes[i] < last) return nullptr;
    last = axes[i];
  }
  return input;
}

// `ij->ij`, or `ij`, whose result has its letters in alphabetical order. (Which of a and B comes
// first is not clear.)
ir::Value* KeepsLetters(const ir::Node& einsum) {
  if (einsum.num_inputs() != 1) return nullptr;
  std::string equation = einsum.StringAttribute("equation", "");
  std::erase(equation, ' ');
  const size_t arrow = equation.find("->");
  const std::string letters = equation.substr(0, arrow);
  std::string sorted = letters;
  std::ranges::sort(sorted);
  const bool distinct = std::ranges::adjacent_find(sorted) == sorted.end();
  const bool only_letters =
      std::ranges::all_of(letters, [](char each) { return each >= 'a' && each <= 'z'; });
  const std::string result = arrow == std::string::npos ? sorted : equation.substr(arrow + 2);
  return !letters.empty() && distinct && only_letters && result == letters ? einsum.input(0)
                                                                           : nullptr;
}

}  // namespace

std::vector<RewriteRule> NopTransposeRules() {
  return {NoOpRule("drop-transpose", {"Transpose"}, "moves nothing", MovesNothing),
          NoOpRule("drop-einsum", {"Einsum"}, "keeps the axes", KeepsLetters)};
}

const PassDescriptor& EliminateNopTransposePass() {
  static const PassDescriptor kPass = NoOpPass<NopTransposeRules>(
      "eliminate-nop-transpose", "Remove transposes that move nothing", kDescription);
  return kPass;
}

}  // namespace lathe::passes
