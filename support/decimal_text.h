// Floats as decimal text, the way the reference's files hold them. No function here depends on the
// locale.
#pragma once

#include <string>

namespace lathe {

// The shortest decimal that reads back as the same double, written as Python's repr does: `0.7`,
// `20.0`, `1e-05`, `1.5e+16`; `inf`, `-inf` and `nan` where there is no number.
std::string DecimalText(double value);

// The double of the decimal with the fewest digits, but at least six, that reads back as the same
// float32: 0.8f gives 0.8, not 0.800000011920929. Infinities and NaN stay what they are.
double ShortestDecimal(float value);

}  // namespace lathe
