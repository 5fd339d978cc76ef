// What a file declares about a value together with what is inferred about it.
#pragma once

#include <string>

#include "lathe/ir/model.h"

namespace lathe::ir {

// The type that says what both say. Extents win over symbols, symbols over unknown extents; of two
// symbols the declared one stays. When they contradict each other, `*conflict` says how, and the
// declared type is returned.
const Type* MergeTypes(const Model& model, const Type* declared, const Type* inferred,
                       std::string* conflict);

// "f32[1,8,?,N]"; "f32[...]" for an unknown rank.
std::string DescribeType(const Type& type);

}  // namespace lathe::ir
