#include "lathe/backends/config/record.h"

#include <concepts>
#include <optional>
#include <string_view>
#include <vector>

#include <absl/strings/escaping.h>
#include <fmt/format.h>

#include "lathe/support/decimal_text.h"

namespace lathe::backends {
namespace {

std::string_view Name(quant::PruneAttributeType type) {
  using enum quant::PruneAttributeType;
  switch (type) {
    case kUndefined:
      return "UNDEFINED";
    case kFloat:
      return "FLOAT";
    case kInt:
      return "INT";
    case kString:
      return "STRING";
    case kFloats:
      return "FLOATS";
    case kInts:
      return "INTS";
    case kStrings:
      return "STRINGS";
  }
  return "UNDEFINED";
}

std::string Text(float value) { return DecimalText(ShortestDecimal(value)); }
std::string Text(std::integral auto value) { return fmt::format("{}", value); }  // true, false too
std::string Text(const std::string& value) { return '"' + absl::CEscape(value) + '"'; }
std::string Text(quant::PruneAttributeType type) { return std::string(Name(type)); }

// Protobuf's text format: two spaces a level, a field a line.
class ProtoText {
 public:
  void Begin(std::string_view message) {
    Line(fmt::format("{} {{", message));
    ++level_;
  }

  void End() {
    --level_;
    Line("}");
  }

  template <typename T>
  void Field(std::string_view name, const T& value) {
    Line(fmt::format("{}: {}", name, Text(value)));
  }
  template <typename T>
  void Field(std::string_view name, const std::optional<T>& value) {
    if (value.has_value()) Field(name, *value);
  }
  template <typename T>
  void Field(std::string_view name, const std::vector<T>& values) {
    for (const T& value : values) Field(name, value);
  }

  std::string Finish() && { return std::move(text_); }

 private:
  void Line(std::string_view line) {
    text_.append(level_ * 2, ' ');
    text_ += line;
    text_ += '\n';
  }

  std::string text_;
  size_t level_ = 0;
};

void Write(const quant::LayerRecord& record, ProtoText& out) {
  out.Field("scale_d", record.scale_d);
  out.Field("offset_d", record.offset_d);
  out.Field("scale_w", record.scale_w);
  out.Field("offset_w", record.offset_w);
  out.Field("shift_bit", record.shift_bit);
  out.Field("tensor_balance_factor", record.tensor_balance_factor);
  out.Field("skip_fusion", record.skip_fusion);
  out.Field("is_tensor_quantize", record.is_tensor_quantize);
  out.Field("dst_type", record.dst_type);
  out.Field("act_type", record.act_type);
  out.Field("wts_type", record.wts_type);
  out.Field("fakequant_precision_mode", record.fakequant_precision_mode);
  out.Field("op_data_type", record.op_data_type);
  out.Field("scale_h", record.scale_h);
  out.Field("offset_h", record.offset_h);
  out.Field("scale_r", record.scale_r);
  out.Field("offset_r", record.offset_r);
}

void Write(std::string_view field, const quant::PruneNode& node, ProtoText& out) {
  out.Begin(field);
  out.Field("name", node.name);
  for (const quant::PruneAttribute& attribute : node.attributes) {
    out.Begin("attr");
    out.Field("name", attribute.name);
    out.Field("type", attribute.type);
    out.Field("f", attribute.f);
    out.Field("i", attribute.i);
    out.Field("s", attribute.s);
    out.Field("floats", attribute.floats);
    out.Field("ints", attribute.ints);
    out.Field("strings", attribute.strings);
    out.End();
  }
  out.End();
}

}  // namespace

std::string WriteRecord(const quant::Record& record) {
  ProtoText out;
  for (const quant::RecordEntry& entry : record.entries) {
    out.Begin("record");
    out.Field("key", entry.key);
    if (entry.value.has_value()) {
      out.Begin("value");
      Write(*entry.value, out);
      out.End();
    }
    if (entry.kv_cache_value.has_value()) {
      out.Begin("kv_cache_value");
      out.Field("scale", entry.kv_cache_value->scale);
      out.Field("offset", entry.kv_cache_value->offset);
      out.End();
    }
    out.End();
  }
  for (const quant::PruneRecord& prune : record.prune_records) {
    out.Begin("prune_record");
    for (const quant::PruneNode& node : prune.producers) Write("producer", node, out);
    for (const quant::PruneNode& node : prune.consumers) Write("consumer", node, out);
    if (prune.selective_prune.has_value()) Write("selective_prune", *prune.selective_prune, out);
    out.End();
  }
  return std::move(out).Finish();
}

}  // namespace lathe::backends
