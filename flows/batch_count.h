// How many batches of the data a job takes: its configuration's batch_num.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lathe/frontends/data/batches.h"
#include "lathe/support/status.h"

namespace lathe::flows {

// Error: `data` has fewer than batch_num batches.
Status CheckEnoughBatches(int64_t batch_num, const frontends::BatchSource& data);

// Adds a note where `data` has more.
void NoteUnusedBatches(int64_t batch_num, const frontends::BatchSource& data,
                       std::vector<std::string>& notes);

}  // namespace lathe::flows
