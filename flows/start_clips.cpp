#include "lathe/flows/start_clips.h"

#include <algorithm>
#include <memory>

#include "lathe/flows/layer_observer.h"
#include "lathe/support/quoted.h"

namespace lathe::flows {
namespace {

struct Observed {
  std::optional<quant::Clips>* found = nullptr;
  std::unique_ptr<LayerObserver> observer;
};

// An observer asks for at most two passes more (see quant/ifmr.h).
constexpr size_t kMaxPasses = 3;

}  // namespace

StatusOr<StartClips> FindStartClips(const ir::Model& model,
                                    const std::vector<passes::RetrainLayer>& layers,
                                    int64_t batch_num, eval::Engine& engine,
                                    const frontends::BatchSource& data, const RunControl& control) {
  StartClips start;
  start.clips.resize(layers.size());
  start.hidden_clips.resize(layers.size());
  ObserverContext context(control.threads);
  std::vector<Observed> all;
  for (size_t i = 0; i < layers.size(); ++i) {
    const passes::RetrainLayer& trained = layers[i];
    if (trained.clips_of != i || trained.settings.clips.has_value()) continue;
    const std::string& name = trained.layer.name;
    if (trained.layer.node->graph() != &model.graph()) {
      start.notes.push_back(fmt::format(
          "layer {} stands in a body: its range is not found on data, it starts at -1 and 1",
          Quoted(name)));
      continue;
    }
    const auto observe = [&](const ir::Use& operand, std::optional<quant::Clips>& found) {
      ObserverSettings settings{.key = name,
                                .bits = trained.settings.activation_bits,
                                .with_offset = false,
                                .algorithm = quant::IfmrParameters()};
      all.push_back({&found, std::make_unique<LayerObserver>(
                                 std::move(settings), LayerObserver::Role::kActivation, batch_num,
                                 operand.value()->Resolve(), context)});
    };
    observe(*trained.layer.activation, start.clips[i]);
    if (trained.layer.is_recurrent()) observe(*trained.layer.hidden, start.hidden_clips[i]);
  }
  for (size_t pass = 0; pass < kMaxPasses; ++pass) {
    std::vector<eval::Tap> taps;
    for (const Observed& observed : all) {
      LayerObserver* observer = observed.observer.get();
      if (observer->decided()) continue;
      taps.push_back({observer->value(), [observer](const eval::TensorView& view) {
                        return observer->Observe(view);
                      }});
    }
    if (taps.empty()) break;
    LATHE_RETURN_IF_ERROR(RunBatches(model, std::move(taps), engine, data,
                                     static_cast<size_t>(batch_num), "finding ranges", control));
    for (const Observed& observed : all) {
      if (!observed.observer->decided()) LATHE_RETURN_IF_ERROR(observed.observer->FinishPass());
    }
  }
  for (const Observed& observed : all) {
    const LayerObserver& observer = *observed.observer;
    if (!observer.decided()) return InternalError("the search for ranges did not end");
    if (observer.unusable().has_value()) {
      start.notes.push_back(fmt::format("layer {}: {}: its range starts at -1 and 1",
                                        Quoted(observer.layer()), *observer.unusable()));
      continue;
    }
    *observed.found = {observer.result().clip_max, observer.result().clip_min};
  }
  for (size_t i = 0; i < layers.size(); ++i) start.clips[i] = start.clips[layers[i].clips_of];
  return start;
}

}  // namespace lathe::flows
