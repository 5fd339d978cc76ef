// Convolutions and matrix products with constant weights, seen alike: what scales and shifts of
// their channels do to their weights.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lathe/ir/rewriter.h"
#include "lathe/quant/weight_layout.h"
#include "lathe/support/status.h"

namespace lathe::passes {

// y = s * x + t, one of each for a channel.
struct ChannelAffine {
  std::vector<double> scale;
  std::vector<double> shift;

  static ChannelAffine Identity(size_t channels);
  // Applies `outer` to the result of this one.
  void Then(const ChannelAffine& outer);
  bool shifts() const;
};

struct LinearLayer {
  ir::Node* node = nullptr;
  ir::Tensor weight;
  // Which values of the weight belong to an output channel, and which to an input channel.
  quant::WeightLayout outputs;
  quant::WeightLayout inputs;
  // Axes behind the channels, in the layer's input and result.
  size_t axes_behind = 0;
  // At least so many axes the input and the result have.
  size_t input_rank = 0;
  size_t output_rank = 0;
  // The layer has a bias operand, present or omitted.
  bool takes_bias = true;
  // A shift of its input is the same shift of every result of a channel: nothing is padded.
  bool takes_input_shift = false;
};

// The layer that `node` (Conv, ConvTranspose, Gemm or MatMul) is, or why its weights cannot be
// changed: not constant, of another type than f32 and f16, of no sensible shape, or in a local
// function. O(rank).
std::optional<std::string> InspectLinearLayer(ir::Node& node, LinearLayer* layer);

bool IsLinearLayer(const ir::Node& node);

// Mul, Add, Sub and Div of `through` and a constant, seen as scale and shift of channels.
// `value_rank`: axes that the value has at least. Returns why not: another operator, a constant
// that has more axes or differs along another axis than the channels', a division by `through`.
struct ChannelAxis {
  size_t channels = 0;
  size_t axes_behind = 0;
  size_t value_rank = 0;
};
StatusOr<std::optional<std::string>> ReadAffine(const ir::Node& node, size_t through,
                                                const ChannelAxis& axis, ChannelAffine* affine);
bool IsAffineOperator(const ir::Node& node);

// Changes weight and bias so that the layer's result is `after` of what it was, or so that its
// input is `before` of what it reads. Computes in double and rounds once. Constants that others use
// are copied. Returns why not (and changes nothing): a bias that is computed or not one a channel,
// a result that is not finite.
StatusOr<std::optional<std::string>> FoldAfter(ir::Rewriter& rewriter, LinearLayer& layer,
                                               const ChannelAffine& after);
StatusOr<std::optional<std::string>> FoldBefore(ir::Rewriter& rewriter, LinearLayer& layer,
                                                const ChannelAffine& before);

}  // namespace lathe::passes
