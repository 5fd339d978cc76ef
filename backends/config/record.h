// Writes the record file (the reference's 2.6 and 2.7).
#pragma once

#include <string>

#include "lathe/quant/config/record.h"

namespace lathe::backends {

// Byte for byte as the reference writes it: fields in the order of their numbers, floats as the
// shortest decimals that mean the same float32 ("1.0", "1e-05"), a newline at the end. Never fails:
// any bytes of a string can be escaped. An empty record is an empty text.
std::string WriteRecord(const quant::Record& record);

}  // namespace lathe::backends
