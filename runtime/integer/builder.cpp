#include "lathe/runtime/integer/builder.h"

#include <new>
#include <utility>

#include "lathe/runtime/integer/copy_step.h"
#include "lathe/runtime/integer/element_step.h"
#include "lathe/runtime/integer/known.h"
#include "lathe/runtime/integer/layer_reader.h"

namespace lathe::runtime::integer {
namespace {

size_t Index(Layout layout) { return layout == Layout::kPlain ? 0 : 1; }

}  // namespace

Builder::Builder(const Region& region, const Kernels& kernels)
    : region_(region), program_(std::make_unique<Program>(kernels)) {
  for (size_t i = 0; i < region.inputs.size(); ++i) states_[region.inputs[i]].input = i;
  outputs_.insert(region.outputs.begin(), region.outputs.end());
}

StatusOr<BuiltRegion> Builder::Build() {
  for (const ir::Node* node : region_.nodes) {
    if (done_.contains(node)) continue;
    LATHE_RETURN_IF_ERROR(InNode(Node(*node), *node));
  }
  for (const ir::Value* value : region_.outputs) LATHE_RETURN_IF_ERROR(Export(*value));
  LATHE_RETURN_IF_ERROR(program_->Finish());
  return BuiltRegion{std::move(program_), std::move(notes_)};
}

StatusOr<std::vector<int64_t>> Builder::Dims(const ir::Value& value) const {
  auto dims = KnownDims(value);
  if (!dims) {
    return Unsupported("the shape of '{}' is not known before the model runs", value.name_text());
  }
  LATHE_RETURN_IF_ERROR(ir::CheckedByteSize(ir::ElementType::kFloat64, *dims).status());
  return *std::move(dims);
}

StatusOr<TensorId> Builder::Need(const ir::Value& value, Layout layout) {
  LATHE_ASSIGN_OR_RETURN(const std::vector<int64_t> dims, Dims(value));
  if (dims.size() < 3) layout = Layout::kPlain;
  LATHE_ASSIGN_OR_RETURN(const TensorId at_hand, NeedAny(value, layout));
  std::optional<TensorId>& place = State(value).tensor[Index(layout)];
  if (place) return *place;
  const TensorInfo from = program_->tensor(at_hand);
  TensorInfo info = MakeTensorInfo(from.element, layout, from.dims);
  info.quant = from.quant;
  CopyPlan plan{.dims = info.dims, .from = from.Strides(), .to = info.Strides()};
  place = program_->AddTensor(std::move(info));
  program_->AddStep(MakeCopyStep(at_hand, *place, std::move(plan), false));
  return *place;
}

StatusOr<TensorId> Builder::NeedAny(const ir::Value& value, Layout wanted) {
  ValueState& state = State(value);
  for (const Layout layout : {wanted, Layout::kPlain, Layout::kChannelsLast}) {
    if (state.tensor[Index(layout)]) return *state.tensor[Index(layout)];
  }
  if (state.epilogue) {
    std::optional<TensorId>& place = state.tensor[Index(state.info.layout)];
    const TensorInfo& info = state.info;
    place = program_->AddTensor(info);
    const bool sums = info.element == Element::kInt32;
    (sums ? state.epilogue->sums_out : state.epilogue->floats_out) = *place;
    return *place;
  }
  if (state.input) {
    LATHE_ASSIGN_OR_RETURN(std::vector<int64_t> dims, Dims(value));
    const TensorInfo info = MakeTensorInfo(Element::kFloat, wanted, std::move(dims));
    const TensorId id = program_->AddTensor(info);
    program_->AddStep(MakeImportStep(*state.input, value.type().element, id, info));
    State(value).tensor[Index(info.layout)] = id;
    return id;
  }
  return InternalError("value '{}' is not in its region", value.name_text());
}

bool Builder::Extendable(const ir::Value& value) {
  const ValueState& state = State(value);
  return state.epilogue && value.has_one_use() && !outputs_.contains(&value) && !state.tensor[0] &&
         !state.tensor[1] && state.epilogue->quants.empty();
}

Layout Builder::Preferred(const ir::Value& value, int depth) const {
  constexpr int kDeepest = 8;
  for (const ir::Use& use : value.uses()) {
    const ir::Node& user = *use.user();
    for (const std::string_view op :
         {"Conv", "ConvTranspose", "AveragePool", "GlobalAveragePool", "MaxPool", "Pad"}) {
      if (user.Is(op)) return Layout::kChannelsLast;
    }
    if (user.Is("MatMul") || user.Is("Gemm")) return Layout::kPlain;
    const bool passes = user.Is("AscendQuant") || user.Is("Relu") || user.Is("Clip") ||
                        user.Is("Add") || user.Is("Mul") || user.Is("Concat") ||
                        user.Is("LeakyRelu") || user.Is("Identity");
    if (passes && depth < kDeepest &&
        Preferred(*user.output(), depth + 1) == Layout::kChannelsLast) {
      return Layout::kChannelsLast;
    }
  }
  return Layout::kPlain;
}

void Builder::Open(const ir::Value& value, const std::shared_ptr<Epilogue>& epilogue,
                   const TensorInfo& info) {
  ValueState& state = State(value);
  state.epilogue = epilogue;
  state.step = program_->num_steps() - 1;
  state.info = info;
}

StatusOr<Chain> Builder::Continue(const ir::Value& value, Layout layout, bool exact) {
  if (Extendable(value) && (!exact || State(value).info.layout == layout)) {
    const ValueState& state = State(value);
    return Chain{state.epilogue, state.step, state.info};
  }
  TensorId source = 0;
  if (exact) {
    LATHE_ASSIGN_OR_RETURN(source, Need(value, layout));
  } else {
    LATHE_ASSIGN_OR_RETURN(source, NeedAny(value, layout));
  }
  const TensorInfo info = program_->tensor(source);
  const auto epilogue = std::make_shared<Epilogue>();
  epilogue->bias.assign(info.stride, 0);
  program_->AddStep(MakeElementStep(source, info, epilogue));
  return Chain{epilogue, program_->num_steps() - 1, info};
}

void Builder::Hand(const Chain& chain, const ir::Value& to) {
  ValueState& state = State(to);
  state.epilogue = chain.epilogue;
  state.step = chain.step;
  state.info = chain.info;
  state.info.element = Element::kFloat;
}

Status Builder::Export(const ir::Value& value) {
  LATHE_ASSIGN_OR_RETURN(const TensorId id, NeedAny(value, Layout::kPlain));
  const TensorInfo& info = program_->tensor(id);
  ir::ElementType type = ir::ElementType::kFloat32;
  switch (info.element) {
    case Element::kFloat:
      if (value.type().element == ir::ElementType::kFloat16) type = ir::ElementType::kFloat16;
      break;
    case Element::kInt8:
      type = ir::ElementType::kInt8;
      break;
    case Element::kInt16:
      type = ir::ElementType::kInt16;
      break;
    case Element::kInt32:
      type = ir::ElementType::kInt32;
      break;
  }
  const size_t output = program_->AddOutput({.type = type, .dims = info.dims});
  program_->AddStep(MakeExportStep(id, program_->tensor(id), output, type));
  return OkStatus();
}

StatusOr<BuiltRegion> BuildRegion(const Region& region, const Kernels& kernels) {
  try {
    return Builder(region, kernels).Build();
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("no memory for the weights of an integer region");
  }
}

}  // namespace lathe::runtime::integer
