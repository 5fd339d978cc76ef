// The configuration of KV-cache calibration: which Linear layers compute keys and values, and how
// the range of their outputs is found (the reference's 2.5).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lathe/quant/config/ptq_config.h"
#include "lathe/support/status.h"

namespace lathe::quant {

struct KvLayerConfig {
  std::string name;
  // Of 8 bits.
  ActivationConfig activation;
  // One scale for each index of the output's last axis, instead of one for the output.
  bool per_channel = false;
  bool operator==(const KvLayerConfig&) const = default;
};

struct KvConfig {
  int64_t batch_num = 1;
  // For layers whose `asymmetric` is absent.
  bool activation_offset = true;
  std::vector<KvLayerConfig> layers;
  bool operator==(const KvConfig&) const = default;
};

// Errors: no layer, a layer that is there twice, values out of range; the layer is named.
Status CheckKvConfig(const KvConfig& config);

}  // namespace lathe::quant
