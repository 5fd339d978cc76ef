#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include "lathe/bindings/python/src/arrays.h"
#include "lathe/bindings/python/src/border.h"
#include "lathe/bindings/python/src/retrain.h"
#include "lathe/frontends/checkpoint/checkpoint.h"
#include "lathe/frontends/checkpoint/match_state.h"

namespace lathe::python {
namespace {

// Types that NumPy lacks become float32.
StatusOr<ir::Tensor> ForNumPy(const ir::Tensor& tensor) {
  using ir::ElementType;
  const ElementType type = tensor.element_type();
  if (!ir::IsFloatingPoint(type) || type == ElementType::kFloat32 ||
      type == ElementType::kFloat64 || type == ElementType::kFloat16) {
    return tensor;
  }
  LATHE_ASSIGN_OR_RETURN(const std::vector<float> values, tensor.ValuesAsFloat());
  return ir::Tensor::Of<float>({tensor.dims().begin(), tensor.dims().end()}, values);
}

using State = std::vector<std::pair<std::string, ir::Tensor>>;

StatusOr<State> Read(const std::string& path, std::optional<std::string_view> name,
                     const std::vector<frontends::StateSlot>& slots) {
  LATHE_ASSIGN_OR_RETURN(const frontends::Checkpoint checkpoint, frontends::ReadCheckpoint(path));
  auto dict = frontends::SelectStateDict(checkpoint, name);
  if (!dict.ok()) return WithContext(dict.status(), ErrorContext::kFile, path);
  frontends::StateMatch match = frontends::MatchState(slots, **dict);
  if (Status status = frontends::CheckMatch(match); !status.ok()) {
    return WithContext(std::move(status), ErrorContext::kFile, path);
  }
  State state;
  for (size_t i = 0; i < slots.size(); ++i) {
    auto tensor = ForNumPy(match.tensors[i]);
    if (!tensor.ok()) return WithContext(tensor.status(), ErrorContext::kFile, path);
    state.emplace_back(slots[i].name, *std::move(tensor));
  }
  return state;
}

nb::dict ReadState(const std::string& path, const std::optional<std::string>& name,
                   const nb::dict& wanted) {
  std::vector<frontends::StateSlot> slots;
  for (const auto& [key, array] : wanted) {
    const ir::Tensor tensor = ToTensor(array);
    slots.push_back({nb::cast<std::string>(key),
                     tensor.element_type(),
                     {tensor.dims().begin(), tensor.dims().end()}});
  }
  std::optional<std::string_view> dict_name;
  if (name.has_value()) dict_name = *name;
  const State state = Call().Run([&] { return Read(path, dict_name, slots); });
  nb::dict result;
  for (const auto& [key, tensor] : state) result[nb::cast(key)] = ToArray(tensor);
  return result;
}

}  // namespace

void AddReadState(nb::module_& module) {
  module.def("_read_state", &ReadState, nb::arg("path"), nb::arg("name").none(), nb::arg("wanted"),
             nb::sig("def _read_state(path: str, name: str | None, wanted: dict[str, "
                     "numpy.typing.NDArray[typing.Any]]) -> dict[str, "
                     "numpy.typing.NDArray[typing.Any]]"),
             "The tensors of a checkpoint that belong to the wanted ones, each of its shape.");
}

}  // namespace lathe::python
