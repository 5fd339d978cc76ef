#include "lathe/flows/calibration.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include <absl/container/flat_hash_set.h>

#include "lathe/flows/layer_observer.h"
#include "lathe/flows/run_batches.h"
#include "lathe/ir/rewriter.h"

namespace lathe::flows {
namespace {

using Observers = std::vector<std::unique_ptr<LayerObserver>>;

StatusOr<ObserverSettings> SettingsOf(const std::string& name, LayerObserver::Role role,
                                      const quant::QuantSettings& settings) {
  if (role == LayerObserver::Role::kTensor) {
    const auto tensor = std::ranges::find(settings.tensors, name, &quant::TensorSettings::key);
    if (tensor != settings.tensors.end()) return ObserverSettings::Of(*tensor);
  } else {
    const auto layer = std::ranges::find(settings.layers, name, &quant::LayerSettings::name);
    if (layer != settings.layers.end()) return ObserverSettings::Of(*layer);
  }
  return InternalError("observer of '{}', which the configuration does not have", name);
}

// One observer a lathe.Observe node, and the node gone.
StatusOr<Observers> TakeObservers(ir::Model& model, const quant::QuantSettings& settings,
                                  ObserverContext& context) {
  Observers observers;
  ir::Rewriter rewriter(model);
  for (ir::Node* node = model.graph().first_node(); node != nullptr;) {
    ir::Node* next = node->next();
    if (node->op_text() == "Observe" && node->domain_text() == "lathe") {
      const std::string name = node->StringAttribute("layer", "");
      const auto role = node->IntAttribute("hidden", 0) != 0   ? LayerObserver::Role::kHidden
                        : node->IntAttribute("tensor", 0) != 0 ? LayerObserver::Role::kTensor
                                                               : LayerObserver::Role::kActivation;
      LATHE_ASSIGN_OR_RETURN(ObserverSettings chosen, SettingsOf(name, role, settings));
      observers.push_back(std::make_unique<LayerObserver>(
          std::move(chosen), role, settings.batch_num, node->input(0)->Resolve(), context));
      rewriter.Erase(*node);
    }
    node = next;
  }
  return observers;
}

// The network, compiled once with a tap for every observer, so that each pass over the data sees
// the same values, whoever looks.
class Calibration {
 public:
  static StatusOr<Calibration> Compile(const ir::Model& model, Observers& observers,
                                       ObserverContext& context, eval::Engine& engine,
                                       const RunControl& control) {
    Calibration calibration(observers, context, control);
    eval::CompileOptions options;
    options.threads = control.threads;
    options.input_shapes = control.input_shapes;
    options.outputs = false;
    for (size_t i = 0; i < observers.size(); ++i) {
      options.taps.push_back(
          {observers[i]->value(),
           [i, &observers, looking = calibration.looking_](const eval::TensorView& view) -> Status {
             if (i < looking->first || i >= looking->second) return OkStatus();
             return observers[i]->Observe(view);
           }});
    }
    auto graph = engine.Compile(model, options);
    if (!graph.ok()) return WhereItStopped(graph.status(), "calibrating", 0, 1);
    calibration.graph_ = *std::move(graph);
    return calibration;
  }

  // Feeds all batches to the observers [begin, end) until they are decided.
  Status Decide(size_t begin, size_t end, const frontends::BatchSource& data, size_t num_batches) {
    *looking_ = {begin, end};
    const auto group = std::span(observers_).subspan(begin, end - begin);
    // An observer asks for at most two passes more (see quant/ifmr.h).
    constexpr size_t kMaxPasses = 3;
    for (size_t pass = 0;; ++pass) {
      if (std::ranges::all_of(group, [](const auto& observer) { return observer->decided(); })) {
        return OkStatus();
      }
      if (pass == kMaxPasses) return InternalError("the search for scales did not end");
      LATHE_RETURN_IF_ERROR(
          RunBatches(*graph_, data, num_batches, StageName(begin, end, pass), control_));
      std::vector<Status> statuses(group.size());
      context_.pool().ParallelFor(group.size(),
                                  [&](size_t i, int) { statuses[i] = group[i]->FinishPass(); });
      LATHE_RETURN_IF_ERROR(FirstError(statuses));
    }
  }

 private:
  Calibration(Observers& observers, ObserverContext& context, const RunControl& control)
      : observers_(observers),
        context_(context),
        control_(control),
        looking_(std::make_shared<std::pair<size_t, size_t>>()) {}

  std::string StageName(size_t begin, size_t end, size_t pass) const {
    std::string name = "calibrating";
    if (end - begin < observers_.size()) {
      name += fmt::format(" {} to {} of {}", begin + 1, end, observers_.size());
    }
    return pass == 0 ? name : name + " again for close calls";
  }

  Observers& observers_;
  ObserverContext& context_;
  const RunControl& control_;
  // Those that look now: first, and behind the last.
  std::shared_ptr<std::pair<size_t, size_t>> looking_;
  std::unique_ptr<eval::CompiledGraph> graph_;
};

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
    if (observer->role() == LayerObserver::Role::kTensor) {
      quant::LayerRecord& tensor =
          record.entries.emplace_back(quant::RecordEntry{.key = layer}).value.emplace();
      tensor.is_tensor_quantize = true;
      tensor.act_type = "INT8";
    }
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
  LATHE_ASSIGN_OR_RETURN(Observers observers, TakeObservers(model, settings, context));
  if (!observers.empty()) {
    LATHE_ASSIGN_OR_RETURN(Calibration calibration,
                           Calibration::Compile(model, observers, context, engine, control));
    const size_t group =
        std::max<size_t>(std::min(control.observers_per_pass, observers.size()), 1);
    for (size_t begin = 0; begin < observers.size(); begin += group) {
      LATHE_RETURN_IF_ERROR(calibration.Decide(begin, std::min(begin + group, observers.size()),
                                               data, static_cast<size_t>(settings.batch_num)));
    }
  }
  return RecordFactors(observers, settings.force_fp16_quant, record, report);
}

}  // namespace lathe::flows
