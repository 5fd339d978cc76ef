#include "lathe/passes/fusion/fuse_pad.h"

#include <algorithm>
#include <limits>

#include "lathe/passes/canonical/operands.h"
#include "lathe/passes/canonical/read_pad.h"
#include "lathe/passes/canonical/visit_nodes.h"
#include "lathe/passes/core/facts.h"
#include "lathe/passes/core/tensor_edit.h"
#include "lathe/support/quoted.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
A convolution or pool pads for itself:

    %a = Pad(%x, [0, 0, 1, 1, 0, 0, 1, 1])        %y = Conv{pads=[1, 1, 1, 1]}(%x, %w)
    %y = Conv(%a, %w)

An AveragePool then counts the padding (`count_include_pad=1`), as it did when the Pad put it there.

Conditions:
- the amounts of the Pad are constants, not negative, of mode `constant`, and 0 for batch and channels;
- nothing else reads its result;
- `auto_pad` of the convolution or pool is NOTSET or VALID: the others depend on the padded extents;
- Conv: the Pad puts zeros;
- AveragePool: the Pad puts zeros; the pool does not pad for itself, or counts what it pads;
- MaxPool: the Pad puts minus infinity, and the indices are not used;
- pools: `ceil_mode` is 0, since it decides by the extents what counts as padding, and all pads stay smaller than
  the kernel.
)";

bool TakesPads(const ir::Node& node) {
  return node.Is("Conv") || node.Is("AveragePool") || node.Is("MaxPool");
}

bool AllZero(const std::vector<int64_t>& values) {
  return std::ranges::all_of(values, [](int64_t value) { return value == 0; });
}

bool IsSane(int64_t pad) { return pad >= 0 && pad <= int64_t{1} << 48; }

// Why a pool cannot have the pads `pads`, of which `own` are its own.
std::optional<std::string> PoolRefusal(const ir::Node& pool, double value,
                                       const std::vector<int64_t>& own,
                                       const std::vector<int64_t>& pads) {
  if (pool.IntAttribute("ceil_mode", 0) != 0) return "ceil_mode is set";
  if (pool.Is("MaxPool")) {
    if (value != -std::numeric_limits<double>::infinity()) {
      return "the Pad does not put minus infinity";
    }
    if (pool.output(1) != nullptr && pool.output(1)->has_uses()) return "the indices are used";
  } else {
    if (value != 0) return "the Pad does not put zeros";
    if (!AllZero(own) && pool.IntAttribute("count_include_pad", 0) == 0) {
      return "the pool does not count its own padding";
    }
  }
  const std::vector<int64_t> kernel = pool.IntsAttribute("kernel_shape");
  for (size_t i = 0; i < pads.size(); ++i) {
    if (kernel.size() * 2 != pads.size() || pads[i] >= kernel[i % kernel.size()]) {
      return "the padding is not smaller than the kernel";
    }
  }
  return std::nullopt;
}

// Why the Pad stays; nothing when `pads` is filled in.
std::optional<std::string> Refusal(const ir::Node& pad, const ir::Node& node,
                                   std::vector<int64_t>* pads) {
  if (HasUnknownAttributes(pad) || HasUnknownAttributes(node)) {
    return "an attribute is the function's";
  }
  if (!IsOnlyUse(pad)) return "the Pad has other uses";
  const std::optional<PadAmounts> amounts = ReadPad(pad);
  if (!amounts || amounts->begin.size() < 3) return "the amounts of the Pad are not known";
  if (amounts->mode != "constant") return fmt::format("the mode of the Pad is {}", amounts->mode);
  if (amounts->any_negative()) return "the Pad takes elements away";
  for (const size_t axis : {size_t{0}, size_t{1}}) {
    if (amounts->begin[axis] != 0 || amounts->end[axis] != 0) {
      return "the Pad adds batches or channels";
    }
  }
  const std::string auto_pad = node.StringAttribute("auto_pad", "NOTSET");
  if (auto_pad != "NOTSET" && auto_pad != "VALID") return fmt::format("auto_pad is {}", auto_pad);
  const size_t spatial = amounts->begin.size() - 2;
  std::vector<int64_t> own = node.IntsAttribute("pads");
  if (own.empty() || auto_pad == "VALID") own.assign(2 * spatial, 0);
  if (own.size() != 2 * spatial) return "the pads of the node do not fit the Pad";
  *pads = own;
  for (size_t i = 0; i < spatial; ++i) {
    // In a damaged file they may be anything.
    if (!IsSane(own[i]) || !IsSane(own[spatial + i])) return "the pads of the node make no sense";
    (*pads)[i] += amounts->begin[2 + i];
    (*pads)[spatial + i] += amounts->end[2 + i];
  }
  const std::optional<double> value = PadValue(pad);
  if (!value) return "the value of the Pad is not known";
  if (node.Is("Conv")) {
    if (*value != 0) return "the Pad does not put zeros";
    return std::nullopt;
  }
  return PoolRefusal(node, *value, own, *pads);
}

void Fuse(PassContext& context, ir::Node& pad, ir::Node& node, std::vector<int64_t> pads) {
  ir::Rewriter& rewriter = context.rewriter();
  const std::vector<ir::Origin> origins = {node.origin(), pad.origin()};
  if (node.FindAttribute("auto_pad") != nullptr) rewriter.RemoveAttribute(node, "auto_pad");
  if (node.Is("AveragePool") && !AllZero(pads)) {
    rewriter.SetAttribute(node, "count_include_pad", int64_t{1});
  }
  rewriter.SetAttribute(node, "pads", std::move(pads));
  rewriter.SetInput(node, 0, pad.input(0));
  rewriter.SetOrigin(node, context.model().MergeOrigins(origins));
  EraseIfUnused(rewriter, *pad.output());
}

StatusOr<bool> Run(PassContext& context) {
  bool changed = false;
  VisitNodes(context.model(), [&](ir::Node& node) {
    if (!TakesPads(node) || node.input(0) == nullptr) return;
    ir::Node* pad = node.input(0)->producer();
    if (pad == nullptr || !pad->Is("Pad") || pad->input(0) == nullptr) return;
    std::vector<int64_t> pads;
    if (const auto refusal = Refusal(*pad, node, &pads)) {
      context.Missed(node, fmt::format("{} stays: {}", Quoted(pad->display_name()), *refusal));
      return;
    }
    context.Applied(node,
                    fmt::format("pads for itself in place of {}", Quoted(pad->display_name())));
    context.Count("fused");
    Fuse(context, *pad, node, std::move(pads));
    changed = true;
  });
  return changed;
}

}  // namespace

const PassDescriptor& FusePadPass() {
  static const PassDescriptor kPass = {
      .name = "fuse-pad",
      .summary = "Fuse Pad into the convolution or pool that it feeds",
      .description = kDescription,
      .options = {},
      .statistics = {{"fused", "Pad nodes that went"}},
      .requires_facts = {},
      .establishes = {},
      // Not quant-points-marked: the activation of an AveragePool is quantised before its Pad.
      .preserves = {facts::kShapesInferred, facts::kConvBnFused, facts::kWeightsFolded,
                    facts::kSparsityApplied},
      .run = Run,
  };
  return kPass;
}

}  // namespace lathe::passes
