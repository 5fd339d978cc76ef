#include "lathe/passes/canonical/fold_shapes.h"

#include <algorithm>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "lathe/passes/canonical/constant_folding.h"
#include "lathe/passes/canonical/operands.h"
#include "lathe/passes/canonical/shape_values.h"
#include "lathe/passes/canonical/visit_nodes.h"
#include "lathe/passes/core/facts.h"
#include "lathe/passes/core/tensor_edit.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Arithmetic on extents is done now as far as types tell them, with names for those that only the run will tell:

    %s = Shape(%x)           : i64[4]      %y = Reshape(%x, [0,-1])
    %n = Gather(%s, [0])     : i64[1]
    %t = Concat(%n, [-1])    : i64[2]
    %y = Reshape(%x, %t)

Exporters write such chains for every view, flatten and expand. What changes:
- integers that are known become constants;
- a computed shape of Reshape becomes a constant that says 0 (as the input) for an extent that is the input's at
  the same place, and -1 for the one extent that is left;
- a computed shape of Expand becomes a constant that says 1 for an extent that is the input's;
- a computed end of a Slice that is the extent of the axis becomes the largest integer;
- a Reshape or Expand to the shape that its input has becomes an Identity;
- of two computations in one graph that come to the same numbers the later one goes.

Followed are vectors of up to 64 integers through Shape, Size, Identity, Cast, Gather, Slice, Split, Concat, Squeeze,
Unsqueeze, Reshape, Expand, ConstantOfShape, Add, Sub, Mul, Div, Mod, Min, Max, ReduceProd, ReduceSum, Equal and Where,
in the main graph and in bodies (types of a local function are those of its calls).

Conditions:
- shapes are known (infer-shapes); extents of one name in one graph are equal, and no negative number;
- arithmetic on unknown extents stays below 2^63;
- -1 is written only where the other extents are known and not 0: a runtime cannot work out an extent of an empty
  tensor. With `nonempty` it is written wherever one extent is left;
- no operand is marked as a quantisation point.
)";

constexpr std::string_view kNonempty = "nonempty";

bool AllKnown(const ShapeValue& value) {
  return std::ranges::all_of(value.extents, &Extent::is_known);
}

template <typename T>
ir::Tensor Numbers(const ShapeValue& value) {
  std::vector<int64_t> dims;
  if (!value.is_scalar) dims.push_back(static_cast<int64_t>(value.extents.size()));
  std::vector<T> numbers;
  for (const Extent& extent : value.extents) numbers.push_back(static_cast<T>(extent.value()));
  if constexpr (std::is_same_v<T, uint8_t>) {
    const auto bytes = std::as_bytes(std::span(numbers));
    // The size fits by construction.
    return *ir::Tensor::FromVector(ir::ElementType::kBool, std::move(dims),
                                   {bytes.begin(), bytes.end()});
  } else {
    return ir::Tensor::Of(std::move(dims), numbers);
  }
}

ir::Tensor ToTensor(const ShapeValue& value) {
  switch (value.element) {
    case ir::ElementType::kBool:
      return Numbers<uint8_t>(value);
    case ir::ElementType::kInt32:
      return Numbers<int32_t>(value);
    default:
      return Numbers<int64_t>(value);
  }
}

std::string Text(const std::vector<int64_t>& numbers) {
  return fmt::format("[{}]", fmt::join(numbers, ","));
}

class Folder {
 public:
  explicit Folder(PassContext& context)
      : context_(context),
        values_(context.model()),
        nonempty_(context.options().Get<bool>(kNonempty)) {}

  void Walk(ir::Graph& graph) {
    VisitNodesInnerFirst(graph, [this](ir::Node& node) { Visit(node); });
  }

  bool changed() const { return changed_; }

 private:
  // What was computed in a graph.
  using Seen =
      absl::flat_hash_map<std::tuple<bool, ir::ElementType, std::vector<Extent>>, ir::ValueId>;

  void Visit(ir::Node& node) {
    if (node.op_text() == "Slice" && node.Is("Slice")) SimplifySlice(node);
    if (!values_.Follows(node)) return;
    if (std::ranges::none_of(node.outputs(), &ir::Value::has_uses)) return;
    if (std::ranges::any_of(node.inputs(),
                            [](const ir::Use& use) { return !use.annotation().empty(); })) {
      return;
    }
    const std::vector<std::optional<ShapeValue>> results = values_.Visit(node);
    if (BecameConstants(node, results)) return;
    if (results.size() == 1 && results[0] && IsRepeated(node, *results[0])) return;
    if (node.Is("Reshape")) SimplifyReshape(node);
    if (node.Is("Expand")) SimplifyExpand(node);
  }

