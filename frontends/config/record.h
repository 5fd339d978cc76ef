// Reads the record file: the text form of ScaleOffsetRecord (the reference's 2.6 and 2.7).
#pragma once

#include <string_view>

#include "lathe/quant/config/record.h"
#include "lathe/support/status.h"

namespace lathe::frontends {

// Everything the text says, nothing checked but its form; errors give line and column. An empty
// text is an empty record.
StatusOr<quant::Record> ParseRecord(std::string_view text);

}  // namespace lathe::frontends
