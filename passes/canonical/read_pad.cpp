#include "lathe/passes/canonical/read_pad.h"

#include <algorithm>

#include "lathe/passes/canonical/constant_elements.h"
#include "lathe/passes/canonical/operands.h"

namespace lathe::passes {
namespace {

// Larger ones are a mistake; keeps sums in range.
constexpr int64_t kMostElements = int64_t{1} << 48;

}  // namespace

bool PadAmounts::any_negative() const {
  const auto negative = [](int64_t amount) { return amount < 0; };
  return std::ranges::any_of(begin, negative) || std::ranges::any_of(end, negative);
}

std::optional<PadAmounts> ReadPad(const ir::Node& pad) {
  PadAmounts result;
  result.mode = pad.StringAttribute("mode", "constant");
  std::optional<std::vector<int64_t>> amounts, axes;
  if (pad.FindAttribute("pads") != nullptr) {
    amounts = pad.IntsAttribute("pads");
  } else {
    amounts = ConstantInts(pad.input(1));
    axes = ConstantInts(pad.input(3));
    if (pad.input(3) != nullptr && !axes) return std::nullopt;
  }
  if (!amounts || amounts->size() % 2 != 0) return std::nullopt;
  for (const int64_t amount : *amounts) {
    if (amount < -kMostElements || amount > kMostElements) return std::nullopt;
  }
  const size_t count = amounts->size() / 2;
  const ir::Type& type = pad.input(0)->type();
  const size_t rank = type.rank() >= 0 ? static_cast<size_t>(type.rank()) : count;
  if (!axes) {
    if (rank != count) return std::nullopt;
    result.begin.assign(amounts->begin(), amounts->begin() + static_cast<std::ptrdiff_t>(count));
    result.end.assign(amounts->begin() + static_cast<std::ptrdiff_t>(count), amounts->end());
    return result;
  }
  if (axes->size() != count || type.rank() < 0) return std::nullopt;
  result.begin.assign(rank, 0);
  result.end.assign(rank, 0);
  std::vector<bool> seen(rank, false);
  for (size_t i = 0; i < count; ++i) {
    int64_t axis = (*axes)[i];
    if (axis < 0) axis += static_cast<int64_t>(rank);
    if (axis < 0 || axis >= static_cast<int64_t>(rank)) return std::nullopt;
    const auto at = static_cast<size_t>(axis);
    if (seen[at]) return std::nullopt;
    seen[at] = true;
    result.begin[at] = (*amounts)[i];
    result.end[at] = (*amounts)[count + i];
  }
  return result;
}

std::optional<double> PadValue(const ir::Node& pad) {
  if (pad.FindAttribute("pads") != nullptr) return pad.FloatAttribute("value", 0.0f);
  const ir::Value* value = pad.input(2);
  if (value == nullptr) return 0.0;
  return SingleNumber(value->ConstantTensor());
}

void SetPadAmounts(ir::Rewriter& rewriter, ir::Node& pad, const PadAmounts& amounts) {
  std::vector<int64_t> all = amounts.begin;
  all.insert(all.end(), amounts.end.begin(), amounts.end.end());
  if (pad.FindAttribute("pads") != nullptr) {
    rewriter.SetAttribute(pad, "pads", std::move(all));
    return;
  }
  DropInputs(rewriter, pad, 3);
  PutInput(rewriter, pad, 1, &MakeConstant(rewriter, pad, pad.display_name() + ".pads", all));
}

}  // namespace lathe::passes