  void Applied(const ir::Node& node, std::string_view statistic, std::string message) {
    context_.Applied(node, std::move(message));
    context_.Count(statistic);
    changed_ = true;
  }

  bool BecameConstants(ir::Node& node, const std::vector<std::optional<ShapeValue>>& results) {
    std::vector<ir::Tensor> tensors(results.size());
    for (size_t i = 0; i < results.size(); ++i) {
      if (!node.output(i)->has_uses()) continue;
      if (!results[i] || !AllKnown(*results[i])) return false;
      tensors[i] = ToTensor(*results[i]);
    }
    if (OnlyHandsOn(node) && node.input(0)->ConstantTensor()) return true;
    const auto first = std::ranges::find_if(node.outputs(), &ir::Value::has_uses);
    Applied(node, "folded", fmt::format("'{}' is a constant now", (*first)->name_text()));
    ReplaceByConstants(context_.rewriter(), node, std::move(tensors));
    return true;
  }

  // The same numbers were computed before in this graph; users take those.
  bool IsRepeated(ir::Node& node, const ShapeValue& value) {
    ir::Value& output = *node.output();
    const auto [it, inserted] = seen_[node.graph()].try_emplace(
        std::tuple(value.is_scalar, value.element, value.extents), output.id());
    if (inserted) return false;
    ir::Value* earlier = context_.model().FindValue(it->second);
    if (earlier == nullptr) {
      it->second = output.id();
      return false;
    }
    if (output.is_graph_output()) return false;
    ir::Rewriter& rewriter = context_.rewriter();
    Applied(node, "shared", fmt::format("'{}' is '{}'", output.name_text(), earlier->name_text()));
    const std::vector<ir::Origin> both = {earlier->producer()->origin(), node.origin()};
    rewriter.SetOrigin(*earlier->producer(), context_.model().MergeOrigins(both));
    rewriter.ReplaceAllUses(output, *earlier);
    EraseIfUnused(rewriter, output);
    return true;
  }

  void PassOn(ir::Node& node) {
    Applied(node, "identities", "the input has this shape already");
    BecomeIdentity(context_.rewriter(), node, *node.input(0));
  }

  void SetShape(ir::Node& node, size_t i, const std::vector<int64_t>& numbers,
                ir::ElementType element) {
    ir::Rewriter& rewriter = context_.rewriter();
    ir::Value& old = *node.input(i);
    Applied(node, "simplified",
            fmt::format("reads the constant {} instead of '{}'", Text(numbers), old.name_text()));
    ShapeValue value{false, element, {numbers.begin(), numbers.end()}};
    rewriter.SetInput(node, i, &MakeConstant(rewriter, node, old.name_text(), ToTensor(value)));
    EraseIfUnused(rewriter, old);
  }

  // The shape that input `i` of the node gives, if it is computed.
  std::optional<ShapeValue> ComputedShape(const ir::Node& node, size_t i) {
    if (node.input(0) == nullptr || node.input(i) == nullptr) return std::nullopt;
    if (node.input(i)->ConstantTensor()) return std::nullopt;
    std::optional<ShapeValue> shape = values_.Find(*node.input(i));
    return shape && !shape->is_scalar ? std::move(shape) : std::nullopt;
  }

  void SimplifyReshape(ir::Node& node) {
    const std::optional<ShapeValue> shape = ComputedShape(node, 1);
    if (!shape) return;
    const std::optional<std::vector<Extent>> dims = values_.Dims(*node.input(0));
    if (dims && *dims == shape->extents) return PassOn(node);
    const bool zero_copies = node.IntAttribute("allowzero", 0) == 0;
    std::vector<int64_t> numbers;
    std::optional<size_t> left;
    bool others_are_positive = true;
    for (size_t i = 0; i < shape->extents.size(); ++i) {
      const Extent& extent = shape->extents[i];
      const bool is_inferred = extent.is_known() && extent.value() == -1;
      if (extent.is_known() && !is_inferred) {
        if (extent.value() < 0) return;
        others_are_positive &= extent.value() > 0;
        numbers.push_back(extent.value());
      } else if (!is_inferred && zero_copies && dims && i < dims->size() && extent == (*dims)[i]) {
        others_are_positive = false;
        numbers.push_back(0);
      } else {
        if (left) return;
        left = i;
        numbers.push_back(-1);
      }
    }
    // An extent that was -1 before asks no more of the others than it did.
    const bool was_inferred = left && shape->extents[*left].is_known();
    if (left && !was_inferred && !others_are_positive && !nonempty_) return;
    SetShape(node, 1, numbers, ir::ElementType::kInt64);
  }

