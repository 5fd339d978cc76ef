// The allowed values of a configuration, whatever file it came from (the reference's 2.1). Errors
// begin with `where` and name the key, its value and what is allowed.
#pragma once

#include <cstdint>
#include <string_view>

#include "lathe/quant/config/ptq_config.h"
#include "lathe/support/status.h"

namespace lathe::quant {

Status CheckBatchNum(int64_t batch_num);
Status CheckActivationValues(std::string_view where, const ActivationConfig& activation);
Status CheckWeightValues(std::string_view where, const WeightConfig& weight);
Status CheckBalancing(std::string_view where, double dmq_balancer_param);

}  // namespace lathe::quant
