// Which rules of a simplified configuration concern which layers.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lathe/quant/config/layer.h"
#include "lathe/quant/config/layer_index.h"
#include "lathe/support/status.h"

namespace lathe::quant {

inline constexpr std::string_view kOverrideTypes = "override_layer_types";
inline constexpr std::string_view kOverrideLayers = "override_layer_configs";

// The override that a layer follows.
struct ChosenOverride {
  // "override_layer_types 'Conv2d'", for messages.
  std::string where;
  // Of override_layer_configs, not of override_layer_types.
  bool by_name = false;
  // In that list.
  size_t position = 0;
};

// What becomes of a rule for a type that no layer of the network has: the reference's check after
// training refuses it, that for training does not look.
enum class AbsentType { kRefused, kWithoutEffect };

// For each layer of `network` its override: that of its name, else of its type, else none. `types`
// and `names` are the targets of override_layer_types and override_layer_configs. Errors: a target
// that is there twice, that names nothing or that cannot be quantised; two types that share a layer
// ("Conv" and "Conv2d").
StatusOr<std::vector<std::optional<ChosenOverride>>> ChooseOverrides(
    const NetworkDescription& network, const LayerIndex& index,
    const std::vector<std::string>& types, const std::vector<std::string>& names,
    AbsentType absent);

// "override_layer_types 'Conv2d'".
std::string OverrideText(std::string_view list, std::string_view target);

// Marks the layers that a list of names, or of types, skips; `where` is the list's name. Errors:
// as above.
Status SkipLayers(const LayerIndex& index, std::string_view where,
                  const std::vector<std::string>& names, std::vector<bool>& skipped);
Status SkipTypes(const LayerIndex& index, std::string_view where,
                 const std::vector<std::string>& types, AbsentType absent,
                 std::vector<bool>& skipped);

}  // namespace lathe::quant
