#include "lathe/quant/config/layer_choice.h"

#include "lathe/support/quoted.h"

namespace lathe::quant {
namespace {

StatusOr<std::vector<size_t>> FindType(const LayerIndex& index, std::string_view where,
                                       std::string_view type, AbsentType absent) {
  return absent == AbsentType::kRefused ? index.FindType(where, type)
                                        : index.FindTypeIfAny(where, type);
}

}  // namespace

std::string OverrideText(std::string_view list, std::string_view target) {
  return fmt::format("{} {}", list, Quoted(target));
}

StatusOr<std::vector<std::optional<ChosenOverride>>> ChooseOverrides(
    const NetworkDescription& network, const LayerIndex& index,
    const std::vector<std::string>& types, const std::vector<std::string>& names,
    AbsentType absent) {
  std::vector<std::optional<ChosenOverride>> chosen(network.layers.size());
  LATHE_RETURN_IF_ERROR(CheckUnique(kOverrideTypes, types));
  for (size_t i = 0; i < types.size(); ++i) {
    LATHE_ASSIGN_OR_RETURN(const auto positions, FindType(index, kOverrideTypes, types[i], absent));
    for (const size_t position : positions) {
      if (chosen[position].has_value()) {
        return InvalidInput("{}: both {} and {} are types of layer {}: give only one",
                            kOverrideTypes, Quoted(types[chosen[position]->position]),
                            Quoted(types[i]), Quoted(network.layers[position].name));
      }
      chosen[position] = {OverrideText(kOverrideTypes, types[i]), false, i};
    }
  }
  LATHE_RETURN_IF_ERROR(CheckUnique(kOverrideLayers, names));
  for (size_t i = 0; i < names.size(); ++i) {
    LATHE_ASSIGN_OR_RETURN(const size_t position, index.Find(kOverrideLayers, names[i]));
    chosen[position] = {OverrideText(kOverrideLayers, names[i]), true, i};
  }
  return chosen;
}

Status SkipLayers(const LayerIndex& index, std::string_view where,
                  const std::vector<std::string>& names, std::vector<bool>& skipped) {
  LATHE_RETURN_IF_ERROR(CheckUnique(where, names));
  for (const std::string& name : names) {
    LATHE_ASSIGN_OR_RETURN(const size_t position, index.Find(where, name));
    skipped[position] = true;
  }
  return OkStatus();
}

Status SkipTypes(const LayerIndex& index, std::string_view where,
                 const std::vector<std::string>& types, AbsentType absent,
                 std::vector<bool>& skipped) {
  LATHE_RETURN_IF_ERROR(CheckUnique(where, types));
  for (const std::string& type : types) {
    LATHE_ASSIGN_OR_RETURN(const auto positions, FindType(index, where, type, absent));
    for (const size_t position : positions) skipped[position] = true;
  }
  return OkStatus();
}

}  // namespace lathe::quant
