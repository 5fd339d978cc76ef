#include "lathe/flows/batch_count.h"

namespace lathe::flows {

Status CheckEnoughBatches(int64_t batch_num, const frontends::BatchSource& data) {
  const auto wanted = static_cast<size_t>(batch_num);
  if (data.num_batches() >= wanted) return OkStatus();
  return WithContext(InvalidInput("the configuration asks for {} batches, the data has {}", wanted,
                                  data.num_batches()),
                     ErrorContext::kHint, "give more data or lower batch_num");
}

void NoteUnusedBatches(int64_t batch_num, const frontends::BatchSource& data,
                       std::vector<std::string>& notes) {
  const auto used = static_cast<size_t>(batch_num);
  if (data.num_batches() <= used) return;
  notes.push_back(fmt::format("batch_num is {}: {} batches of the data were not used", used,
                              data.num_batches() - used));
}

}  // namespace lathe::flows
