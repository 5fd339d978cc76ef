#include "lathe/flows/calibration.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string_view>
#include <variant>

#include <absl/container/flat_hash_set.h>

#include "lathe/flows/layer_observer.h"
#include "lathe/ir/rewriter.h"

namespace lathe::flows {
namespace {

using Observers = std::vector<std::unique_ptr<LayerObserver>>;

// One observer a lathe.Observe node, and the node gone.
StatusOr<Observers> TakeObservers(ir::Model& model, const quant::QuantSettings& settings,
                                  ObserverContext& context) {
  Observers observers;
  ir::Rewriter rewriter(model);
  for (ir::Node* node = model.graph().first_node(); node != nullptr;) {
    ir::Node* next = node->next();
    if (node->op_text() == "Observe" && node->domain_text() == "lathe") {
      const std::string name = node->StringAttribute("layer", "");
      const auto layer = std::ranges::find(settings.layers, name, &quant::LayerSettings::name);
      if (layer == settings.layers.end()) {
        return InternalError("observer of layer '{}', which the configuration does not have", name);
      }
      const auto role = node->IntAttribute("hidden", 0) != 0 ? LayerObserver::Role::kHidden
                                                             : LayerObserver::Role::kActivation;
      observers.push_back(std::make_unique<LayerObserver>(*layer, role, settings.batch_num,
                                                          node->input(0)->Resolve(), context));
      rewriter.Erase(*node);
    }
    node = next;
  }
  return observers;
}

// Feeds all batches to the observers that are not decided yet.
Status RunPass(const ir::Model& model, const Observers& observers, eval::Engine& engine,
               const frontends::BatchSource& data, size_t num_batches, size_t pass,
               const RunControl& control) {
  std::vector<eval::Tap> taps;
  for (const auto& observer : observers) {
    if (observer->decided()) continue;
    taps.push_back({observer->value(),
                    [&observer](const eval::TensorView& view) { return observer->Observe(view); }});
  }
  const std::string stage = pass == 0 ? "calibrating" : "calibrating again for close calls";
  return RunBatches(model, std::move(taps), engine, data, num_batches, stage, control);
}

// What the observers found goes into the record; a layer that one of them finds unusable goes out
// of it.
Status RecordFactors(const Observers& observers, bool force_fp16_quant, quant::Record& record,
                     passes::QuantReport& report) {
  absl::flat_hash_set<std::string_view> unusable;
  for (const auto& observer : observers) {
    const std::optional<std::string>& reason = observer->unusable();
    if (!reason || !unusable.insert(observer->layer()).second) continue;
    report.left_float.push_back({observer->layer(), *reason});
    std::erase_if(record.entries,
                  [&](const quant::RecordEntry& entry) { return entry.key == observer->layer(); });
  }
  for (const auto& observer : observers) {
    const std::string& layer = observer->layer();
    if (unusable.contains(layer)) continue;
    const auto entry = std::ranges::find(record.entries, layer, &quant::RecordEntry::key);
    if (entry == record.entries.end() || !entry->value) {
      return InternalError("layer '{}' has activation factors but no weight factors", layer);
    }
    quant::AffineParams params = observer->result().params;
    if (force_fp16_quant) {
      LATHE_ASSIGN_OR_RETURN(params.scale, quant::RoundToFp16Precision(params.scale));
    }
    const bool hidden = observer->role() == LayerObserver::Role::kHidden;
    (hidden ? entry->value->scale_h : entry->value->scale_d) = params.scale;
    (hidden ? entry->value->offset_h : entry->value->offset_d) = params.offset;
  }
  return OkStatus();
}

}  // namespace

Status Calibrate(ir::Model& model, const quant::QuantSettings& settings, eval::Engine& engine,
                 const frontends::BatchSource& data, const RunControl& control,
                 quant::Record& record, passes::QuantReport& report) {
  ObserverContext context(control.threads);
  LATHE_ASSIGN_OR_RETURN(const Observers observers, TakeObservers(model, settings, context));
  const auto num_batches = static_cast<size_t>(settings.batch_num);
  // An observer asks for at most two passes more (see quant/ifmr.h).
  constexpr size_t kMaxPasses = 3;
  for (size_t pass = 0;; ++pass) {
    if (std::ranges::all_of(observers, [](const auto& observer) { return observer->decided(); }))
      break;
    if (pass == kMaxPasses) return InternalError("the search for scales did not end");
    LATHE_RETURN_IF_ERROR(RunPass(model, observers, engine, data, num_batches, pass, control));
    for (const auto& observer : observers) LATHE_RETURN_IF_ERROR(observer->FinishPass());
  }
  return RecordFactors(observers, settings.force_fp16_quant, record, report);
}

}  // namespace lathe::flows
