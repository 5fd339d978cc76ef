#include <algorithm>

#include "lathe/passes/rewrite/constant_equals.h"
#include "lathe/passes/rewrite/pattern.h"
#include "lathe/support/quoted.h"

namespace lathe::passes {
namespace {

std::string NamesOf(const std::vector<ir::ElementType>& types) {
  std::vector<std::string_view> names;
  for (const ir::ElementType type : types) names.push_back(ir::ElementTypeName(type));
  return fmt::format("{}", fmt::join(names, " or "));
}

// A tensor's element type, or that of the constant where the graph does not state it.
ir::ElementType ElementTypeOf(const ir::Value& value) {
  if (value.type().is_tensor()) return value.type().element;
  const ir::Tensor constant = value.ConstantTensor();
  return constant ? constant.element_type() : ir::ElementType::kUndefined;
}

// -1 when unknown.
int RankOf(const ir::Value& value) {
  if (value.type().is_tensor() && value.type().has_rank()) return value.type().rank();
  const ir::Tensor constant = value.ConstantTensor();
  return constant ? constant.rank() : -1;
}

}  // namespace

Operand::Operand(Pattern producer)
    : producer_(std::make_shared<const Pattern>(std::move(producer))) {}

Operand Operand::WithCondition(NamedCondition<ir::Value> condition) const {
  Operand result = *this;
  result.conditions_.push_back(std::move(condition));
  return result;
}

Operand Operand::Where(std::string_view name, std::function<bool(const ir::Value&)> holds) const {
  return WithCondition({std::string(name), std::move(holds), {}});
}

Operand Operand::OfElementType(ir::ElementType type) const {
  return OfElementType(std::vector<ir::ElementType>{type});
}

Operand Operand::OfElementType(const std::vector<ir::ElementType>& one_of) const {
  const auto says = [one_of](const ir::Value& value) {
    const ir::ElementType type = ElementTypeOf(value);
    return type == ir::ElementType::kUndefined
               ? fmt::format("element type is not known, {} is asked for", NamesOf(one_of))
               : fmt::format("element type is {}, not {}", ir::ElementTypeName(type),
                             NamesOf(one_of));
  };
  const auto holds = [one_of](const ir::Value& value) {
    return std::ranges::find(one_of, ElementTypeOf(value)) != one_of.end();
  };
  return WithCondition({"element type", holds, says});
}

Operand Operand::OfRank(int rank) const {
  return WithCondition({"rank", [rank](const ir::Value& value) { return RankOf(value) == rank; },
                        [rank](const ir::Value& value) {
                          const int found = RankOf(value);
                          return found < 0 ? fmt::format("rank is not known, {} is asked for", rank)
                                           : fmt::format("rank is {}, not {}", found, rank);
                        }});
}

Operand Operand::OfShape(std::vector<DimPattern> dims) const {
  Operand result = *this;
  result.shape_ = std::move(dims);
  return result;
}

Operand Operand::WhereConstant(std::string_view name,
                               std::function<bool(const ir::Tensor&)> holds) const {
  Operand result = Where(name, [holds = std::move(holds)](const ir::Value& value) {
    return holds(value.ConstantTensor());
  });
  result.constant_ = true;
  return result;
}

Operand Operand::ScalarEquals(double number) const {
  return WhereConstant(fmt::format("is the number {}", number), [number](const ir::Tensor& tensor) {
    return tensor.num_elements() == 1 && AllElementsEqual(tensor, number);
  });
}

Operand Operand::AllEqual(double number) const {
  return WhereConstant(
      fmt::format("every element is {}", number),
      [number](const ir::Tensor& tensor) { return AllElementsEqual(tensor, number); });
}

Operand Operand::EqualsInts(std::vector<int64_t> numbers) const {
  std::string name = fmt::format("is [{}]", fmt::join(numbers, ", "));
  return WhereConstant(name, [numbers = std::move(numbers)](const ir::Tensor& tensor) {
    return ElementsEqual(tensor, numbers);
  });
}

Operand Operand::Bind(ValueHandle handle) const {
  Operand result = *this;
  result.bind_ = handle.name;
  return result;
}

int Operand::depth() const {
  int deepest = producer_ == nullptr ? 0 : producer_->depth();
  for (const Operand& alternative : alternatives_) {
    deepest = std::max(deepest, alternative.depth());
  }
  if (each_ != nullptr) deepest = std::max(deepest, each_->depth());
  return deepest;
}

size_t Operand::num_operands() const {
  size_t count = 1 + (producer_ == nullptr ? 0 : producer_->num_operands());
  for (const Operand& alternative : alternatives_) count += alternative.num_operands();
  if (each_ != nullptr) count += each_->num_operands();
  return count;
}

bool Operand::looks_into_bodies() const {
  return (producer_ != nullptr && producer_->looks_into_bodies()) ||
         (each_ != nullptr && each_->looks_into_bodies()) ||
         std::ranges::any_of(alternatives_, &Operand::looks_into_bodies);
}

Operand Any() { return {}; }

Operand Any(ValueHandle handle) { return Any().Bind(handle); }

Operand Constant() {
  Operand result;
  result.constant_ = true;
  return result;
}

Operand Constant(ValueHandle handle) { return Constant().Bind(handle); }

Operand Optional(Operand operand) {
  operand.optional_ = true;
  return operand;
}

Operand Result(Pattern producer, size_t index) {
  Operand result(std::move(producer));
  result.result_ = index;
  return result;
}

Operand Captured(Operand operand) {
  operand.captured_ = true;
  return operand;
}

Operand OneOf(std::initializer_list<Operand> alternatives) {
  Operand result;
  result.alternatives_ = alternatives;
  result.optional_ =
      std::ranges::any_of(alternatives, [](const Operand& each) { return each.optional_; });
  return result;
}

Operand Rest() {
  Operand result;
  result.rest_ = true;
  return result;
}

Operand Rest(ValuesHandle handle) { return Rest().Bind(ValueHandle{handle.name}); }

Operand Rest(Operand each) {
  Operand result = Rest();
  result.each_ = std::make_shared<const Operand>(std::move(each));
  return result;
}

Operand Rest(ValuesHandle handle, Operand each) {
  return Rest(std::move(each)).Bind(ValueHandle{handle.name});
}

}  // namespace lathe::passes
