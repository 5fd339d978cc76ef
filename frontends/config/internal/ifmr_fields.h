// IFMR's parameters in simplified configurations, whose messages have the same fields everywhere.
#pragma once

#include "lathe/quant/config/ptq_config.h"
#include "lathe/support/decimal_text.h"

namespace lathe::frontends {

// `message` is an FMRQuantize of any of the packages. A file's floats become the numbers that it
// says.
template <typename Message>
quant::IfmrParameters ReadIfmr(const Message& message) {
  quant::IfmrParameters ifmr;
  ifmr.max_percentile = ShortestDecimal(message.max_percentile());
  ifmr.min_percentile = ShortestDecimal(message.min_percentile());
  ifmr.search_range = {ShortestDecimal(message.search_range_start()),
                       ShortestDecimal(message.search_range_end())};
  ifmr.search_step = ShortestDecimal(message.search_step());
  return ifmr;
}

}  // namespace lathe::frontends
