#include "lathe/flows/join_layers.h"

#include <array>

#include "lathe/flows/search_shifts.h"
#include "lathe/passes/quant/joint_groups.h"

namespace lathe::flows {

StatusOr<std::vector<std::string>> JoinLayers(const ir::Model& observed, int64_t batch_num,
                                              eval::Engine& engine,
                                              const frontends::BatchSource& data,
                                              const RunControl& control, quant::Record& record) {
  std::vector<std::string> notes;
  std::vector<ShiftGroup> groups;
  for (const passes::JointGroup& group : passes::FindJointGroups(observed, record)) {
    const std::string names =
        fmt::format("'{}' and '{}'", group.layers[0].name, group.layers[1].name);
    if (!ShareScales(std::array{group.layers[0].name, group.layers[1].name}, record)) {
      notes.push_back(
          fmt::format("joint_quant: {} are not joined: their scales have no common "
                      "product in float32",
                      names));
      continue;
    }
    ShiftGroup& shifts = groups.emplace_back();
    for (const passes::QuantLayer& layer : group.layers) {
      shifts.layers.push_back({layer.name, layer.result()});
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
  LATHE_RETURN_IF_ERROR(SearchShifts(observed, groups, quant::SearchNVersion::kV2, batch_num,
                                     engine, data, control, record));
  return notes;
}

}  // namespace lathe::flows
