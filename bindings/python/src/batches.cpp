#include "lathe/bindings/python/src/batches.h"

#include <array>
#include <utility>
#include <vector>

#include <nanobind/stl/array.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "lathe/bindings/python/src/arrays.h"
#include "lathe/bindings/python/src/model.h"
#include "lathe/support/nearest_names.h"
#include "lathe/support/quoted.h"

namespace lathe::python {
namespace {

using ir::InputSpec;

bool IsPath(nb::handle object) {
  return nb::isinstance<nb::str>(object) || nb::hasattr(object, "__fspath__");
}

bool IsArray(nb::handle object) {
  return nb::hasattr(object, "__array__") || nb::hasattr(object, "__array_interface__");
}

std::vector<ir::Tensor> FromDict(const nb::dict& batch, std::span<const InputSpec> inputs) {
  std::vector<ir::Tensor> tensors(inputs.size());
  for (const auto& [key, array] : batch) {
    const auto name = nb::cast<std::string>(key);
    std::vector<std::string_view> names;
    size_t at = inputs.size();
    for (size_t i = 0; i < inputs.size(); ++i) {
      names.push_back(inputs[i].name);
      if (inputs[i].name == name) at = i;
    }
    if (at == inputs.size()) {
      Status status = InvalidInput("the model has no input {}", Quoted(name));
      const std::string near = DidYouMean(name, names);
      if (!near.empty()) status = WithContext(std::move(status), ErrorContext::kHint, near);
      throw StatusError(std::move(status));
    }
    tensors[at] = ToTensor(array);
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (tensors[i]) continue;
    Check(InvalidInput("input {} {} is missing", Quoted(inputs[i].name),
                       ir::ShapeText(inputs[i].shape)));
  }
  return tensors;
}

// Batches that Python code hands out.
class PythonBatches : public frontends::BatchSource {
 public:
  PythonBatches(Call& call, nb::handle sequence, size_t count, std::vector<InputSpec> inputs)
      : call_(call), sequence_(sequence), count_(count), inputs_(std::move(inputs)) {}

  size_t num_batches() const override { return count_; }

  int64_t samples(size_t i) const override {
    const auto batch = Load(i);
    // What is wrong with the batch is said when it is run.
    if (!batch.ok() || batch->empty() || batch->front().rank() == 0) return 1;
    return batch->front().dims()[0];
  }

  std::vector<std::vector<int64_t>> shapes(size_t i) const override {
    std::vector<std::vector<int64_t>> result(inputs_.size());
    const auto batch = Load(i);
    if (!batch.ok()) return result;
    for (size_t k = 0; k < result.size(); ++k) {
      result[k].assign((*batch)[k].dims().begin(), (*batch)[k].dims().end());
    }
    return result;
  }

  StatusOr<std::vector<ir::Tensor>> Load(size_t i) const override {
    std::vector<ir::Tensor> batch;
    Status wrong;
    const Status called = call_.CallPython([&] {
      try {
        batch = ToBatch(sequence_[i], inputs_);
      } catch (const StatusError& error) {
        wrong = error.status();
      }
    });
    LATHE_RETURN_IF_ERROR(called);
    if (wrong.ok()) {
      std::vector<ir::FedInput> fed;
      for (const ir::Tensor& tensor : batch) fed.push_back({tensor.element_type(), tensor.dims()});
      wrong = ir::CheckInputs(inputs_, fed);
    }
    if (!wrong.ok()) return AtPlace(wrong, fmt::format("batch {}", i));
    return batch;
  }

 private:
  Call& call_;
  // Owned by the DataArgument: nothing here touches a reference count without the GIL.
  nb::handle sequence_;
  size_t count_;
  std::vector<InputSpec> inputs_;
};

}  // namespace

std::vector<ir::Tensor> ToBatch(nb::handle batch, std::span<const InputSpec> inputs) {
  if (nb::isinstance<nb::dict>(batch)) return FromDict(nb::borrow<nb::dict>(batch), inputs);
  std::vector<ir::Tensor> tensors;
  if (nb::isinstance<nb::tuple>(batch) || (nb::isinstance<nb::list>(batch) && !IsArray(batch))) {
    for (const nb::handle array : batch) tensors.push_back(ToTensor(array));
  } else {
    tensors.push_back(ToTensor(batch));
  }
  if (tensors.size() == inputs.size()) return tensors;
  throw StatusError(
      InvalidInput("the model has {} inputs, {} arrays were given", inputs.size(), tensors.size()));
}

DataArgument::DataArgument(Call& call, nb::handle data) : call_(call) {
  if (nb::isinstance<frontends::ImageOptions>(data)) {
    files_.images = nb::cast<frontends::ImageOptions>(data);
    return;
  }
  if (IsPath(data)) {
    files_.arguments.push_back(PathOf(data));
    return;
  }
  if (IsArray(data)) {
    sequence_ = nb::make_tuple(data);
    return;
  }
  if (!nb::hasattr(data, "__len__") || !nb::hasattr(data, "__getitem__") ||
      nb::isinstance<nb::dict>(data)) {
    Check(InvalidInput("data must be paths, lathe.Images, an array, or a sequence of batches"));
  }
  const size_t count = nb::len(data);
  if (count == 0) Check(InvalidInput("there is no data: the sequence is empty"));
  const bool listed = nb::isinstance<nb::list>(data) || nb::isinstance<nb::tuple>(data);
  if (listed && IsPath(data[0])) {
    for (const nb::handle path : data) files_.arguments.push_back(PathOf(path));
    return;
  }
  sequence_ = nb::borrow(data);
}

StatusOr<std::unique_ptr<frontends::BatchSource>> DataArgument::Open(
    const ir::Model& model, const flows::RunControl& control) const {
  LATHE_ASSIGN_OR_RETURN(std::vector<InputSpec> inputs,
                         ir::InputSpecs(model.graph(), control.input_shapes));
  if (!sequence_.is_valid()) return frontends::OpenBatches(files_, inputs);
  size_t count = 0;
  LATHE_RETURN_IF_ERROR(call_.CallPython([&] { count = nb::len(sequence_); }));
  return std::make_unique<PythonBatches>(call_, sequence_, count, std::move(inputs));
}

void AddImages(nb::module_& module) {
  nb::class_<frontends::ImageOptions>(
      module, "Images", "A folder of JPEG and PNG images as data, in batches; sorted by name.")
      .def(
          "__init__",
          [](frontends::ImageOptions* self, nb::handle folder, std::array<float, 3> mean,
             std::array<float, 3> std_deviation, bool channels_last, int64_t batch) {
            new (self) frontends::ImageOptions{.directory = PathOf(folder),
                                               .normalization = {mean, std_deviation},
                                               .channels_last = channels_last,
                                               .batch = batch};
          },
          nb::arg("folder"), nb::kw_only(), nb::arg("mean") = std::array<float, 3>{0, 0, 0},
          nb::arg("std") = std::array<float, 3>{1, 1, 1}, nb::arg("channels_last") = false,
          nb::arg("batch") = 0,
          nb::sig("def __init__(self, folder: str | os.PathLike[str], *, mean: "
                  "tuple[float, float, float] = (0.0, 0.0, 0.0), std: tuple[float, float, float] = "
                  "(1.0, 1.0, 1.0), channels_last: bool = False, batch: int = 0) -> None"),
          "Samples of 0 to 255, less `mean`, divided by `std`; NCHW unless channels_last. "
          "batch 0: the model's first extent, or 1.")
      .def_ro("folder", &frontends::ImageOptions::directory)
      .def_ro("batch", &frontends::ImageOptions::batch);
}

}  // namespace lathe::python
