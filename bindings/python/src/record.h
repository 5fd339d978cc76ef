// lathe.Record: the factors of a network's layers.
#pragma once

#include <optional>
#include <string>

#include <nanobind/nanobind.h>

#include "lathe/flows/balance_model.h"
#include "lathe/quant/config/record.h"

namespace lathe::python {

namespace nb = nanobind;

// A record and the file that it came from, for messages; the file may be unknown.
struct Record {
  quant::Record record;
  std::string path;
};

void AddRecord(nb::module_& module);

// Where functions take a path or a lathe.Record. Throws what reading finds.
Record RecordArgument(nb::handle given);
// The same of balance factors; None: there are none.
std::optional<flows::BalanceRecord> BalanceArgument(nb::handle given);

}  // namespace lathe::python
