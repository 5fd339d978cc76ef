// Operators that move elements without looking at them.
#include <algorithm>
#include <limits>

#include "lathe/eval/internal/call.h"

namespace lathe::eval::internal {
namespace {

// Bytes of an element; Unimplemented for those that are not whole bytes.
StatusOr<size_t> Width(ElementType type) {
  const int bits = ir::ElementBits(type);
  if (bits == 0 || bits % 8 != 0) {
    return Unsupported("elements of type {} are not evaluated", ir::ElementTypeName(type));
  }
  return static_cast<size_t>(bits) / 8;
}

// Which index of an axis of the source each index of the result comes from; -1: the filling.
using AxisMap = std::vector<int64_t>;

AxisMap Whole(int64_t extent) {
  AxisMap map(static_cast<size_t>(extent));
  for (size_t i = 0; i < map.size(); ++i) map[i] = static_cast<int64_t>(i);
  return map;
}

std::vector<AxisMap> WholeAxes(const Tensor& source) {
  std::vector<AxisMap> maps;
  for (const int64_t dim : source.dims()) maps.push_back(Whole(dim));
  return maps;
}

// The tensor whose element [i, j, ...] is source[maps[0][i], maps[1][j], ...]: slices, gathers,
// repetitions and paddings are of this form. `filling` has one element's bytes.
StatusOr<Tensor> Take(const Call& call, const Tensor& source, const std::vector<AxisMap>& maps,
                      std::span<const std::byte> filling = {}) {
  const ElementType type = source.element_type();
  LATHE_ASSIGN_OR_RETURN(const size_t width, Width(type));
  Dims dims;
  for (const AxisMap& map : maps) dims.push_back(static_cast<int64_t>(map.size()));
  LATHE_RETURN_IF_ERROR(call.CheckSize(type, dims));
  LATHE_ASSIGN_OR_RETURN(const ir::TensorBytes from, source.Read());
  std::vector<std::byte> to(ir::ElementBytes(type, static_cast<size_t>(Product(dims))));
  const std::vector<int64_t> strides = Strides(source.dims());
  std::vector<size_t> index(maps.size());
  for (size_t at = 0; at < to.size(); at += width) {
    int64_t offset = 0;
    bool is_filling = false;
    for (size_t axis = 0; axis < maps.size(); ++axis) {
      const int64_t i = maps[axis][index[axis]];
      is_filling |= i < 0;
      offset += i * strides[axis];
    }
    const std::byte* element =
        is_filling ? filling.data() : from.data() + static_cast<size_t>(offset) * width;
    std::memcpy(&to[at], element, width);
    for (size_t axis = maps.size(); axis-- > 0;) {
      if (++index[axis] < maps[axis].size()) break;
      index[axis] = 0;
    }
  }
  return Tensor::FromVector(type, std::move(dims), std::move(to));
}

Results Identity(const Call& call) {
  LATHE_RETURN_IF_ERROR(call.Need(1));
  return std::vector{call.inputs[0]};
}

Results Transpose(const Call& call) {
  LATHE_RETURN_IF_ERROR(call.Need(1));
  const Tensor& source = call.inputs[0];
  const size_t rank = source.dims().size();
  std::vector<int64_t> order = call.node.IntsAttribute("perm");
  if (call.node.FindAttribute("perm") == nullptr) {
    for (size_t i = rank; i-- > 0;) order.push_back(static_cast<int64_t>(i));
  }
  LATHE_ASSIGN_OR_RETURN(order, Axes(std::move(order), rank));
  if (order.size() != rank) {
    return InvalidInput("perm has {} axes, the input {}", order.size(), rank);
  }
  LATHE_ASSIGN_OR_RETURN(const size_t width, Width(source.element_type()));
  LATHE_RETURN_IF_ERROR(call.CheckSize(source.element_type(), source.dims()));
  LATHE_ASSIGN_OR_RETURN(const ir::TensorBytes from, source.Read());
  const std::vector<int64_t> own = Strides(source.dims());
  Dims dims;
  std::vector<int64_t> strides;
  for (const int64_t axis : order) {
    dims.push_back(source.dims()[static_cast<size_t>(axis)]);
    strides.push_back(own[static_cast<size_t>(axis)]);
  }
  std::vector<std::byte> to(from.size());
  Walker<1> walker(dims, {strides});
  for (size_t at = 0; at < to.size(); at += width) {
    std::memcpy(&to[at], from.data() + walker.at(0) * width, width);
    walker.Next();
  }
  return One(Tensor::FromVector(source.element_type(), std::move(dims), std::move(to)));
}

StatusOr<Tensor> WithDims(const Tensor& source, Dims dims) {
  LATHE_RETURN_IF_ERROR(CheckShape(dims));
  LATHE_ASSIGN_OR_RETURN(const int64_t count, ir::CheckedElementCount(dims));
  if (count != source.num_elements()) {
    return InvalidInput("shape [{}] does not hold the {} elements of [{}]", fmt::join(dims, ","),
                        source.num_elements(), fmt::join(source.dims(), ","));
  }
  return source.WithDims(std::move(dims));
}

Results Reshape(const Call& call) {
  LATHE_RETURN_IF_ERROR(call.Need(2));
  const Tensor& source = call.inputs[0];
  LATHE_ASSIGN_OR_RETURN(Dims dims, call.Ints(1));
  const bool zero_is_zero = call.node.IntAttribute("allowzero", 0) != 0;
  std::optional<size_t> inferred;
  int64_t others = 1;
  for (size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] == -1) {
      if (inferred) return InvalidInput("shape [{}] has -1 twice", fmt::join(dims, ","));
      inferred = i;
      continue;
    }
    if (dims[i] == 0 && !zero_is_zero) {
      if (i >= source.dims().size()) {
        return InvalidInput("shape [{}] copies dimension {}, which the input has not",
                            fmt::join(dims, ","), i);
      }
      dims[i] = source.dims()[i];
    }
    if (dims[i] < 0 || __builtin_mul_overflow(others, dims[i], &others)) {
      return InvalidInput("shape [{}] is not valid", fmt::join(dims, ","));
    }
  }
  if (inferred) {
    if (others == 0 || source.num_elements() % others != 0) {
      return InvalidInput("shape [{}] does not divide the {} elements of [{}]",
                          fmt::join(dims, ","), source.num_elements(),
                          fmt::join(source.dims(), ","));
    }
    dims[*inferred] = source.num_elements() / others;
  }
  return One(WithDims(source, std::move(dims)));
}

