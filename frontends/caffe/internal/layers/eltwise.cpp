#include <limits>

#include "lathe/frontends/caffe/internal/layers.h"

namespace lathe::frontends::caffe {
namespace {

using proto::EltwiseParameter;

// The bottom times its coefficient in a sum.
ir::Value* Summand(LayerBuilder& builder, size_t i, float coefficient) {
  ir::Value* value = builder.bottom(i).value;
  if (coefficient == 1) return value;
  return builder.Add(fmt::format("mul{}", i),
                     {"Mul", {value, builder.Scalar(fmt::format("coeff{}", i), coefficient)}});
}

std::string_view OperatorOf(EltwiseParameter::EltwiseOp operation) {
  switch (operation) {
    case EltwiseParameter::PROD:
      return "Mul";
    case EltwiseParameter::SUM:
      return "Add";
    case EltwiseParameter::MAX:
      break;
  }
  return "Max";
}

}  // namespace

Status Eltwise(LayerBuilder& builder) {
  const EltwiseParameter& param = builder.param().eltwise_param();
  LATHE_RETURN_IF_ERROR(builder.CheckCounts(2, std::numeric_limits<size_t>::max(), 1, 1));
  const size_t count = builder.num_bottoms();
  const bool sum = param.operation() == EltwiseParameter::SUM;
  if (param.coeff_size() > 0 && (!sum || static_cast<size_t>(param.coeff_size()) != count)) {
    return InvalidInput("has {} coefficients for {} bottoms{}", param.coeff_size(), count,
                        sum ? "" : " that it does not add");
  }
  for (size_t i = 1; i < count; ++i) {
    if (CanBeEqual(builder.bottom(i).dims, builder.dims())) continue;
    return InvalidInput("bottoms {} and {} have different shapes", DimsText(builder.dims()),
                        DimsText(builder.bottom(i).dims));
  }
  const std::string op(OperatorOf(param.operation()));
  ir::Value* value = nullptr;
  for (size_t i = 0; i < count; ++i) {
    const float coefficient = param.coeff_size() > 0 ? param.coeff(static_cast<int>(i)) : 1;
    ir::Value* next = Summand(builder, i, coefficient);
    if (i + 1 == count) return builder.Finish({op, {value, next}}, builder.dims());
    value = i == 0 ? next : builder.Add(fmt::format("part{}", i), {op, {value, next}});
  }
  return OkStatus();
}

}  // namespace lathe::frontends::caffe
