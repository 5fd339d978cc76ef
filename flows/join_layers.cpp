#include "lathe/flows/join_layers.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "lathe/flows/run_batches.h"
#include "lathe/flows/tap_values.h"
#include "lathe/passes/quant/joint_groups.h"
#include "lathe/quant/dequant_word.h"
#include "lathe/quant/joint_scales.h"
#include "lathe/quant/search_n.h"

namespace lathe::flows {
namespace {

// The search over one layer's result. Each has its own, so that the order in which layers finish
// cannot reach the sums of errors.
struct Branch {
  std::string layer;
  const ir::Value* result = nullptr;
  quant::SearchNObserver search;
};

quant::LayerRecord& EntryOf(quant::Record& record, const std::string& layer) {
  return *std::ranges::find(record.entries, layer, &quant::RecordEntry::key)->value;
}

// Sets the common scales; false when there are none.
bool ShareScales(const passes::JointGroup& group, quant::Record& record) {
  std::vector<quant::JointBranch> branches;
  for (const passes::QuantLayer& layer : group.layers) {
    const quant::LayerRecord& entry = EntryOf(record, layer.name);
    branches.push_back({*entry.scale_d, entry.scale_w});
  }
  auto scales = quant::JointWeightScales(branches);
  if (!scales) return false;
  for (size_t i = 0; i < group.layers.size(); ++i) {
    quant::LayerRecord& entry = EntryOf(record, group.layers[i].name);
    entry.scale_w = std::move((*scales)[i]);
    entry.offset_w.assign(entry.scale_w.size(), 0);
  }
  return true;
}

StatusOr<Branch> MakeBranch(const passes::QuantLayer& layer, const quant::Record& record) {
  const quant::LayerRecord& entry = *record.Find(layer.name);
  quant::SearchNOptions options;
  for (const float scale : entry.scale_w) {
    options.deq_scales.push_back(quant::DequantScale(scale, *entry.scale_d));
  }
  options.channels = static_cast<int64_t>(options.deq_scales.size());
  LATHE_ASSIGN_OR_RETURN(quant::SearchNObserver search, quant::SearchNObserver::Create(options));
  return Branch{layer.name, layer.result()->Resolve(), std::move(search)};
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

Status Observe(Branch& branch, int64_t channels, const eval::TensorView& view) {
  std::vector<float> storage;
  const auto values = TapValues(view, storage);
  if (!values) {
    return InvalidInput("its result is {}, not floats", ir::ElementTypeName(view.element_type));
  }
  LATHE_ASSIGN_OR_RETURN(const quant::WeightLayout layout, LayoutOf(view.dims, channels));
  return branch.search.Observe(*values, layout);
}

Status SearchShifts(const ir::Model& observed, std::vector<std::vector<Branch>>& groups,
                    int64_t batch_num, eval::Engine& engine, const frontends::BatchSource& data,
                    const RunControl& control, const quant::Record& record) {
  std::vector<eval::Tap> taps;
  for (std::vector<Branch>& group : groups) {
    for (Branch& branch : group) {
      const auto channels = static_cast<int64_t>(record.Find(branch.layer)->scale_w.size());
      taps.push_back({branch.result, [&branch, channels](const eval::TensorView& view) {
                        return WithContext(Observe(branch, channels, view), ErrorContext::kNode,
                                           branch.layer);
                      }});
    }
  }
  return RunBatches(observed, std::move(taps), engine, data, static_cast<size_t>(batch_num),
                    "searching shifts", control);
}

}  // namespace

StatusOr<std::vector<std::string>> JoinLayers(const ir::Model& observed, int64_t batch_num,
                                              eval::Engine& engine,
                                              const frontends::BatchSource& data,
                                              const RunControl& control, quant::Record& record) {
  std::vector<std::string> notes;
  std::vector<std::vector<Branch>> groups;
  for (const passes::JointGroup& group : passes::FindJointGroups(observed, record)) {
    const std::string names =
        fmt::format("'{}' and '{}'", group.layers[0].name, group.layers[1].name);
    if (!ShareScales(group, record)) {
      notes.push_back(
          fmt::format("joint_quant: {} are not joined: their scales have no common "
                      "product in float32",
                      names));
      continue;
    }
    std::vector<Branch>& branches = groups.emplace_back();
    for (const passes::QuantLayer& layer : group.layers) {
      LATHE_ASSIGN_OR_RETURN(Branch branch, MakeBranch(layer, record));
      branches.push_back(std::move(branch));
    }
    notes.push_back(fmt::format("joint_quant: {} share scales and shifts for '{}'", names,
                                group.add->display_name()));
  }
  if (notes.empty()) {
    notes.emplace_back(
        "joint_quant: no Add has two quantised layers in front of it and a quantised one behind "
        "it: nothing was joined");
  }
  if (groups.empty()) return notes;
  LATHE_RETURN_IF_ERROR(SearchShifts(observed, groups, batch_num, engine, data, control, record));
  for (std::vector<Branch>& branches : groups) {
    for (size_t i = 1; i < branches.size(); ++i) branches[0].search.Add(branches[i].search);
    LATHE_ASSIGN_OR_RETURN(const std::vector<uint32_t> shifts, branches[0].search.Finish());
    for (const Branch& branch : branches) EntryOf(record, branch.layer).shift_bit = shifts;
  }
  return notes;
}

}  // namespace lathe::flows