  void SimplifyExpand(ir::Node& node) {
    const std::optional<ShapeValue> shape = ComputedShape(node, 1);
    if (!shape) return;
    const std::optional<std::vector<Extent>> dims = values_.Dims(*node.input(0));
    if (!dims) return;
    std::vector<int64_t> numbers;
    bool keeps_shape = shape->extents.size() <= dims->size();
    for (size_t i = 0; i < shape->extents.size(); ++i) {
      const Extent& extent = shape->extents[i];
      // Axes are aligned at their ends.
      const size_t before = dims->size() + i;
      const bool has_axis = before >= shape->extents.size();
      const bool is_inputs = has_axis && extent == (*dims)[before - shape->extents.size()];
      if (!is_inputs && !extent.is_known()) return;
      keeps_shape &= is_inputs || extent == Extent(1);
      numbers.push_back(is_inputs ? 1 : extent.value());
    }
    if (keeps_shape) return PassOn(node);
    SetShape(node, 1, numbers, ir::ElementType::kInt64);
  }

  void SimplifySlice(ir::Node& node) {
    const std::optional<ShapeValue> ends = ComputedShape(node, 2);
    if (!ends || node.input(1) == nullptr) return;
    const std::optional<std::vector<Extent>> dims = values_.Dims(*node.input(0));
    if (!dims) return;
    const auto known = [&](size_t i, int64_t start,
                           int64_t step) -> std::optional<std::vector<int64_t>> {
      std::vector<int64_t> numbers;
      if (node.input(i) == nullptr) {
        for (size_t k = 0; k < ends->extents.size(); ++k) {
          numbers.push_back(start + static_cast<int64_t>(k) * step);
        }
        return numbers;
      }
      return ConstantInts(node.input(i));
    };
    const auto axes = known(3, 0, 1);
    const auto steps = known(4, 1, 0);
    const size_t count = ends->extents.size();
    if (!axes || !steps || axes->size() != count || steps->size() != count) return;
    const int64_t largest = ends->element == ir::ElementType::kInt32
                                ? std::numeric_limits<int32_t>::max()
                                : std::numeric_limits<int64_t>::max();
    const auto rank = static_cast<int64_t>(dims->size());
    std::vector<int64_t> numbers;
    for (size_t i = 0; i < count; ++i) {
      const Extent& end = ends->extents[i];
      const int64_t axis = (*axes)[i] < 0 ? (*axes)[i] + rank : (*axes)[i];
      if (axis < 0 || axis >= rank) return;
      const bool is_whole = (*steps)[i] > 0 && end == (*dims)[static_cast<size_t>(axis)];
      if (!is_whole && !end.is_known()) return;
      numbers.push_back(is_whole ? largest : end.value());
    }
    SetShape(node, 2, numbers, ends->element);
  }

  PassContext& context_;
  ShapeValues values_;
  // By graph: none is made during the walk that could take the place of one that went.
  absl::flat_hash_map<const ir::Graph*, Seen> seen_;
  const bool nonempty_;
  bool changed_ = false;
};

StatusOr<bool> Run(PassContext& context) {
  Folder folder(context);
  folder.Walk(context.model().graph());
  return folder.changed();
}

}  // namespace

const PassDescriptor& FoldShapesPass() {
  static const PassDescriptor kPass = {
      .name = "fold-shapes",
      .summary = "Do arithmetic on extents now, known and symbolic",
      .description = kDescription,
      .options = {{kNonempty, "take unknown extents to be other than 0", false}},
      .statistics = {{"folded", "computations of known integers that became constants"},
                     {"simplified", "computed shapes and ends that became constants"},
                     {"identities", "Reshape and Expand nodes that change nothing"},
                     {"shared", "computations that repeat another"}},
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
