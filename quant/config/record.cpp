#include "lathe/quant/config/record.h"

#include <initializer_list>

#include "lathe/support/quoted.h"

namespace lathe::quant {
namespace {

StatusOr<int> ParseBits(std::string_view field, std::string_view text,
                        std::initializer_list<int> allowed) {
  std::string list;
  for (const int bits : allowed) {
    const std::string name = fmt::format("INT{}", bits);
    if (text == name) return bits;
    list += (list.empty() ? "" : ", ") + name;
  }
  return InvalidInput("{} is {}, allowed are {}", field, Quoted(text), list);
}

}  // namespace

const LayerRecord* Record::Find(std::string_view key) const {
  for (const RecordEntry& entry : entries) {
    if (entry.key == key && entry.value.has_value()) return &*entry.value;
  }
  return nullptr;
}

bool HasNoFactors(const LayerRecord& record) {
  return record.scale_d.value_or(0) == 0 && record.offset_d.value_or(0) == 0 &&
         record.scale_w.empty() && record.offset_w.empty() && record.shift_bit.empty() &&
         record.scale_h.value_or(0) == 0 && record.offset_h.value_or(0) == 0 &&
         record.scale_r.empty() && record.offset_r.empty();
}

StatusOr<RecordBits> ResolveRecordBits(const LayerRecord& record) {
  RecordBits bits;
  if (record.act_type.has_value()) {
    LATHE_ASSIGN_OR_RETURN(bits.activation, ParseBits("act_type", *record.act_type, {4, 8, 16}));
  }
  if (record.wts_type.has_value()) {
    LATHE_ASSIGN_OR_RETURN(bits.weight, ParseBits("wts_type", *record.wts_type, {4, 6, 7, 8}));
  }
  if (record.dst_type.has_value()) {
    LATHE_ASSIGN_OR_RETURN(bits.activation, ParseBits("dst_type", *record.dst_type, {4, 8}));
    bits.weight = bits.activation;
  }
  return bits;
}

}  // namespace lathe::quant
