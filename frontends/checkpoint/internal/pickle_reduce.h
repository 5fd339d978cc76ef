// The few calls that a checkpoint's pickle makes, done here on plain values.
#pragma once

#include "lathe/frontends/checkpoint/internal/pickle_global.h"
#include "lathe/frontends/checkpoint/internal/pickle_value.h"
#include "lathe/support/status.h"

namespace lathe::frontends::internal {

// The result of `global` for `arguments`, a tuple. Errors: arguments that PyTorch does not write,
// a type that is called, a view that is conjugated or negated.
StatusOr<PickleValue> CallGlobal(PickleHeap& heap, const PickleGlobal& global,
                                 const PickleValue& arguments);

// The storage that a persistent id names: ('storage', type, key, device, elements, [view]). Errors:
// another id.
StatusOr<PickleValue> ReadStorageId(PickleHeap& heap, const PickleValue& id);

}  // namespace lathe::frontends::internal
