// Two ways of writing the same thing in a file: a reader notes the unusual one, so that export
// writes it again. No pass needs to look at it, and it is ignored where the field has a value by
// then.
#pragma once

#include <cstdint>

namespace lathe::ir {

// Bits of a mask.
enum Spelling : uint8_t {
  // The file states an empty string where it could have left the field out.
  kEmptyName = 1,
  kEmptyDomain = 2,
  kEmptyDoc = 4,
  kEmptyOverload = 8,
  // A type is stated that says nothing.
  kEmptyType = 16,
  // An attribute without its `type` (IR versions before 2), or whose value, being zero or empty,
  // was left out.
  kTypeLeftOut = 32,
  kValueLeftOut = 64,
  // A graph output whose entry among the outputs states no type, though the type is known.
  kOutputTypeLeftOut = 128,
};

}  // namespace lathe::ir
