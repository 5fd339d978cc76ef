// lathe.Model: a network in memory.
#pragma once

#include <memory>
#include <string>

#include <nanobind/nanobind.h>

#include "lathe/flows/load_model.h"
#include "lathe/ir/model.h"

namespace lathe::python {

namespace nb = nanobind;

// A model and the file that it came from, for messages; the file may be unknown.
struct Model {
  std::unique_ptr<ir::Model> model;
  std::string path;
};

void AddModel(nb::module_& module);

// Where functions take a path or a lathe.Model. A model that is given stays as it is: flows use up
// a clone, which shares the weights.
struct ModelArgument {
  explicit ModelArgument(nb::handle given);

  // Each may be called without the GIL.
  StatusOr<std::unique_ptr<ir::Model>> Load() const;
  StatusOr<flows::LoadedModel> LoadFloat() const;
  StatusOr<std::unique_ptr<ir::Model>> LoadModified() const;

  std::string path;
  const ir::Model* model = nullptr;
  // Keeps the model.
  nb::object object;
};

// A str or os.PathLike.
std::string PathOf(nb::handle path);

}  // namespace lathe::python
