#include "lathe/flows/retrain_states.h"

#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "lathe/passes/quant/insert_retrain.h"
#include "lathe/support/quoted.h"

namespace lathe::flows {
namespace {

// Takes constants by name, and knows which were not taken.
class Taker {
 public:
  explicit Taker(const passes::QuantizerConstants& constants) : constants_(constants) {}

  StatusOr<std::vector<float>> Values(const std::string& name, size_t count) {
    wanted_.insert(name);
    const auto found = constants_.find(name);
    if (found == constants_.end()) {
      return InvalidInput("the retrain model was made with another configuration: it has no {}",
                          Quoted(name));
    }
    LATHE_ASSIGN_OR_RETURN(std::vector<float> values, found->second.ValuesAsFloat());
    if (values.size() == count) return values;
    return InvalidInput("{} has {} values, the configuration asks for {}", name, values.size(),
                        count);
  }

  StatusOr<quant::Clips> Clips(const std::string& layer, std::string_view max_name,
                               std::string_view min_name, bool fixed_min) {
    quant::Clips clips;
    LATHE_ASSIGN_OR_RETURN(const auto max, Values(layer + std::string(max_name), 1));
    clips.max = max[0];
    clips.min = 0;
    if (fixed_min) return clips;
    LATHE_ASSIGN_OR_RETURN(const auto min, Values(layer + std::string(min_name), 1));
    clips.min = min[0];
    return clips;
  }

  // The name of a constant that nobody asked for; null when there is none.
  const std::string* Extra() const {
    for (const auto& [name, tensor] : constants_) {
      if (!wanted_.contains(name)) return &name;
    }
    return nullptr;
  }

 private:
  const passes::QuantizerConstants& constants_;
  std::set<std::string, std::less<>> wanted_;
};

}  // namespace

StatusOr<std::vector<quant::RetrainState>> StatesOfConstants(
    const std::vector<passes::RetrainLayer>& layers, const passes::QuantizerConstants& constants) {
  Taker taker(constants);
  std::vector<quant::RetrainState> states;
  for (const passes::RetrainLayer& layer : layers) {
    const std::string& name = layer.layer.name;
    const size_t scales =
        layer.settings.channel_wise ? static_cast<size_t>(layer.layer.channels) : size_t{1};
    quant::RetrainState& state = states.emplace_back();
    LATHE_ASSIGN_OR_RETURN(state.clips,
                           taker.Clips(layers[layer.clips_of].layer.name, passes::kClipMax,
                                       passes::kClipMin, layer.fixed_min));
    if (layer.settings.ulq) {
      LATHE_ASSIGN_OR_RETURN(state.weight_scales,
                             taker.Values(name + std::string(passes::kWeightScales), scales));
    }
    if (!layer.layer.is_recurrent()) continue;
    LATHE_ASSIGN_OR_RETURN(
        state.hidden_clips,
        taker.Clips(name, passes::kHiddenClipMax, passes::kHiddenClipMin, layer.hidden_fixed_min));
    if (layer.settings.ulq) {
      LATHE_ASSIGN_OR_RETURN(state.recurrence_scales,
                             taker.Values(name + std::string(passes::kRecurrenceScales), scales));
    }
  }
  if (const std::string* extra = taker.Extra()) {
    return InvalidInput(
        "the retrain model was made with another configuration, which does not ask for {}",
        Quoted(*extra));
  }
  return states;
}

}  // namespace lathe::flows
