#include "lathe/frontends/caffe/internal/layer_builder.h"

#include <algorithm>
#include <limits>

namespace lathe::frontends::caffe {
namespace {

std::string CountText(size_t least, size_t most) {
  if (least == most) return fmt::format("{}", least);
  if (most == std::numeric_limits<size_t>::max()) return fmt::format("at least {}", least);
  return fmt::format("{} to {}", least, most);
}

// Caffe counts values with an int.
Status CheckDims(const Dims& dims) {
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  if (dims.size() > kMostAxes) {
    return InvalidInput("a blob of {} axes, at most {} are possible", dims.size(), kMostAxes);
  }
  int64_t count = 1;
  for (const int64_t extent : dims) {
    if (extent == kFree) continue;
    if (extent <= 0)
      return InvalidInput("the shape {} has an extent of {}", DimsText(dims), extent);
    if (extent > kMost / count) {
      return InvalidInput("the shape {} is of more than 2^31 - 1 values", DimsText(dims));
    }
    count *= extent;
  }
  return OkStatus();
}

}  // namespace

std::string DimsText(const Dims& dims) {
  std::string text = "[";
  for (size_t i = 0; i < dims.size(); ++i) {
    if (i > 0) text += ",";
    text += dims[i] == kFree ? "?" : fmt::format("{}", dims[i]);
  }
  return text + "]";
}

int64_t CountOf(const Dims& dims, size_t begin, size_t end) {
  int64_t count = 1;
  for (size_t i = begin; i < end; ++i) {
    if (dims[i] == kFree) return kFree;
    count *= dims[i];
  }
  return count;
}

bool CanBeEqual(const Dims& a, const Dims& b) {
  return std::ranges::equal(
      a, b, [](int64_t x, int64_t y) { return x == y || x == kFree || y == kFree; });
}

LayerBuilder::LayerBuilder(ir::Rewriter& rewriter, WeightSource& weights,
                           const proto::LayerParameter& param, ir::Name node_name,
                           std::vector<Blob> bottoms, const std::vector<ir::Name>& tops)
    : rewriter_(rewriter),
      weights_(weights),
      param_(param),
      node_name_(node_name),
      bottoms_(std::move(bottoms)) {
  for (const ir::Name top : tops) tops_.push_back({top, {}});
}

Status LayerBuilder::CheckCounts(size_t least_bottoms, size_t most_bottoms, size_t least_tops,
                                 size_t most_tops) const {
  const auto check = [](size_t count, size_t least, size_t most, std::string_view what) {
    if (count >= least && count <= most) return OkStatus();
    return InvalidInput("has {} {}, {} {} expected", count, what, CountText(least, most),
                        least == 1 && most == 1 ? "is" : "are");
  };
  LATHE_RETURN_IF_ERROR(check(bottoms_.size(), least_bottoms, most_bottoms, "bottoms"));
  return check(tops_.size(), least_tops, most_tops, "tops");
}

StatusOr<int64_t> LayerBuilder::Axis(int64_t axis, bool allow_end) const {
  const int64_t from_start = axis < 0 ? axis + rank() : axis;
  if (from_start < 0 || from_start >= rank() + (allow_end ? 1 : 0)) {
    return InvalidInput("axis {} is none of bottom {}", axis, DimsText(dims()));
  }
  return from_start;
}

Status LayerBuilder::RequireKnown(size_t i, size_t begin) const {
  const Dims& of = bottoms_[i].dims;
  for (size_t axis = begin; axis < of.size(); ++axis) {
    if (of[axis] != kFree) continue;
    return Unsupported("axis {} of bottom {} depends on the batch, the layer needs it fixed", axis,
                       DimsText(of));
  }
  return OkStatus();
}

Status LayerBuilder::RequireRank(int64_t wanted) const {
  if (rank() == wanted) return OkStatus();
  return InvalidInput("bottom {} has {} axes, the layer needs {}", DimsText(dims()), rank(),
                      wanted);
}

std::string LayerBuilder::PartName(std::string_view part) const {
  if (part.empty()) return param_.name();
  return fmt::format("{}/{}", param_.name(), part);
}

ir::Value* LayerBuilder::Constant(std::string_view part, ir::Tensor tensor) {
  return &rewriter_.CreateInitializer(rewriter_.model().graph(), PartName(part), std::move(tensor));
}

ir::Value* LayerBuilder::Scalar(std::string_view part, float value) {
  return Constant(part, ir::Tensor::Scalar(value));
}

ir::Value* LayerBuilder::Ints(std::string_view part, const std::vector<int64_t>& values) {
  return Constant(part, ir::Tensor::Of<int64_t>({static_cast<int64_t>(values.size())}, values));
}

ir::Node& LayerBuilder::Create(std::string_view part, Op op) {
  ir::Model& model = rewriter_.model();
  const ir::Name name = part.empty() ? node_name_ : model.UniqueNodeName(PartName(part));
  ir::Node& node =
      rewriter_.InsertNode(model.graph(), nullptr, model.Intern(op.type), ir::Name{}, name);
  rewriter_.SetInputs(node, op.inputs);
  for (auto& [key, value] : op.attributes) {
    ir::Attribute attribute;
    attribute.name = model.Intern(key);
    attribute.value =
        std::visit([](auto& plain) -> ir::AttributeValue { return std::move(plain); }, value);
    rewriter_.AddAttribute(node, std::move(attribute));
  }
  rewriter_.SetOrigin(node, model.OriginOf(node_name_));
  return node;
}

ir::Value* LayerBuilder::Add(std::string_view part, Op op) {
  return AddSeveral(part, std::move(op), 1)[0];
}

std::vector<ir::Value*> LayerBuilder::AddSeveral(std::string_view part, Op op, size_t count) {
  ir::Node& node = Create(part, std::move(op));
  const std::string name(part.empty() ? "output" : part);
  std::vector<ir::Value*> values;
  for (size_t i = 0; i < count; ++i) {
    values.push_back(AddResult(node, count == 1 ? name : fmt::format("{}_{}", name, i)));
  }
  return values;
}

ir::Value* LayerBuilder::AddResult(ir::Node& node, std::string_view part) {
  ir::Model& model = rewriter_.model();
  return &rewriter_.AddOutput(node, model.UniqueValueName(PartName(part)), model.unknown_type());
}

Status LayerBuilder::Finish(Op op, const std::vector<Dims>& dims, std::string_view part) {
  for (const Dims& each : dims) LATHE_RETURN_IF_ERROR(CheckDims(each));
  ir::Node& node = Create(part, std::move(op));
  for (size_t i = 0; i < dims.size(); ++i) AddTop(i, node, dims[i]);
  return OkStatus();
}

Status LayerBuilder::FinishTop(size_t i, Op op, const Dims& dims, std::string_view part) {
  LATHE_RETURN_IF_ERROR(CheckDims(dims));
  AddTop(i, Create(part, std::move(op)), dims);
  return OkStatus();
}

void LayerBuilder::AddTop(size_t i, ir::Node& node, const Dims& dims) {
  ir::Model& model = rewriter_.model();
  ir::Shape shape;
  for (const int64_t extent : dims) {
    shape.push_back(extent == kFree ? ir::Dim() : ir::Dim::Known(extent));
  }
  const ir::Type* type =
      model.Intern(ir::Type::Tensor(ir::ElementType::kFloat32, std::move(shape)));
  tops_[i].blob = {&rewriter_.AddOutput(node, tops_[i].name, type), dims};
}

Status Chain::Finish(ir::Value* value, const Dims& dims) {
  if (steps_.empty()) Then("", {"Identity", {nullptr}});
  for (auto& [part, op] : steps_) {
    std::ranges::replace(op.inputs, static_cast<ir::Value*>(nullptr), value);
    if (&op == &steps_.back().second) return builder_.Finish(std::move(op), dims);
    value = builder_.Add(part, std::move(op));
  }
  return OkStatus();
}

}  // namespace lathe::frontends::caffe
