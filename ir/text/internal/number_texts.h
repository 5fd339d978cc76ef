#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "lathe/ir/element_type.h"

namespace lathe::ir::text {

// `count` elements of types that have a number of their own in text, separated by commas; empty for
// the other types.
std::string NumberTexts(ElementType type, std::span<const std::byte> bytes, size_t count);

}  // namespace lathe::ir::text
