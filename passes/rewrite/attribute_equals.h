// Questions about attributes, as patterns ask them.
#pragma once

#include <string>
#include <string_view>

#include "lathe/ir/rewriter.h"

namespace lathe::passes {

// The attribute's value is of the same kind and equal; floats bit by bit, tensors with type and
// dims. False for a reference to an attribute of the function around.
bool AttributeEquals(const ir::Attribute& attribute, const ir::PlainAttribute& value);

// "attribute 'axis' is 2, not 1", "attribute 'axis' is absent, 1 is asked for"; `attribute` may be
// null.
std::string AttributeDiffers(std::string_view name, const ir::Attribute* attribute,
                             const ir::PlainAttribute& wanted);

}  // namespace lathe::passes
