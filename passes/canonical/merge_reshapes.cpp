#include "lathe/passes/canonical/merge_reshapes.h"

#include <algorithm>

#include "lathe/passes/canonical/merge_chains.h"
#include "lathe/passes/canonical/operands.h"
#include "lathe/passes/core/facts.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Reshape, Flatten, Squeeze and Unsqueeze only change the shape, so of several in a row only the last counts; it
becomes a Reshape of the first's input:

    %a = Transpose(%x)                    %a = Transpose(%x)
    %b = Flatten(%a)                      %y = Reshape(%a, [0, 8, 16])
    %c = Unsqueeze(%b, [1])
    %y = Reshape(%c, [0, 8, 16])

A shape that is there is kept as it is where it means the same for the other input. Where it does not (a 0
stands for the extent of its input) or where there is none (Flatten, Squeeze, Unsqueeze), the extents are those
of the result's type; one that has a symbol is written as 0 when the input has the same symbol in that place,
and a single extent that is not known is written as -1 when all others are known and not 0.

Conditions:
- the extents of the result can be written so;
- the last is a Reshape, or nothing else reads the first's result.
)";

bool IsReshaping(const ir::Node& node) {
  return node.Is("Reshape") || node.Is("Flatten") || node.Is("Squeeze") || node.Is("Unsqueeze");
}

const ir::Dim* DimAt(const ir::Type& type, size_t i) {
  return type.is_tensor() && type.shape && i < type.shape->size() ? &(*type.shape)[i] : nullptr;
}

bool HaveOneSymbol(const ir::Dim* a, const ir::Dim* b) {
  return a != nullptr && b != nullptr && a->is_symbol() && b->is_symbol() &&
         a->symbol() == b->symbol();
}

// A shape to be written for Reshape: what is not known may become one -1.
std::optional<std::vector<int64_t>> WriteUnknown(std::vector<int64_t> shape,
                                                 const std::vector<size_t>& unknown) {
  if (unknown.empty()) return shape;
  if (unknown.size() > 1) return std::nullopt;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (i != unknown[0] && shape[i] <= 0) return std::nullopt;
  }
  shape[unknown[0]] = -1;
  return shape;
}

// The extents of the type `wanted` for a Reshape of a value of type `input`.
std::optional<std::vector<int64_t>> ShapeOf(const ir::Type& wanted, const ir::Type& input) {
  if (!wanted.is_tensor() || !wanted.shape) return std::nullopt;
  std::vector<int64_t> shape(wanted.shape->size(), 0);
  std::vector<size_t> unknown;
  for (size_t i = 0; i < shape.size(); ++i) {
    const ir::Dim& dim = (*wanted.shape)[i];
    if (dim.is_known()) {
      // As an extent 0 means another thing.
      if (dim.extent() == 0) return std::nullopt;
      shape[i] = dim.extent();
    } else if (!HaveOneSymbol(&dim, DimAt(input, i))) {
      unknown.push_back(i);
    }
  }
  return WriteUnknown(std::move(shape), unknown);
}

// The shape operand `shape` of a Reshape of `middle`, for a Reshape of `input`.
std::optional<std::vector<int64_t>> WithoutCopies(std::vector<int64_t> shape,
                                                  const ir::Type& middle, const ir::Type& input) {
  std::vector<size_t> unknown;
  const bool infers = std::ranges::find(shape, -1) != shape.end();
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] != 0) continue;
    const ir::Dim* dim = DimAt(middle, i);
    const ir::Dim* there = DimAt(input, i);
    if (HaveOneSymbol(dim, there)) continue;
    if (dim != nullptr && dim->is_known()) {
      if (dim->extent() == 0) return std::nullopt;
      shape[i] = dim->extent();
    } else {
      unknown.push_back(i);
    }
  }
  if (infers && !unknown.empty()) return std::nullopt;
  return WriteUnknown(std::move(shape), unknown);
}

void SetShape(ir::Rewriter& rewriter, ir::Node& node, const std::vector<int64_t>& shape) {
  PutInput(rewriter, node, 1, &MakeConstant(rewriter, node, node.display_name() + ".shape", shape));
}

MergeRefusal Merge(PassContext& context, ir::Node& first, ir::Node& last, bool only_use) {
  ir::Rewriter& rewriter = context.rewriter();
  ir::Value& input = *first.input(0);
  if (last.Is("Reshape")) {
    if (last.input(1) == nullptr) return "the shape is not an operand";
    const std::optional<std::vector<int64_t>> shape = ConstantInts(last.input(1));
    const bool copies = last.IntAttribute("allowzero", 0) == 0 &&
                        (!shape || std::ranges::find(*shape, 0) != shape->end());
    if (copies) {
      std::optional<std::vector<int64_t>> other;
      if (shape) other = WithoutCopies(*shape, first.output()->type(), input.type());
      if (!other) other = ShapeOf(last.output()->type(), input.type());
      if (!other) return "the extents of the result are not known";
      if (other != shape) SetShape(rewriter, last, *other);
    }
    rewriter.SetInput(last, 0, &input);
    return std::nullopt;
  }
  if (!only_use) return "the first has other uses";
  const std::optional<std::vector<int64_t>> shape = ShapeOf(last.output()->type(), input.type());
  if (!shape) return "the extents of the result are not known";
  for (const std::string_view attribute : {"axis", "axes"}) {
    if (last.FindAttribute(attribute) != nullptr) rewriter.RemoveAttribute(last, attribute);
  }
  rewriter.SetOperator(last, "Reshape", last.domain_text());
  SetShape(rewriter, last, *shape);
  rewriter.SetInput(last, 0, &input);
  return std::nullopt;
}

constexpr ChainFamily kFamily = {IsReshaping, Merge};

StatusOr<bool> Run(PassContext& context) { return MergeChains(kFamily, context); }

}  // namespace

const PassDescriptor& MergeReshapesPass() {
  static const PassDescriptor kPass = {
      .name = "merge-reshapes",
      .summary = "Make one Reshape of several operators in a row that only change the shape",
      .description = kDescription,
      .options = {},
      .statistics = {{"merged", "pairs of Reshape, Flatten, Squeeze, Unsqueeze merged"}},
      .requires_facts = {},
      .establishes = {},
      .preserves = {facts::kShapesInferred, facts::kConvBnFused, facts::kWeightsFolded,
                    facts::kQuantPointsMarked, facts::kCalibrated, facts::kSearchNInserted,
                    facts::kSparsityApplied, facts::kAscendLowered},
      .run = Run,
  };
  return kPass;
}

}  // namespace lathe::passes
