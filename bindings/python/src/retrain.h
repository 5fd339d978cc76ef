// Quantisation-aware training of torch modules: what lathe.amct_pytorch asks of the core.
#pragma once

#include <nanobind/nanobind.h>

namespace lathe::python {

// lathe._core._create_retrain_config, _RetrainPlan: which layers are trained, and how.
void AddRetrainPlan(nanobind::module_& module);

// lathe._core._find_clips, _retrain_record, _save_retrained: the numbers, and the results.
void AddRetrain(nanobind::module_& module);

// lathe._core._read_state: checkpoints.
void AddReadState(nanobind::module_& module);

}  // namespace lathe::python
