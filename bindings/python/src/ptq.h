// Post-training quantisation.
#pragma once

#include <string>
#include <vector>

#include <nanobind/nanobind.h>

#include "lathe/flows/make_settings.h"

namespace lathe::python {

namespace nb = nanobind;

// Where functions take a configuration: a path, a dict, a lathe.Config, or None.
flows::ConfigRequest ConfigArgument(nb::handle config, nb::handle cfg);

// Layers that stay float go to the logger as infos, notes as warnings.
void LogOutcome(const std::vector<std::string>& notes,
                const std::vector<passes::LeftFloat>& left_float);

// lathe.create_config, balance, calibrate and save: the steps.
void AddPtq(nb::module_& module);

// lathe.quantize: all of them.
void AddQuantize(nb::module_& module);

// lathe._core._WeightCalibration
void AddWeightCalibration(nb::module_& module);

// lathe.auto_calibrate: quantisation within an accuracy budget.
void AddAutoCalibrate(nb::module_& module);

}  // namespace lathe::python
