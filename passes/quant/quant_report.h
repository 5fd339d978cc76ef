// What quantisation could not do, for the summary.
#pragma once

#include <string>
#include <vector>

namespace lathe::passes {

struct LeftFloat {
  std::string layer;
  std::string reason;
};

struct QuantReport {
  std::vector<LeftFloat> left_float;
};

}  // namespace lathe::passes
