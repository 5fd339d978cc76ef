#include "lathe/flows/rollback_search.h"

namespace lathe::flows {

StatusOr<std::optional<size_t>> SearchRollback(size_t num_layers,
                                               const std::function<StatusOr<bool>(size_t)>& meets) {
  LATHE_ASSIGN_OR_RETURN(const bool all_quantized, meets(0));
  if (all_quantized) return std::optional<size_t>(0);
  std::optional<size_t> good;
  // What is not known yet.
  size_t low = 1;
  size_t high = num_layers;
  while (low <= high) {
    const size_t middle = low + (high - low) / 2;
    // Everything before was too little.
    if (middle == num_layers) break;
    LATHE_ASSIGN_OR_RETURN(const bool enough, meets(middle));
    if (enough) {
      good = middle;
      high = middle - 1;
    } else {
      low = middle + 1;
    }
  }
  return good;
}

}  // namespace lathe::flows
