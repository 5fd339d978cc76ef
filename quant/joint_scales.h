// Joint quantisation: weight scales by which the sums of several layers can be added as integers.
#pragma once

#include <optional>
#include <span>
#include <vector>

namespace lathe::quant {

// One layer whose result is added to that of others.
struct JointBranch {
  float scale_d = 1.0f;
  // One, or one a channel; positive and finite.
  std::vector<float> scale_w;
};

// For each branch weight scales such that, channel by channel, scale_w * scale_d in float32 has the
// same bits in all of them: the accelerator's compiler wants equal words. The common product is the
// smallest that every branch can reach and that is no less than the largest of them (the ONNX
// flavour's reference, 8.6), so no weight is clipped; products of float32 leave gaps, so it may be
// a few steps above. A branch with one scale gets one a channel when another has that; all with one
// keep one. Nothing when a product leaves the normal range of float32, or two branches have
// different numbers of channels. O(branches * channels).
std::optional<std::vector<std::vector<float>>> JointWeightScales(
    std::span<const JointBranch> branches);

}  // namespace lathe::quant
