// The quantisation half of an AMCTRetrainConfig.
#pragma once

#include <string>
#include <vector>

#include "lathe/proto/retrain_config.pb.h"
#include "lathe/quant/config/amct_retrain_config.h"

namespace lathe::frontends {

// Floats become the doubles of their shortest float32 decimals.
quant::AmctRetrainConfig ReadRetrainFields(const AMCTPytorchProto::AMCTRetrainConfig& message);

template <typename Strings>
std::vector<std::string> ToStringVector(const Strings& strings) {
  return {strings.begin(), strings.end()};
}

}  // namespace lathe::frontends
