// Quantisation in ONNX's own operators: what pairs of QuantizeLinear and DequantizeLinear, with or
// without a Clip between them, say about a value.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "lathe/ir/model.h"
#include "lathe/ir/rewriter.h"
#include "lathe/quant/affine.h"

namespace lathe::passes {

bool IsQuantize(const ir::Node& node);
bool IsDequantize(const ir::Node& node);

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

// Why something is not what was asked for, as a clause.
struct QdqRefusal {
  std::string reason;
};

// The pair whose DequantizeLinear this is; its source may be constant. Refused are integers that do
// not come from QuantizeLinear, two ends that differ, scales along an axis or in blocks, parameters
// that are computed, and other types than integers of 4, 8 and 16 bits and float32.
std::variant<QdqPair, QdqRefusal> FindQdqPair(ir::Node& dequantize);

// How a QuantizeLinear rounds to int8 with one scale, whoever reads the integers; nothing for
// another.
std::optional<QdqRounding> ReadQdqOutput(const ir::Node& quantize);

// A constant in integers.
struct QdqConstant {
  std::vector<int64_t> dims;
  // Unsigned ones are shifted down by half their range, and so are the zero points.
  std::vector<int32_t> integers;
  int bits = 8;
  // One, or one an index of `axis`; as many zero points.
  std::vector<float> scales;
  std::vector<int32_t> zeros;
  int64_t axis = 0;

  bool symmetric() const;
  // (integer - zero) * scale, in float32.
  std::vector<float> Reals() const;
};

// The constant that `value` is: DequantizeLinear of integers, or of a constant that QuantizeLinear
// and Clip turn into some, behind any number of Transpose nodes. Refused: everything else, as
// FindQdqPair does. O(elements).
std::variant<QdqConstant, QdqRefusal> ReadQdqConstant(const ir::Value& value);

// Whether a value is such a constant, refused or not: it comes from a DequantizeLinear of
// constants. O(length of the chain).
bool IsQdqConstant(const ir::Value& value);

}  // namespace lathe::passes
