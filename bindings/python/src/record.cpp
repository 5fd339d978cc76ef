#include "lathe/bindings/python/src/record.h"

#include <vector>

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "lathe/backends/config/record.h"
#include "lathe/bindings/python/src/border.h"
#include "lathe/bindings/python/src/model.h"
#include "lathe/frontends/config/record.h"
#include "lathe/support/atomic_file.h"
#include "lathe/support/text_file.h"

namespace lathe::python {
namespace {

using quant::LayerRecord;

StatusOr<Record> ReadRecord(const std::string& path) {
  LATHE_ASSIGN_OR_RETURN(const std::string text, ReadTextFile(path));
  auto record = frontends::ParseRecord(text);
  if (!record.ok()) return WithContext(record.status(), ErrorContext::kFile, path);
  return Record{*std::move(record), path};
}

void AddLayerRecord(nb::module_& module) {
  nb::class_<LayerRecord>(module, "LayerRecord",
                          "The factors of a layer: q = clamp(round(x / scale) + offset).")
      .def_ro("scale_d", &LayerRecord::scale_d)
      .def_ro("offset_d", &LayerRecord::offset_d)
      .def_ro("scale_w", &LayerRecord::scale_w)
      .def_ro("offset_w", &LayerRecord::offset_w)
      .def_ro("shift_bit", &LayerRecord::shift_bit)
      .def_ro("tensor_balance_factor", &LayerRecord::tensor_balance_factor)
      .def_ro("dst_type", &LayerRecord::dst_type)
      .def_ro("act_type", &LayerRecord::act_type)
      .def_ro("wts_type", &LayerRecord::wts_type)
      .def_ro("fakequant_precision_mode", &LayerRecord::fakequant_precision_mode)
      .def_ro("scale_h", &LayerRecord::scale_h)
      .def_ro("offset_h", &LayerRecord::offset_h)
      .def_ro("scale_r", &LayerRecord::scale_r)
      .def_ro("offset_r", &LayerRecord::offset_r);
}

}  // namespace

Record RecordArgument(nb::handle given) {
  if (nb::isinstance<Record>(given)) return nb::cast<const Record&>(given);
  return Call().Run([path = PathOf(given)] { return ReadRecord(path); });
}

std::optional<flows::BalanceRecord> BalanceArgument(nb::handle given) {
  if (given.is_none()) return std::nullopt;
  Record record = RecordArgument(given);
  return flows::BalanceRecord{std::move(record.record), std::move(record.path)};
}

void AddRecord(nb::module_& module) {
  AddLayerRecord(module);
  nb::class_<Record>(module, "Record", "The factors of a network's layers, by name.")
      .def_static(
          "load",
          [](nb::handle path) {
            return Call().Run([from = PathOf(path)] { return ReadRecord(from); });
          },
          nb::arg("path"), nb::sig("def load(path: str | os.PathLike[str]) -> Record"))
      .def(
          "save",
          [](const Record& self, nb::handle path) {
            Check(WriteFileAtomically(PathOf(path), backends::WriteRecord(self.record)));
          },
          nb::arg("path"), nb::sig("def save(self, path: str | os.PathLike[str]) -> None"))
      .def_prop_ro(
          "text", [](const Record& self) { return backends::WriteRecord(self.record); },
          "What the file holds.")
      .def_prop_ro("layers",
                   [](const Record& self) {
                     std::vector<std::string> names;
                     for (const quant::RecordEntry& entry : self.record.entries) {
                       if (entry.key && entry.value) names.push_back(*entry.key);
                     }
                     return names;
                   })
      .def("__len__", [](const Record& self) { return self.record.entries.size(); })
      .def("__contains__",
           [](const Record& self, const std::string& layer) {
             return self.record.Find(layer) != nullptr;
           })
      .def("__getitem__", [](const Record& self, const std::string& layer) {
        const LayerRecord* found = self.record.Find(layer);
        if (found == nullptr) throw nb::key_error(layer.c_str());
        return *found;
      });
}

}  // namespace lathe::python
