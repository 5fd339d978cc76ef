// Pass pow-to-mul: replace Pow(x, 2) by Mul(x, x).
#pragma once

#include <lathe/passes/core/pass.h>

namespace example {

const lathe::passes::PassDescriptor& PowToMulPass();

}  // namespace example