Results Flatten(const Call& call) {
  LATHE_RETURN_IF_ERROR(call.Need(1));
  const std::span<const int64_t> dims = call.inputs[0].dims();
  int64_t axis = call.node.IntAttribute("axis", 1);
  // Unlike elsewhere the rank itself is an axis.
  const auto rank = static_cast<int64_t>(dims.size());
  if (axis < -rank || axis > rank) {
    return InvalidInput("axis {} is outside the {} dimensions", axis, rank);
  }
  if (axis < 0) axis += rank;
  return One(WithDims(call.inputs[0], {Product(dims.first(static_cast<size_t>(axis))),
                                       Product(dims.subspan(static_cast<size_t>(axis)))}));
}

Results Squeeze(const Call& call) {
  LATHE_RETURN_IF_ERROR(call.Need(1));
  const Tensor& source = call.inputs[0];
  LATHE_ASSIGN_OR_RETURN(auto axes, call.IntsOf("axes", 1));
  if (axes) {
    LATHE_ASSIGN_OR_RETURN(axes, Axes(*std::move(axes), source.dims().size()));
  }
  Dims dims;
  for (size_t i = 0; i < source.dims().size(); ++i) {
    const int64_t dim = source.dims()[i];
    const bool drop = axes ? std::ranges::count(*axes, static_cast<int64_t>(i)) > 0 : dim == 1;
    if (drop && dim != 1) return InvalidInput("axis {} has extent {}, not 1", i, dim);
    if (!drop) dims.push_back(dim);
  }
  return One(WithDims(source, std::move(dims)));
}

