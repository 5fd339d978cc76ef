#include "lathe/flows/observer_context.h"

#include <algorithm>

namespace lathe::flows {
namespace {

// A piece ends with a walk over a histogram of 2^16 bins: smaller ones would be mostly that.
constexpr size_t kSmallestPiece = size_t{1} << 16;

// So many that the threads end at about the same time.
constexpr size_t kPiecesPerThread = 3;

}  // namespace

Status ObserverContext::Observe(quant::IfmrObserver& observer, std::span<const float> values) {
  const size_t most = kPiecesPerThread * static_cast<size_t>(pool_.num_threads());
  const size_t size = std::max((values.size() + most - 1) / most, kSmallestPiece);
  std::vector<Status> statuses((values.size() + size - 1) / size);
  pool_.ParallelFor(statuses.size(), [&](size_t i, int thread) {
    const size_t begin = i * size;
    statuses[i] = observer.Observe(values.subspan(begin, std::min(size, values.size() - begin)),
                                   scratch(thread));
  });
  return FirstError(statuses);
}

Status FirstError(std::span<const Status> statuses) {
  const auto failed = std::ranges::find_if(statuses, [](const Status& each) { return !each.ok(); });
  return failed == statuses.end() ? OkStatus() : *failed;
}

}  // namespace lathe::flows
