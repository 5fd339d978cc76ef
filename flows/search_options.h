// Options of the searches for a range, from what a configuration says.
#pragma once

#include "lathe/quant/config/ptq_config.h"
#include "lathe/quant/ifmr.h"

namespace lathe::flows {

inline quant::IfmrOptions IfmrOptionsOf(const quant::IfmrParameters& parameters, int num_bits,
                                        bool asymmetric) {
  return {.num_bits = num_bits,
          .max_percentile = parameters.max_percentile,
          .min_percentile = parameters.min_percentile,
          .search_range_start = parameters.search_range[0],
          .search_range_end = parameters.search_range[1],
          .search_step = parameters.search_step,
          .asymmetric = asymmetric};
}

}  // namespace lathe::flows