Results Unsqueeze(const Call& call) {
  LATHE_RETURN_IF_ERROR(call.Need(1));
  const Tensor& source = call.inputs[0];
  LATHE_ASSIGN_OR_RETURN(auto axes, call.IntsOf("axes", 1));
  if (!axes) return InvalidInput("axes are missing");
  const size_t rank = source.dims().size() + axes->size();
  LATHE_ASSIGN_OR_RETURN(axes, Axes(*std::move(axes), rank));
  Dims dims;
  size_t next = 0;
  for (size_t i = 0; i < rank; ++i) {
    const bool is_new = std::ranges::count(*axes, static_cast<int64_t>(i)) > 0;
    dims.push_back(is_new ? 1 : source.dims()[next++]);
  }
  return One(WithDims(source, std::move(dims)));
}

Results Concat(const Call& call) {
  LATHE_RETURN_IF_ERROR(call.Need(std::max<size_t>(call.inputs.size(), 1)));
  const Tensor& first = call.inputs[0];
  LATHE_ASSIGN_OR_RETURN(const size_t width, Width(first.element_type()));
  LATHE_ASSIGN_OR_RETURN(const int64_t signed_axis,
                         Axis(call.node.IntAttribute("axis", 1), first.dims().size()));
  const auto axis = static_cast<size_t>(signed_axis);
  Dims dims = DimsOf(first);
  dims[axis] = 0;
  std::vector<ir::TensorBytes> parts;
  std::vector<size_t> blocks;
  for (const Tensor& input : call.inputs) {
    Dims fitting = DimsOf(input);
    bool fits = input.element_type() == first.element_type() && fitting.size() == dims.size();
    if (fits) {
      if (__builtin_add_overflow(dims[axis], fitting[axis], &dims[axis])) fits = false;
      fitting[axis] = dims[axis];
      fits &= fitting == dims;
    }
    if (!fits) {
      return InvalidInput("[{}] cannot be joined to [{}] along axis {}",
                          fmt::join(input.dims(), ","), fmt::join(first.dims(), ","), axis);
    }
    LATHE_ASSIGN_OR_RETURN(ir::TensorBytes bytes, input.Read());
    parts.push_back(std::move(bytes));
    blocks.push_back(static_cast<size_t>(Product(input.dims().subspan(axis))) * width);
  }
  LATHE_RETURN_IF_ERROR(call.CheckSize(first.element_type(), dims));
  std::vector<std::byte> to(
      ir::ElementBytes(first.element_type(), static_cast<size_t>(Product(dims))));
  size_t at = 0;
  for (size_t row = 0; at < to.size(); ++row) {
    for (size_t i = 0; i < parts.size(); ++i) {
      if (blocks[i] == 0) continue;
      std::memcpy(&to[at], parts[i].data() + row * blocks[i], blocks[i]);
      at += blocks[i];
    }
  }
  return One(Tensor::FromVector(first.element_type(), std::move(dims), std::move(to)));
}

// The indices start, start + step, ... of an axis, both ends clamped as the definition says.
StatusOr<AxisMap> SliceMap(int64_t extent, int64_t start, int64_t end, int64_t step) {
  if (step == 0) return InvalidInput("a step is 0");
  const auto clamp = [&](int64_t at) {
    if (at < 0 && __builtin_add_overflow(at, extent, &at)) at = 0;
    return step > 0 ? std::clamp<int64_t>(at, 0, extent) : std::clamp<int64_t>(at, -1, extent - 1);
  };
  // Going backwards, an end before the first element means "to the first" and not "the last".
  const int64_t first = clamp(start), last = clamp(end);
  AxisMap map;
  for (int64_t i = first; step > 0 ? i < last : i > last;) {
    map.push_back(i);
    if (__builtin_add_overflow(i, step, &i)) break;
  }
  return map;
}

