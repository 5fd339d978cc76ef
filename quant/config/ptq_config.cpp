#include "lathe/quant/config/ptq_config.h"

#include <algorithm>

namespace lathe::quant {
namespace {

constexpr std::array<std::string_view, 8> kGlobalKeys = {"version",
                                                         "batch_num",
                                                         "activation_offset",
                                                         "joint_quant",
                                                         "do_fusion",
                                                         "fakequant_precision_mode",
                                                         "skip_fusion_layers",
                                                         "tensor_quantize"};

}  // namespace

std::span<const std::string_view> PtqGlobalKeys() { return kGlobalKeys; }

bool IsPtqGlobalKey(std::string_view name) {
  return std::find(kGlobalKeys.begin(), kGlobalKeys.end(), name) != kGlobalKeys.end();
}

}  // namespace lathe::quant
