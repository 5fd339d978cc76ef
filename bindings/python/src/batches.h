// Data for calibration and measurement, from Python.
#pragma once

#include <memory>

#include <nanobind/nanobind.h>

#include "lathe/bindings/python/src/border.h"
#include "lathe/frontends/data/batches.h"
#include "lathe/ir/model.h"

namespace lathe::python {

// lathe.Images
void AddImages(nb::module_& module);

// Data as Python gives it, kept until the model's inputs are known.
class DataArgument {
 public:
  // One of
  // - a path or a list of paths, as 'lathe quantize -d' takes them,
  // - lathe.Images,
  // - an array: one batch of a model with one input,
  // - a sequence (anything with len() and []) of batches, each an array, a dict of arrays by input,
  //   or a tuple of arrays in the order of the inputs. A batch is fetched when it is wanted and let
  //   go after it, so a sequence that loads batches itself keeps memory flat.
  // Arrays are shared, not copied. Throws: none of these.
  DataArgument(Call& call, nb::handle data);

  // May be called without the GIL.
  StatusOr<std::unique_ptr<frontends::BatchSource>> Open(const ir::Model& model,
                                                         const flows::RunControl& control) const;

 private:
  Call& call_;
  frontends::DataOptions files_;
  // Null: files.
  nb::object sequence_;
};

// One batch as in a sequence of them. Throws: an array too many or too few, an unknown input.
std::vector<ir::Tensor> ToBatch(nb::handle batch, std::span<const ir::InputSpec> inputs);

}  // namespace lathe::python