Results Slice(const Call& call) {
  LATHE_RETURN_IF_ERROR(call.Need(1));
  const Tensor& source = call.inputs[0];
  const size_t rank = source.dims().size();
  LATHE_ASSIGN_OR_RETURN(const auto starts, call.IntsOf("starts", 1));
  LATHE_ASSIGN_OR_RETURN(const auto ends, call.IntsOf("ends", 2));
  LATHE_ASSIGN_OR_RETURN(auto axes, call.IntsOf("axes", 3));
  LATHE_ASSIGN_OR_RETURN(auto steps, call.IntsOf("", 4));
  if (!starts || !ends) return InvalidInput("starts or ends are missing");
  if (!axes) axes = Whole(static_cast<int64_t>(starts->size()));
  if (!steps) steps.emplace(starts->size(), 1);
  if (ends->size() != starts->size() || axes->size() != starts->size() ||
      steps->size() != starts->size()) {
    return InvalidInput("starts, ends, axes and steps are not equally many");
  }
  LATHE_ASSIGN_OR_RETURN(axes, Axes(*std::move(axes), rank));
  std::vector<AxisMap> maps = WholeAxes(source);
  for (size_t i = 0; i < axes->size(); ++i) {
    const auto axis = static_cast<size_t>((*axes)[i]);
    LATHE_ASSIGN_OR_RETURN(maps[axis],
                           SliceMap(source.dims()[axis], (*starts)[i], (*ends)[i], (*steps)[i]));
  }
  return One(Take(call, source, maps));
}

Results Split(const Call& call) {
  LATHE_RETURN_IF_ERROR(call.Need(1));
  const Tensor& source = call.inputs[0];
  LATHE_ASSIGN_OR_RETURN(const int64_t signed_axis,
                         Axis(call.node.IntAttribute("axis", 0), source.dims().size()));
  const auto axis = static_cast<size_t>(signed_axis);
  LATHE_ASSIGN_OR_RETURN(auto sizes, call.IntsOf("split", 1));
  const int64_t extent = source.dims()[axis];
  const auto parts = static_cast<int64_t>(call.node.num_outputs());
  if (!sizes) {
    // Equal parts; from version 18 on the last may be smaller.
    const int64_t part = (extent + parts - 1) / parts;
    sizes.emplace();
    for (int64_t i = 0, left = extent; i < parts; ++i, left -= sizes->back()) {
      sizes->push_back(std::min(part, left));
    }
    if (call.opset < 18 && extent % parts != 0) {
      return InvalidInput("extent {} does not split into {} equal parts", extent, parts);
    }
  }
  int64_t sum = 0;
  for (const int64_t size : *sizes) {
    if (size < 0 || __builtin_add_overflow(sum, size, &sum)) sum = -1;
    if (sum < 0) break;
  }
  if (sum != extent || static_cast<int64_t>(sizes->size()) != parts) {
    return InvalidInput("parts [{}] do not make up extent {} in {} outputs", fmt::join(*sizes, ","),
                        extent, parts);
  }
  std::vector<Tensor> results;
  int64_t start = 0;
  for (const int64_t size : *sizes) {
    std::vector<AxisMap> maps = WholeAxes(source);
    LATHE_ASSIGN_OR_RETURN(maps[axis], SliceMap(extent, start, start + size, 1));
    LATHE_ASSIGN_OR_RETURN(Tensor part, Take(call, source, maps));
    results.push_back(std::move(part));
    start += size;
  }
  return results;
}

