// Power, Exp and Log: a function of shift + scale · x. What would change nothing is left out.
#include <cmath>

#include "lathe/frontends/caffe/internal/layers.h"

namespace lathe::frontends::caffe {
namespace {

void ThenTimes(LayerBuilder& builder, Chain& chain, std::string_view part, float factor) {
  if (factor == 1) return;
  chain.Then(fmt::format("{}_mul", part),
             {"Mul", {nullptr, builder.Scalar(fmt::format("{}", part), factor)}});
}

void ThenPlus(LayerBuilder& builder, Chain& chain, std::string_view part, float summand) {
  if (summand == 0) return;
  chain.Then(fmt::format("{}_add", part),
             {"Add", {nullptr, builder.Scalar(fmt::format("{}", part), summand)}});
}

// Of a base; -1 stands for e. Errors: no base has it.
StatusOr<float> NaturalLog(float base) {
  if (base == -1) return 1.0F;
  if (!(base > 0) || base == 1 || std::isinf(base)) return InvalidInput("base is {}", base);
  return std::log(base);
}

}  // namespace

Status Power(LayerBuilder& builder) {
  LATHE_RETURN_IF_ERROR(builder.CheckCounts(1));
  const proto::PowerParameter& param = builder.param().power_param();
  Chain chain(builder);
  ThenTimes(builder, chain, "scale", param.scale());
  ThenPlus(builder, chain, "shift", param.shift());
  if (param.power() != 1) {
    chain.Then("pow", {"Pow", {nullptr, builder.Scalar("power", param.power())}});
  }
  return chain.Finish(builder.x(), builder.dims());
}

Status Exp(LayerBuilder& builder) {
  LATHE_RETURN_IF_ERROR(builder.CheckCounts(1));
  const proto::ExpParameter& param = builder.param().exp_param();
  LATHE_ASSIGN_OR_RETURN(const float log_base, NaturalLog(param.base()));
  Chain chain(builder);
  ThenTimes(builder, chain, "scale", log_base * param.scale());
  chain.Then("exp", {"Exp", {nullptr}});
  ThenTimes(builder, chain, "shift", std::exp(log_base * param.shift()));
  return chain.Finish(builder.x(), builder.dims());
}

Status Log(LayerBuilder& builder) {
  LATHE_RETURN_IF_ERROR(builder.CheckCounts(1));
  const proto::LogParameter& param = builder.param().log_param();
  LATHE_ASSIGN_OR_RETURN(const float log_base, NaturalLog(param.base()));
  Chain chain(builder);
  ThenTimes(builder, chain, "scale", param.scale());
  ThenPlus(builder, chain, "shift", param.shift());
  chain.Then("log", {"Log", {nullptr}});
  ThenTimes(builder, chain, "base", 1 / log_base);
  return chain.Finish(builder.x(), builder.dims());
}

}  // namespace lathe::frontends::caffe
