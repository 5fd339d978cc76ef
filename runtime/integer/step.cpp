#include "lathe/runtime/integer/step.h"

namespace lathe::runtime::integer {

void Epilogue::AddReads(std::vector<TensorId>* ids) const {
  for (const Op& op : ops) {
    if (op.tensor) ids->push_back(*op.tensor);
  }
}

void Epilogue::AddWrites(std::vector<TensorId>* ids) const {
  if (sums_out) ids->push_back(*sums_out);
  if (floats_out) ids->push_back(*floats_out);
  for (const Quant& quant : quants) ids->push_back(quant.tensor);
}

std::vector<TensorId> EpilogueStep::Reads() const {
  std::vector<TensorId> ids = {input_};
  epilogue_->AddReads(&ids);
  return ids;
}

std::vector<TensorId> EpilogueStep::Writes() const {
  std::vector<TensorId> ids;
  epilogue_->AddWrites(&ids);
  return ids;
}

BoundEpilogue::BoundEpilogue(const Epilogue& epilogue, const TensorInfo& info,
                             const RunContext& context)
    : kernels_(context.kernels) {
  const auto data = [](const auto& values) { return values.empty() ? nullptr : values.data(); };
  args_.bias = data(epilogue.bias);
  args_.scale = data(epilogue.scale);
  args_.shift = data(epilogue.shift);
  args_.shift_scale = data(epilogue.shift_scale);
  args_.stride = info.stride;
  for (const Epilogue::Op& op : epilogue.ops) {
    const auto* tensor =
        op.tensor ? reinterpret_cast<const float*>(context.At(*op.tensor)) : nullptr;
    ops_.push_back({.kind = op.kind,
                    .low = op.low,
                    .high = op.high,
                    .values = data(op.values),
                    .tensor = tensor});
  }
  for (const Epilogue::Quant& quant : epilogue.quants) {
    const TensorInfo& target = context.tensors[quant.tensor];
    const bool wide = target.element == Element::kInt16;
    const QuantParams& params = quant.params;
    quants_.push_back({.data = context.At(quant.tensor),
                       .stride = target.stride,
                       .scale = params.scale,
                       .low = static_cast<float>(params.low - params.offset),
                       .high = static_cast<float>(params.high - params.offset),
                       .add = params.offset + (wide ? 0 : 128),
                       .wide = wide});
  }
  if (epilogue.sums_out) {
    args_.sums_out = reinterpret_cast<int32_t*>(context.At(*epilogue.sums_out));
  }
  if (epilogue.floats_out) {
    args_.floats_out = reinterpret_cast<float*>(context.At(*epilogue.floats_out));
  }
}

void BoundEpilogue::RunSums(const int32_t* sums, size_t source_stride, size_t first_row,
                            size_t num_rows, size_t first_channel, size_t num_channels) const {
  EpilogueArgs args = args_;
  args.sums = sums;
  args.source_stride = source_stride;
  Run(args, first_row, num_rows, first_channel, num_channels);
}

void BoundEpilogue::RunFloats(const float* floats, size_t source_stride, size_t first_row,
                              size_t num_rows, size_t first_channel, size_t num_channels) const {
  EpilogueArgs args = args_;
  args.floats = floats;
  args.source_stride = source_stride;
  Run(args, first_row, num_rows, first_channel, num_channels);
}

void BoundEpilogue::Run(EpilogueArgs& args, size_t first_row, size_t num_rows, size_t first_channel,
                        size_t num_channels) const {
  args.ops = ops_.data();
  args.num_ops = ops_.size();
  args.quants = quants_.data();
  args.num_quants = quants_.size();
  args.first_row = first_row;
  args.num_rows = num_rows;
  args.first_channel = first_channel;
  args.num_channels = num_channels;
  kernels_->epilogue(args);
}

}  // namespace lathe::runtime::integer