Results Gather(const Call& call) {
  LATHE_RETURN_IF_ERROR(call.Need(2));
  const Tensor& source = call.inputs[0];
  LATHE_ASSIGN_OR_RETURN(const int64_t signed_axis,
                         Axis(call.node.IntAttribute("axis", 0), source.dims().size()));
  const auto axis = static_cast<size_t>(signed_axis);
  LATHE_ASSIGN_OR_RETURN(AxisMap indices, call.Ints(1));
  const int64_t extent = source.dims()[axis];
  for (int64_t& index : indices) {
    if (index < -extent || index >= extent) {
      return InvalidInput("index {} is outside extent {} of axis {}", index, extent, axis);
    }
    if (index < 0) index += extent;
  }
  std::vector<AxisMap> maps = WholeAxes(source);
  maps[axis] = std::move(indices);
  LATHE_ASSIGN_OR_RETURN(const Tensor taken, Take(call, source, maps));
  // The axis is replaced by the dimensions of the indices.
  const std::span<const int64_t> dims = source.dims();
  Dims result(dims.begin(), dims.begin() + signed_axis);
  const std::span<const int64_t> inner = call.inputs[1].dims();
  result.insert(result.end(), inner.begin(), inner.end());
  result.insert(result.end(), dims.begin() + signed_axis + 1, dims.end());
  return One(WithDims(taken, std::move(result)));
}

Results Expand(const Call& call) {
  LATHE_RETURN_IF_ERROR(call.Need(2));
  LATHE_ASSIGN_OR_RETURN(const Dims wanted, call.Ints(1));
  LATHE_RETURN_IF_ERROR(ir::CheckedElementCount(wanted).status());
  LATHE_ASSIGN_OR_RETURN(const Dims dims, Broadcast(call.inputs[0].dims(), wanted));
  LATHE_RETURN_IF_ERROR(call.CheckSize(call.inputs[0].element_type(), dims));
  Dims aligned(dims.size() - call.inputs[0].dims().size(), 1);
  aligned.insert(aligned.end(), call.inputs[0].dims().begin(), call.inputs[0].dims().end());
  std::vector<AxisMap> maps;
  for (size_t i = 0; i < dims.size(); ++i) {
    maps.push_back(aligned[i] == dims[i] ? Whole(dims[i])
                                         : AxisMap(static_cast<size_t>(dims[i]), 0));
  }
  return One(Take(call, call.inputs[0].WithDims(aligned), maps));
}

Results Tile(const Call& call) {
  LATHE_RETURN_IF_ERROR(call.Need(2));
  const Tensor& source = call.inputs[0];
  LATHE_ASSIGN_OR_RETURN(const std::vector<int64_t> repeats, call.Ints(1));
  if (repeats.size() != source.dims().size()) {
    return InvalidInput("{} repeats for {} dimensions", repeats.size(), source.dims().size());
  }
  Dims dims = DimsOf(source);
  for (size_t i = 0; i < dims.size(); ++i) {
    if (repeats[i] < 0 || __builtin_mul_overflow(dims[i], repeats[i], &dims[i])) {
      return InvalidInput("repeats [{}] are not valid", fmt::join(repeats, ","));
    }
  }
  LATHE_RETURN_IF_ERROR(call.CheckSize(source.element_type(), dims));
  std::vector<AxisMap> maps;
  for (size_t i = 0; i < dims.size(); ++i) {
    AxisMap& map = maps.emplace_back(Product(dims) == 0 ? 0 : static_cast<size_t>(dims[i]));
    for (size_t k = 0; k < map.size(); ++k) map[k] = static_cast<int64_t>(k) % source.dims()[i];
  }
  if (Product(dims) == 0) {
    return One(Tensor::FromVector(source.element_type(), std::move(dims), {}));
  }
  return One(Take(call, source, maps));
}

// The source index for position `at` (which may lie outside) of an axis.
StatusOr<int64_t> Padded(std::string_view mode, int64_t at, int64_t extent) {
  if (at >= 0 && at < extent) return at;
  if (mode == "constant") return -1;
  if (extent == 0) return InvalidInput("an empty axis has nothing to pad with");
  if (mode == "edge") return at < 0 ? 0 : extent - 1;
  const auto modulo = [](int64_t a, int64_t b) { return ((a % b) + b) % b; };
  if (mode == "wrap") return modulo(at, extent);
  if (mode == "reflect") {
    if (extent == 1) return 0;
    const int64_t place = modulo(at, 2 * (extent - 1));
    return place < extent ? place : 2 * (extent - 1) - place;
  }
  return Unsupported("mode '{}' is not evaluated", mode);
}

