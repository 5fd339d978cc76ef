#include "lathe/flows/layer_similarity.h"

#include <algorithm>
#include <cmath>

#include "lathe/flows/layer_twins.h"
#include "lathe/flows/run_passes.h"
#include "lathe/flows/tap_values.h"
#include "lathe/passes/pipelines/quantization.h"

namespace lathe::flows {
namespace {

// One layer during a run: whichever of its two values comes first waits for the other.
struct Meeting {
  std::vector<float> waiting;
  bool waiting_is_original = false;
  bool seen_one = false;
  double sum = 0;
  size_t batches = 0;

  Status Take(const eval::TensorView& view, bool is_original) {
    std::vector<float> storage;
    const auto values = TapValues(view, storage);
    if (!values) {
      return InvalidInput("a layer's output is {}, not floats",
                          ir::ElementTypeName(view.element_type));
    }
    if (!seen_one) {
      waiting.assign(values->begin(), values->end());
      waiting_is_original = is_original;
      seen_one = true;
      return OkStatus();
    }
    if (values->size() != waiting.size() || waiting_is_original == is_original) {
      return InternalError("a layer and its quantised twin do not give the same");
    }
    sum += is_original ? OutputSimilarity(*values, waiting) : OutputSimilarity(waiting, *values);
    ++batches;
    waiting = {};
    seen_one = false;
    return OkStatus();
  }
};

Status RunTwins(const TwinnedModel& twins, std::vector<Meeting>& meetings, size_t batch_num,
                eval::Engine& engine, const frontends::BatchSource& data,
                const RunControl& control) {
  std::vector<eval::Tap> taps;
  for (size_t i = 0; i < twins.layers.size(); ++i) {
    taps.push_back({twins.layers[i].original, [&meetings, i](const eval::TensorView& view) {
                      return meetings[i].Take(view, true);
                    }});
    taps.push_back({twins.layers[i].quantized, [&meetings, i](const eval::TensorView& view) {
                      return meetings[i].Take(view, false);
                    }});
  }
  return RunBatches(*twins.model, std::move(taps), engine, data, batch_num, "measuring sensitivity",
                    control);
}

}  // namespace

double OutputSimilarity(std::span<const float> original, std::span<const float> quantized) {
  double a = 0, b = 0, product = 0;
  for (size_t i = 0; i < original.size(); ++i) {
    const double x = original[i], y = quantized[i];
    a += x * x;
    b += y * y;
    product += x * y;
  }
  if (!std::isfinite(a) || !std::isfinite(b)) return 0;
  if (a == 0) return 1;
  if (b == 0) return 0;
  // Parallel values may give a little more than 1.
  return 0.5 + 0.5 * std::clamp(product / (std::sqrt(a) * std::sqrt(b)), -1.0, 1.0);
}

StatusOr<std::vector<LayerSimilarity>> RankLayers(
    const ir::Model& model, const quant::QuantSettings& settings, const CalibratedModel& calibrated,
    eval::Engine& engine, const frontends::BatchSource& data, const RunControl& control) {
  std::unique_ptr<ir::Model> fused = model.Clone();
  LATHE_RETURN_IF_ERROR(
      RunPasses(*fused, passes::FusionPipeline(settings.do_fusion, settings.skip_fusion_layers))
          .status());
  LATHE_ASSIGN_OR_RETURN(const TwinnedModel twins, MakeTwins(std::move(fused), calibrated));
  std::vector<LayerSimilarity> ranking;
  if (twins.layers.empty()) return ranking;
  std::vector<Meeting> meetings(twins.layers.size());
  LATHE_RETURN_IF_ERROR(
      RunTwins(twins, meetings, static_cast<size_t>(settings.batch_num), engine, data, control));
  for (size_t i = 0; i < meetings.size(); ++i) {
    const double batches = static_cast<double>(std::max<size_t>(meetings[i].batches, 1));
    ranking.push_back({twins.layers[i].layer, meetings[i].sum / batches});
  }
  std::ranges::stable_sort(ranking, {}, &LayerSimilarity::similarity);
  return ranking;
}

}  // namespace lathe::flows
