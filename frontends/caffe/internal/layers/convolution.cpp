#include "lathe/frontends/caffe/internal/layers.h"
#include "lathe/frontends/caffe/internal/layers/window.h"

namespace lathe::frontends::caffe {
namespace {

constexpr size_t kFirstSpatial = 2;

struct Kernel {
  Window window;
  int64_t channels = 0;
  int64_t outputs = 0;
  int64_t group = 1;
};

StatusOr<Kernel> ReadKernel(const LayerBuilder& builder) {
  const proto::ConvolutionParameter& param = builder.param().convolution_param();
  LATHE_RETURN_IF_ERROR(builder.CheckCounts(1));
  if (builder.rank() < 3) {
    return InvalidInput("bottom {} has no axes to slide along", DimsText(builder.dims()));
  }
  LATHE_ASSIGN_OR_RETURN(const int64_t axis, builder.Axis(param.axis()));
  if (axis != 1) return Unsupported("convolves with axis {} as channels, only 1 is read", axis);
  LATHE_RETURN_IF_ERROR(builder.RequireKnown(0, 1));
  Kernel kernel;
  LATHE_ASSIGN_OR_RETURN(kernel.window,
                         ConvolutionWindow(param, builder.dims().size() - kFirstSpatial));
  kernel.channels = builder.dims()[1];
  kernel.outputs = param.num_output();
  // A depthwise layer need not say so again.
  const bool depthwise = builder.param().type() != "Convolution" &&
                         builder.param().type() != "Deconvolution" && !param.has_group();
  kernel.group = depthwise ? kernel.channels : int64_t{param.group()};
  if (kernel.outputs < 1) return InvalidInput("num_output is {}", kernel.outputs);
  if (kernel.group < 1 || kernel.channels % kernel.group != 0 ||
      kernel.outputs % kernel.group != 0) {
    return InvalidInput("{} channels and {} outputs do not divide into {} groups", kernel.channels,
                        kernel.outputs, kernel.group);
  }
  return kernel;
}

// `first` and `second`: the weight's first extents.
Status FinishKernel(LayerBuilder& builder, const Kernel& kernel, std::string_view op, int64_t first,
                    int64_t second, const Dims& dims) {
  const bool has_bias = builder.param().convolution_param().bias_term();
  LATHE_RETURN_IF_ERROR(builder.CheckWeights(has_bias ? 2 : 1));
  Dims weight = {first, second};
  weight.insert(weight.end(), kernel.window.kernel.begin(), kernel.window.kernel.end());
  Op node{std::string(op), {builder.x()}};
  LATHE_ASSIGN_OR_RETURN(node.inputs.emplace_back(), builder.Weight(0, weight, "weight"));
  if (has_bias) {
    LATHE_ASSIGN_OR_RETURN(node.inputs.emplace_back(), builder.Weight(1, {kernel.outputs}, "bias"));
  }
  node.attributes = {{"dilations", kernel.window.dilation},
                     {"group", kernel.group},
                     {"kernel_shape", kernel.window.kernel},
                     {"pads", kernel.window.SymmetricPads()},
                     {"strides", kernel.window.stride}};
  return builder.Finish(std::move(node), dims);
}

}  // namespace

Status Convolution(LayerBuilder& builder) {
  LATHE_ASSIGN_OR_RETURN(const Kernel kernel, ReadKernel(builder));
  Dims dims = {builder.dims()[0], kernel.outputs};
  for (size_t i = 0; i < kernel.window.kernel.size(); ++i) {
    const int64_t padded = builder.dims()[kFirstSpatial + i] + 2 * kernel.window.pad[i];
    if (padded < kernel.window.Extent(i)) {
      return InvalidInput("the kernel covers {} along axis {}, the padded bottom has {}",
                          kernel.window.Extent(i), kFirstSpatial + i, padded);
    }
    dims.push_back((padded - kernel.window.Extent(i)) / kernel.window.stride[i] + 1);
  }
  return FinishKernel(builder, kernel, "Conv", kernel.outputs, kernel.channels / kernel.group,
                      dims);
}

Status Deconvolution(LayerBuilder& builder) {
  LATHE_ASSIGN_OR_RETURN(const Kernel kernel, ReadKernel(builder));
  Dims dims = {builder.dims()[0], kernel.outputs};
  for (size_t i = 0; i < kernel.window.kernel.size(); ++i) {
    dims.push_back(kernel.window.stride[i] * (builder.dims()[kFirstSpatial + i] - 1) +
                   kernel.window.Extent(i) - 2 * kernel.window.pad[i]);
  }
  return FinishKernel(builder, kernel, "ConvTranspose", kernel.channels,
                      kernel.outputs / kernel.group, dims);
}

}  // namespace lathe::frontends::caffe
