#include "lathe/quant/config/retrain_config.h"

#include <algorithm>
#include <array>

namespace lathe::quant {
namespace {

constexpr std::array<std::string_view, 3> kGlobalKeys = {"version", "fakequant_precision_mode",
                                                         "batch_num"};

}  // namespace

std::span<const std::string_view> RetrainGlobalKeys() { return kGlobalKeys; }

bool IsRetrainGlobalKey(std::string_view name) {
  return std::ranges::find(kGlobalKeys, name) != kGlobalKeys.end();
}

}  // namespace lathe::quant
