// The functions and classes that a checkpoint may name. Their names select what is built here;
// nothing is looked up or called.
#pragma once

#include <cstdint>
#include <string_view>

#include "lathe/ir/element_type.h"

namespace lathe::frontends::internal {

struct PickleGlobal {
  enum class Role : uint8_t {
    kOrderedDict,
    kTensor,       // (storage, offset, size, stride)
    kTensorV2,     // the same, and requires_grad, hooks, [metadata]
    kTensorV3,     // the same, and the element type; the storage has none
    kParameter,    // (tensor, requires_grad, hooks)
    kSize,         // (tuple)
    kDevice,       // (text, [number])
    kStorageType,  // never called
    kElementType,  // never called
  };
  std::string_view module;
  std::string_view name;
  Role role = Role::kOrderedDict;
  // Of storage and element types; undefined: storage without a type.
  ir::ElementType type = ir::ElementType::kUndefined;
};

// Null when it is not one of them.
const PickleGlobal* FindPickleGlobal(std::string_view module, std::string_view name);

}  // namespace lathe::frontends::internal
