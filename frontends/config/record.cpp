#include "lathe/frontends/config/record.h"

#include "lathe/frontends/config/internal/text_proto.h"
#include "lathe/proto/scale_offset_record.pb.h"

namespace lathe::frontends {
namespace {

namespace proto = AMCTPytorchProto;

template <typename Repeated>
auto ToVector(const Repeated& values) {
  return std::vector<typename Repeated::value_type>(values.begin(), values.end());
}

quant::LayerRecord Read(const proto::SingleLayerRecord& message) {
  quant::LayerRecord record;
  if (message.has_scale_d()) record.scale_d = message.scale_d();
  if (message.has_offset_d()) record.offset_d = message.offset_d();
  record.scale_w = ToVector(message.scale_w());
  record.offset_w = ToVector(message.offset_w());
  record.shift_bit = ToVector(message.shift_bit());
  record.tensor_balance_factor = ToVector(message.tensor_balance_factor());
  if (message.has_skip_fusion()) record.skip_fusion = message.skip_fusion();
  if (message.has_dst_type()) record.dst_type = message.dst_type();
  if (message.has_act_type()) record.act_type = message.act_type();
  if (message.has_wts_type()) record.wts_type = message.wts_type();
  if (message.has_fakequant_precision_mode()) {
    record.fakequant_precision_mode = message.fakequant_precision_mode();
  }
  if (message.has_is_tensor_quantize()) record.is_tensor_quantize = message.is_tensor_quantize();
  if (message.has_op_data_type()) record.op_data_type = message.op_data_type();
  if (message.has_scale_h()) record.scale_h = message.scale_h();
  if (message.has_offset_h()) record.offset_h = message.offset_h();
  record.scale_r = ToVector(message.scale_r());
  record.offset_r = ToVector(message.offset_r());
  return record;
}

quant::PruneAttribute Read(const AMCTProto::AttrProto& message) {
  quant::PruneAttribute attribute;
  if (message.has_name()) attribute.name = message.name();
  if (message.has_type()) attribute.type = static_cast<quant::PruneAttributeType>(message.type());
  if (message.has_f()) attribute.f = message.f();
  if (message.has_i()) attribute.i = message.i();
  if (message.has_s()) attribute.s = message.s();
  attribute.floats = ToVector(message.floats());
  attribute.ints = ToVector(message.ints());
  attribute.strings = ToVector(message.strings());
  return attribute;
}

quant::PruneNode Read(const proto::PruneNode& message) {
  quant::PruneNode node;
  node.name = message.name();
  for (const auto& attribute : message.attr()) node.attributes.push_back(Read(attribute));
  return node;
}

}  // namespace

StatusOr<quant::Record> ParseRecord(std::string_view text) {
  proto::ScaleOffsetRecord message;
  LATHE_RETURN_IF_ERROR(ParseTextProto(text, message));
  quant::Record record;
  for (const auto& entry : message.record()) {
    quant::RecordEntry& result = record.entries.emplace_back();
    if (entry.has_key()) result.key = entry.key();
    if (entry.has_value()) result.value = Read(entry.value());
    if (entry.has_kv_cache_value()) {
      result.kv_cache_value = {ToVector(entry.kv_cache_value().scale()),
                               ToVector(entry.kv_cache_value().offset())};
    }
  }
  for (const auto& prune : message.prune_record()) {
    quant::PruneRecord& result = record.prune_records.emplace_back();
    for (const auto& node : prune.producer()) result.producers.push_back(Read(node));
    for (const auto& node : prune.consumer()) result.consumers.push_back(Read(node));
    if (prune.has_selective_prune()) result.selective_prune = Read(prune.selective_prune());
  }
  return record;
}

}  // namespace lathe::frontends
