#include "lathe/passes/sparsity/prune_channels.h"

#include "lathe/passes/core/facts.h"
#include "lathe/passes/sparsity/cut_channels.h"

namespace lathe::passes {
namespace {

constexpr std::string_view kDescription = R"(
Takes out of the network the channels that the prune records of a record file name (the reference's 8.5):

    %a = Conv(%x, %w)     : f32[n,32,8,8]         %a = Conv(%x, %w')     : f32[n,22,8,8]
    %b = BatchNormalization(%a, ...)              %b = BatchNormalization(%a, ...')
    %y = Conv(%b, %v)                             %y = Conv(%b, %v')     (v' has 22 input channels)

Which channels go together and which of them go was decided when the record was made (`lathe prune create`); this
pass only cuts, so a network is restored from its record alone. A producer loses output channels: rows of its
weight, and its bias. A consumer loses input channels: columns of a weight (of each group equally many), the rows
and the group count of a depthwise convolution, the parameters of a normalisation, the constant of an elementwise
operator, sizes of Split, bounds of Slice, the shape of Reshape. Indices count in the network before pruning.
Shapes are inferred anew.

The network becomes smaller and computes something else: it is trained again afterwards.

Conditions:
- every node of the record is in the network's main graph, with the record's operator and number of channels;
- a network that has lost all of it already stays as it is; one that has lost some of it is an error;
- a record without prune records changes nothing.
)";

StatusOr<bool> Run(PassContext& context) {
  LATHE_ASSIGN_OR_RETURN(const quant::Record* record, context.Need<quant::Record>("a record"));
  LATHE_ASSIGN_OR_RETURN(const ChannelCut cut, CutChannels(context.rewriter(), *record));
  context.Count("nodes", cut.nodes);
  context.Count("channels", cut.channels);
  return cut.nodes > 0;
}

}  // namespace

const PassDescriptor& PruneChannelsPass() {
  static const PassDescriptor kPass = {
      .name = "prune-channels",
      .summary = "Take out the channels that a record names",
      .description = kDescription,
      .options = {},
      .statistics = {{"nodes", "nodes that lost channels"},
                     {"channels", "output channels of layers that went"}},
      .requires_facts = {},
      .establishes = {facts::kChannelsPruned},
      .preserves = {facts::kShapesInferred, facts::kConvBnFused, facts::kWeightsFolded},
      .run = Run,
  };
  return kPass;
}

}  // namespace lathe::passes
