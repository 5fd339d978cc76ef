#include "lathe/passes/sparsity/prune_plan.h"

#include <algorithm>

#include <absl/container/flat_hash_map.h>

#include "lathe/passes/quant/quant_layer.h"
#include "lathe/quant/config/prune_record.h"
#include "lathe/quant/filter_prune.h"

namespace lathe::passes {
namespace {

bool IsTransposedGemm(const ir::Node& node) {
  return node.Is("Gemm") && node.IntAttribute("transB", 0) != 0;
}

// Output channels of a producer.
int64_t ChannelsOf(const ir::Node& node) {
  const ir::Tensor weight = node.input(1)->ConstantTensor();
  const bool first = node.Is("Conv") || IsTransposedGemm(node);
  return weight.dims()[first ? 0 : 1];
}

// The norms of the slot's channels.
StatusOr<std::vector<double>> NormsOf(const ChannelSlot& slot) {
  const ir::Node& node = *slot.node;
  const ir::Tensor weight = node.input(1)->ConstantTensor();
  LATHE_ASSIGN_OR_RETURN(const std::vector<float> values, weight.ValuesAsFloat());
  const int64_t channels = ChannelsOf(node);
  const bool first = node.Is("Conv") || IsTransposedGemm(node);
  const auto layout =
      first ? quant::WeightLayout::AlongAxis(1, channels, weight.num_elements() / channels)
            : quant::WeightLayout::AlongAxis(weight.dims()[0], channels, 1);
  std::vector<double> norms = quant::FilterNorms(values, layout);
  norms.erase(norms.begin() + slot.begin + slot.count, norms.end());
  norms.erase(norms.begin(), norms.begin() + slot.begin);
  return norms;
}

// No node may lose all of a range: one channel of it stays, that of the largest norm.
void LeaveOneOfEach(const ChannelRecord& record, const std::vector<double>& norms,
                    std::vector<int64_t>& chosen) {
  for (const auto* slots : {&record.producers, &record.consumers}) {
    for (const ChannelSlot& slot : *slots) {
      if (slot.count == record.size) continue;
      const auto first = std::ranges::lower_bound(chosen, slot.start);
      const auto last = std::ranges::lower_bound(chosen, slot.start + slot.count);
      if (last - first < slot.count) continue;
      chosen.erase(std::max_element(first, last, [&](int64_t a, int64_t b) {
        return norms[static_cast<size_t>(a)] < norms[static_cast<size_t>(b)];
      }));
    }
  }
}

class Planner {
 public:
  Planner(const quant::PruneSettings& settings, ChannelFlow flow) : flow_(std::move(flow)) {
    for (const quant::PruneLayerSettings& layer : settings.layers) {
      const auto* filter = std::get_if<quant::FilterPruneConfig>(&layer.method);
      if (filter != nullptr) filters_.emplace(layer.name, filter);
    }
  }

  StatusOr<PrunePlan> Run() {
    plan_.left = flow_.refused;
    for (const auto& [layer, record] : flow_.producers) {
      std::string why = flow_.records.WhyStopped(record);
      if (!why.empty()) plan_.left.emplace_back(layer, std::move(why));
    }
    for (const ChannelRecordId id : flow_.records.Alive()) {
      LATHE_RETURN_IF_ERROR(Choose(flow_.records.at(id)));
    }
    return std::move(plan_);
  }

 private:
  Status Choose(const ChannelRecord& record) {
    quant::FilterCut cut;
    cut.channels = record.size;
    cut.ratio = 1;
    cut.group = record.producers.front().prune_group.value_or(1);
    for (const ChannelSlot& producer : record.producers) {
      const quant::FilterPruneConfig& filter = *filters_.at(LayerName(*producer.node));
      cut.ratio = std::min(cut.ratio, filter.ratio);
      cut.ascend_optimized |= filter.ascend_optimized;
    }
    const int64_t count = quant::CountPrunedFilters(cut);
    std::vector<int64_t> chosen;
    if (count > 0) {
      LATHE_ASSIGN_OR_RETURN(const std::vector<double> norms, NormsOf(record.producers.front()));
      chosen = quant::ChoosePrunedFilters(norms, count, cut.group);
      const size_t before = chosen.size();
      LeaveOneOfEach(record, norms, chosen);
      // Groups would not lose equally many.
      if (chosen.size() != before && cut.group > 1) chosen.clear();
    }
    quant::PruneRecord result;
    for (const ChannelSlot& slot : record.producers) {
      result.producers.push_back(MakeNode(slot, chosen, ChannelsOf(*slot.node)));
      plan_.channels += slot.count;
      plan_.pruned += static_cast<int64_t>(chosen.size());
      if (chosen.empty()) {
        plan_.left.emplace_back(
            LayerName(*slot.node),
            fmt::format("of its {} channels none can go with ratio {}{}", cut.channels, cut.ratio,
                        cut.ascend_optimized ? " and a multiple of 16 left" : ""));
      }
    }
    for (const ChannelSlot& slot : record.consumers) {
      result.consumers.push_back(MakeNode(slot, chosen, std::nullopt));
    }
    plan_.records.push_back(std::move(result));
    return OkStatus();
  }

  // `channels`: of a producer.
  static quant::PruneNode MakeNode(const ChannelSlot& slot, const std::vector<int64_t>& chosen,
                                   std::optional<int64_t> channels) {
    quant::PruneSlot result;
    result.name = LayerName(*slot.node);
    result.type = slot.node->op_text();
    result.begin = slot.begin;
    result.end = slot.begin + slot.count * slot.repeat;
    result.group = slot.group;
    result.prune_group = slot.prune_group;
    result.axis = slot.axis;
    if (channels.has_value() && *channels != slot.count) result.channels = channels;
    for (const int64_t channel : chosen) {
      if (channel < slot.start || channel >= slot.start + slot.count) continue;
      const int64_t first = slot.begin + (channel - slot.start) * slot.repeat;
      for (int64_t i = 0; i < slot.repeat; ++i) result.prune_index.push_back(first + i);
    }
    return quant::MakePruneNode(result);
  }

  ChannelFlow flow_;
  absl::flat_hash_map<std::string_view, const quant::FilterPruneConfig*> filters_;
  PrunePlan plan_;
};

}  // namespace

StatusOr<PrunePlan> PlanPruning(const ir::Model& model, const quant::PruneSettings& settings,
                                PruneReach reach) {
  return Planner(settings, FindChannelFlow(model, settings, reach)).Run();
}

}  // namespace lathe::passes
