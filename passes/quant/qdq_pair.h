// Quantisation of activations in ONNX's own operators: what pairs of QuantizeLinear and
// DequantizeLinear, with or without a Clip between them, say about a value.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "lathe/ir/model.h"
#include "lathe/ir/rewriter.h"
#include "lathe/passes/quant/qdq_parameters.h"
#include "lathe/quant/affine.h"

namespace lathe::passes {

// How an activation is rounded. Unsigned integers are shifted down by half their range, which
// changes no real value.
struct QdqRounding {
  float scale = 1.0f;
  int32_t zero = 0;
  int bits = 8;
  // What is left of the type's range.
  int32_t low = -128;
  int32_t high = 127;

  bool clipped() const {
    return low > quant::MinQuantized(bits) || high < quant::MaxQuantized(bits);
  }
  // The same in 8 bits, of which 4-bit integers are a part; 16 bits stay.
  QdqRounding In8Bits() const;
  bool operator==(const QdqRounding&) const = default;
};

// A Clip of `value` in front of `before`, to the reals that the rounding's range stands for: what
// Ascend's integer types cannot say.
ir::Value* ClipReals(ir::Rewriter& rewriter, ir::Node& before, ir::Value* value,
                     const QdqRounding& rounding, const std::string& name);

// x -> QuantizeLinear -> (Clip) -> DequantizeLinear.
struct QdqPair {
  ir::Node* quantize = nullptr;
  ir::Node* dequantize = nullptr;
  QdqRounding rounding;

  ir::Value* source() const { return quantize->input(0); }
};

// The pair whose DequantizeLinear this is; its source may be constant. Refused are integers that do
// not come from QuantizeLinear, two ends that differ, scales along an axis or in blocks, parameters
// that are computed, and other types than integers of 4, 8 and 16 bits and float32.
std::variant<QdqPair, QdqRefusal> FindQdqPair(ir::Node& dequantize);

// How a QuantizeLinear rounds to int8 with one scale, whoever reads the integers; nothing for
// another.
std::optional<QdqRounding> ReadQdqOutput(const ir::Node& quantize);

}  // namespace lathe::passes
