#include "lathe/flows/search_shifts.h"

#include <algorithm>
#include <utility>

#include "lathe/flows/tap_values.h"
#include "lathe/quant/dequant_word.h"
#include "lathe/quant/joint_scales.h"

namespace lathe::flows {
namespace {

quant::LayerRecord& EntryOf(quant::Record& record, const std::string& layer) {
  return *std::ranges::find(record.entries, layer, &quant::RecordEntry::key)->value;
}

// The search over one layer's result. Each has its own, so that the order in which layers finish
// cannot reach the sums of errors.
struct Branch {
  std::string layer;
  const ir::Value* result = nullptr;
  int64_t channels = 1;
  quant::SearchNObserver search;
};

StatusOr<Branch> MakeBranch(const ShiftGroup::Layer& layer, bool one_shift,
                            quant::SearchNVersion version, const quant::Record& record) {
  const quant::LayerRecord& entry = *record.Find(layer.name);
  quant::SearchNOptions options;
  options.version = version;
  for (const float scale : entry.scale_w) {
    options.deq_scales.push_back(quant::DequantScale(scale, *entry.scale_d));
  }
  if (one_shift && version == quant::SearchNVersion::kV1) options.deq_scales.resize(1);
  options.broadcast = one_shift && version == quant::SearchNVersion::kV2;
  options.channels = static_cast<int64_t>(options.deq_scales.size());
  LATHE_ASSIGN_OR_RETURN(quant::SearchNObserver search, quant::SearchNObserver::Create(options));
  return Branch{layer.name, layer.result->Resolve(), options.channels, std::move(search)};
}

// Convolutions have their channels along axis 1; a layer with one scale has one for all values.
StatusOr<quant::WeightLayout> LayoutOf(std::span<const int64_t> dims, int64_t channels) {
  int64_t size = 1;
  for (const int64_t dim : dims) size *= dim;
  if (channels == 1) return quant::WeightLayout::PerTensor(size);
  if (dims.size() < 2 || dims[1] != channels) {
    return InvalidInput("its result [{}] does not have {} channels", fmt::join(dims, ","),
                        channels);
  }
  const int64_t after = size == 0 ? 0 : size / (dims[0] * dims[1]);
  return quant::WeightLayout::AlongAxis(dims[0], dims[1], after);
}

Status Observe(Branch& branch, const eval::TensorView& view) {
  std::vector<float> storage;
  const auto values = TapValues(view, storage);
  if (!values) {
    return InvalidInput("its result is {}, not floats", ir::ElementTypeName(view.element_type));
  }
  LATHE_ASSIGN_OR_RETURN(const quant::WeightLayout layout, LayoutOf(view.dims, branch.channels));
  return branch.search.Observe(*values, layout);
}

}  // namespace

Status SearchShifts(const ir::Model& network, const std::vector<ShiftGroup>& groups,
                    quant::SearchNVersion version, int64_t batch_num, eval::Engine& engine,
                    const frontends::BatchSource& data, const RunControl& control,
                    quant::Record& record) {
  std::vector<std::vector<Branch>> searches;
  for (const ShiftGroup& group : groups) {
    std::vector<Branch>& branches = searches.emplace_back();
    for (const ShiftGroup::Layer& layer : group.layers) {
      LATHE_ASSIGN_OR_RETURN(Branch branch, MakeBranch(layer, group.one_shift, version, record));
      branches.push_back(std::move(branch));
    }
  }
  std::vector<eval::Tap> taps;
  for (std::vector<Branch>& branches : searches) {
    for (Branch& branch : branches) {
      taps.push_back({branch.result, [&branch](const eval::TensorView& view) {
                        return WithContext(Observe(branch, view), ErrorContext::kNode,
                                           branch.layer);
                      }});
    }
  }
  LATHE_RETURN_IF_ERROR(RunBatches(network, std::move(taps), engine, data,
                                   static_cast<size_t>(batch_num), "searching shifts", control));
  for (std::vector<Branch>& branches : searches) {
    for (size_t i = 1; i < branches.size(); ++i) branches[0].search.Add(branches[i].search);
    LATHE_ASSIGN_OR_RETURN(const std::vector<uint32_t> shifts, branches[0].search.Finish());
    for (const Branch& branch : branches) {
      quant::LayerRecord& entry = EntryOf(record, branch.layer);
      entry.shift_bit = shifts;
      entry.shift_bit.resize(entry.scale_w.size(), shifts[0]);
    }
  }
  return OkStatus();
}

bool ShareScales(std::span<const std::string> layers, quant::Record& record) {
  std::vector<quant::JointBranch> branches;
  for (const std::string& layer : layers) {
    const quant::LayerRecord& entry = EntryOf(record, layer);
    branches.push_back({*entry.scale_d, entry.scale_w});
  }
  auto scales = quant::JointWeightScales(branches);
  if (!scales) return false;
  for (size_t i = 0; i < layers.size(); ++i) {
    quant::LayerRecord& entry = EntryOf(record, layers[i]);
    entry.scale_w = std::move((*scales)[i]);
    entry.offset_w.assign(entry.scale_w.size(), 0);
  }
  return true;
}

}  // namespace lathe::flows
