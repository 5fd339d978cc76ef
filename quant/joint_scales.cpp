#include "lathe/quant/joint_scales.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "lathe/quant/dequant_word.h"

namespace lathe::quant {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
// One step of the factor moves the product by less than two steps, so that about every second
// product can be reached; this many in a row are never out of reach.
constexpr int kMostSteps = 1000;

// The factor whose product with scale_d is `product`, if there is one.
std::optional<float> FactorOf(float product, float scale_d) {
  const float near = product / scale_d;
  for (const float factor : {near, std::nextafter(near, 0.0f), std::nextafter(near, kInfinity)}) {
    if (DequantScale(factor, scale_d) == product) return factor;
  }
  return std::nullopt;
}

float ScaleOf(const JointBranch& branch, size_t channel) {
  return branch.scale_w[branch.scale_w.size() == 1 ? 0 : channel];
}

// Sets the channel's scale of each branch; false when there is no common product.
bool JoinChannel(std::span<const JointBranch> branches, size_t channel,
                 std::vector<std::vector<float>>& scales) {
  float product = 0;
  for (const JointBranch& branch : branches) {
    product = std::max(product, DequantScale(ScaleOf(branch, channel), branch.scale_d));
  }
  for (int step = 0; step < kMostSteps; ++step, product = std::nextafter(product, kInfinity)) {
    if (!std::isnormal(product)) return false;
    size_t reached = 0;
    for (; reached < branches.size(); ++reached) {
      const auto factor = FactorOf(product, branches[reached].scale_d);
      if (!factor || !std::isnormal(*factor)) break;
      scales[reached][channel] = *factor;
    }
    if (reached == branches.size()) return true;
  }
  return false;
}

}  // namespace

std::optional<std::vector<std::vector<float>>> JointWeightScales(
    std::span<const JointBranch> branches) {
  size_t channels = 1;
  for (const JointBranch& branch : branches) {
    channels = std::max(channels, branch.scale_w.size());
  }
  for (const JointBranch& branch : branches) {
    if (branch.scale_w.size() != 1 && branch.scale_w.size() != channels) return std::nullopt;
  }
  std::vector<std::vector<float>> scales(branches.size(), std::vector<float>(channels));
  for (size_t channel = 0; channel < channels; ++channel) {
    if (!JoinChannel(branches, channel, scales)) return std::nullopt;
  }
  return scales;
}

}  // namespace lathe::quant
