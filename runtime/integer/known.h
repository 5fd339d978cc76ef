// Which nodes an integer region can hold.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "lathe/ir/node.h"
#include "lathe/runtime/integer/tensor.h"

namespace lathe::runtime::integer {

// What the numbers of a value mean in a deploy graph.
enum class Domain : uint8_t {
  kFloat,
  kQuantized,  // made by AscendQuant: q
  kSums,       // made by a layer from quantised values
};

// The value is a constant, or an integer constant made float or the like by nodes that only the
// layers behind them look at.
bool IsConstant(const ir::Value& value);

// Of the first output, given the domain of the first input that is not constant.
Domain ResultDomain(const ir::Node& node, Domain input);

// Operators that only deploy graphs have.
bool IsAscend(const ir::Node& node);

// Float operators that an integer region takes when they stand behind one of its results. Types
// must have been inferred; all extents must be known.
bool TakesFloat(const ir::Node& node);

// A constant that is added to or multiplied with `dims` along one axis.
struct ChannelConstant {
  // Nothing: one number for all elements.
  std::optional<size_t> axis;
  std::vector<float> values;
};
// Nothing when it is not constant, or does not stretch along axis 1 or the last one alone.
std::optional<ChannelConstant> ReadChannelConstant(const ir::Value& value,
                                                   const std::vector<int64_t>& dims);

// Extents of a value, all known and below 2^31; nothing otherwise.
std::optional<std::vector<int64_t>> KnownDims(const ir::Value& value);

}  // namespace lathe::runtime::integer