Results Pad(const Call& call) {
  LATHE_RETURN_IF_ERROR(call.Need(1));
  const Tensor& source = call.inputs[0];
  const size_t rank = source.dims().size();
  LATHE_ASSIGN_OR_RETURN(const auto pads, call.IntsOf("pads", 1));
  if (!pads) return InvalidInput("pads are missing");
  std::vector<int64_t> axes = Whole(static_cast<int64_t>(rank));
  if (call.has(3)) {
    LATHE_ASSIGN_OR_RETURN(axes, call.Ints(3));
    LATHE_ASSIGN_OR_RETURN(axes, Axes(std::move(axes), rank));
  }
  if (pads->size() != 2 * axes.size()) {
    return InvalidInput("{} pads for {} axes", pads->size(), axes.size());
  }
  LATHE_ASSIGN_OR_RETURN(const size_t width, Width(source.element_type()));
  std::vector<std::byte> filling(width);
  if (call.has(2)) {
    if (call.inputs[2].element_type() != source.element_type() ||
        call.inputs[2].num_elements() != 1) {
      return InvalidInput("the value to pad with is not one element of the input's type");
    }
    LATHE_ASSIGN_OR_RETURN(const ir::TensorBytes bytes, call.inputs[2].Read());
    std::memcpy(filling.data(), bytes.data(), width);
  } else if (const float value = call.node.FloatAttribute("value", 0); value != 0) {
    // Before version 11.
    if (source.element_type() != ElementType::kFloat32) {
      return Unsupported("padding of {} by an attribute is not evaluated",
                         ir::ElementTypeName(source.element_type()));
    }
    std::memcpy(filling.data(), &value, width);
  }
  const std::string mode = call.node.StringAttribute("mode", "constant");
  std::vector<std::pair<int64_t, int64_t>> ranges;
  Dims dims = DimsOf(source);
  for (const int64_t dim : dims) ranges.emplace_back(0, dim);
  for (size_t i = 0; i < axes.size(); ++i) {
    const auto axis = static_cast<size_t>(axes[i]);
    const int64_t before = (*pads)[i], after = (*pads)[i + axes.size()];
    // Far enough from overflow for the arithmetic below.
    constexpr int64_t kMost = int64_t{1} << 40;
    if (std::abs(before) > kMost || std::abs(after) > kMost || before < -kMost || after < -kMost) {
      return InvalidInput("pads [{}] are not valid", fmt::join(*pads, ","));
    }
    ranges[axis] = {-before, dims[axis] + after};
    dims[axis] += before + after;
  }
  LATHE_RETURN_IF_ERROR(call.CheckSize(source.element_type(), dims));
  std::vector<AxisMap> maps(rank);
  for (size_t axis = 0; axis < rank; ++axis) {
    for (int64_t at = ranges[axis].first; at < ranges[axis].second; ++at) {
      LATHE_ASSIGN_OR_RETURN(const int64_t from, Padded(mode, at, source.dims()[axis]));
      maps[axis].push_back(from);
    }
  }
  return One(Take(call, source, maps, filling));
}

constexpr Operator kOperators[] = {
    {"Concat", Concat},       {"Expand", Expand},   {"Flatten", Flatten}, {"Gather", Gather},
    {"Identity", Identity},   {"Pad", Pad},         {"Reshape", Reshape}, {"Slice", Slice},
    {"Split", Split},         {"Squeeze", Squeeze}, {"Tile", Tile},       {"Transpose", Transpose},
    {"Unsqueeze", Unsqueeze},
};

}  // namespace

std::span<const Operator> LayoutOperators() { return kOperators; }

}  // namespace lathe::eval::internal
