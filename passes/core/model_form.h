// What a loaded model is: a float model, or one that some step of quantisation has written.
#pragma once

#include <string>
#include <string_view>

#include "lathe/ir/model.h"

namespace lathe::passes {

enum class ModelForm {
  kFloat,
  kModified,      // weights are rounded, nothing else is quantised; waits for its record
  kDeploy,        // AscendQuant, AscendDequant and integer weights
  kFakeQuant,     // the same computation in standard operators
  kQdq,           // QuantizeLinear and DequantizeLinear
  kRetrain,       // float, with quantisers in standard operators that are trained
  kIntermediate,  // operators that only stand in models of the reference between two steps
};

// The last node of an activation's quantiser in a retrain model is called `<layer>` and this.
inline constexpr std::string_view kActivationQuantizer = ".acts_quant";

// "deploy model".
std::string_view FormText(ModelForm form);

struct RecognizedForm {
  ModelForm form = ModelForm::kFloat;
  // The node that shows it; null for a float model.
  const ir::Node* witness = nullptr;
  // "node 'conv1.quant' is AscendQuant"; empty for a float model.
  std::string Evidence() const;
};

// By the first node that belongs to a form. O(nodes).
RecognizedForm RecognizeForm(const ir::Model& model);

}  // namespace lathe::passes
