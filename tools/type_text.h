// Types for people: "f32[batch,3,224,224]", "sequence of i64[?]".
#pragma once

#include <string>

#include "lathe/ir/type.h"

namespace lathe::tools {

// An unknown extent is "?", an unknown rank "[...]".
std::string TypeText(const ir::Type& type);

}  // namespace lathe::tools
