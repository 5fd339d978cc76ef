// How many of the most sensitive layers go back to float.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>

#include "lathe/support/status.h"

namespace lathe::flows {

// The reference's binary search (7.11). `meets(k)` says whether the network with the k most
// sensitive of `num_layers` layers left float is good enough; it is asked
// O(log num_layers) times, first with 0, never twice with the same, and never with num_layers,
// where nothing would be quantised. Returns the smallest k found good, as it would be where more
// float layers are never worse; nothing when the search comes to num_layers. Errors are those of
// `meets`.
StatusOr<std::optional<size_t>> SearchRollback(size_t num_layers,
                                               const std::function<StatusOr<bool>(size_t)>& meets);

}  // namespace lathe::flows
