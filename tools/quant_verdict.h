// Whether a node is or would be quantised, and why.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lathe/flows/make_settings.h"
#include "lathe/passes/core/model_form.h"

namespace lathe::tools {

struct QuantVerdict {
  bool quantized = false;
  // A sentence without its end: "would be quantised as Conv2d", "stays float: its weight is
  // computed".
  std::string text;
  // How, one line each: "activation: 8 bits, IFMR, with an offset".
  std::vector<std::string> details;
};

// Of a float model that LoadFloatModel has read: what quantisation with these settings does with
// the layer of this name.
QuantVerdict WouldBeQuantized(const ir::Model& model, const flows::ChosenConfig& chosen,
                              std::string_view layer);

// Of a model in another form: what the graph shows.
QuantVerdict IsQuantized(ir::Node& node, passes::ModelForm form);

}  // namespace lathe::tools
