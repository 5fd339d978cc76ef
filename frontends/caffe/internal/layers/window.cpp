#include "lathe/frontends/caffe/internal/layers/window.h"

#include <limits>

namespace lathe::frontends::caffe {
namespace {

constexpr size_t kImageAxes = 2;

// Of a parameter that has one entry for all axes or one an axis, and for images two names more.
struct Parameter {
  std::string_view name;
  std::vector<int64_t> all;
  bool has_h = false;
  int64_t h = 0;
  bool has_w = false;
  int64_t w = 0;
};

StatusOr<std::vector<int64_t>> PerAxis(const Parameter& param, size_t axes, int64_t absent,
                                       int64_t least) {
  std::vector<int64_t> values = param.all;
  if (param.has_h || param.has_w) {
    if (!values.empty()) return InvalidInput("says {} in two ways", param.name);
    if (axes != kImageAxes) {
      return InvalidInput("says {} for height and width and has {} axes", param.name, axes);
    }
    values = {param.has_h ? param.h : absent, param.has_w ? param.w : absent};
  }
  if (values.empty()) values = {absent};
  if (values.size() == 1) values.assign(axes, values[0]);
  if (values.size() != axes) {
    return InvalidInput("has {} values of {} for {} axes", values.size(), param.name, axes);
  }
  for (const int64_t value : values) {
    if (value < least || value > std::numeric_limits<int32_t>::max()) {
      return InvalidInput("{} is {}", param.name, value);
    }
  }
  return values;
}

template <typename Repeated>
std::vector<int64_t> ToVector(const Repeated& values) {
  return {values.begin(), values.end()};
}

// A single field as a list.
std::vector<int64_t> One(bool has, int64_t value) {
  return has ? std::vector<int64_t>{value} : std::vector<int64_t>{};
}

}  // namespace

std::vector<int64_t> Window::SymmetricPads() const {
  std::vector<int64_t> pads = pad;
  pads.insert(pads.end(), pad.begin(), pad.end());
  return pads;
}

StatusOr<Window> ConvolutionWindow(const proto::ConvolutionParameter& param, size_t axes) {
  Window window;
  LATHE_ASSIGN_OR_RETURN(
      window.kernel, PerAxis({"kernel_size", ToVector(param.kernel_size()), param.has_kernel_h(),
                              param.kernel_h(), param.has_kernel_w(), param.kernel_w()},
                             axes, 0, 1));
  LATHE_ASSIGN_OR_RETURN(window.stride,
                         PerAxis({"stride", ToVector(param.stride()), param.has_stride_h(),
                                  param.stride_h(), param.has_stride_w(), param.stride_w()},
                                 axes, 1, 1));
  LATHE_ASSIGN_OR_RETURN(window.pad, PerAxis({"pad", ToVector(param.pad()), param.has_pad_h(),
                                              param.pad_h(), param.has_pad_w(), param.pad_w()},
                                             axes, 0, 0));
  LATHE_ASSIGN_OR_RETURN(window.dilation,
                         PerAxis({"dilation", ToVector(param.dilation())}, axes, 1, 1));
  return window;
}

StatusOr<Window> PoolingWindow(const proto::PoolingParameter& param) {
  Window window;
  window.dilation = {1, 1};
  LATHE_ASSIGN_OR_RETURN(
      window.kernel,
      PerAxis({"kernel_size", One(param.has_kernel_size(), param.kernel_size()),
               param.has_kernel_h(), param.kernel_h(), param.has_kernel_w(), param.kernel_w()},
              kImageAxes, 0, 1));
  LATHE_ASSIGN_OR_RETURN(window.stride, PerAxis({"stride", One(param.has_stride(), param.stride()),
                                                 param.has_stride_h(), param.stride_h(),
                                                 param.has_stride_w(), param.stride_w()},
                                                kImageAxes, 1, 1));
  LATHE_ASSIGN_OR_RETURN(window.pad,
                         PerAxis({"pad", One(param.has_pad(), param.pad()), param.has_pad_h(),
                                  param.pad_h(), param.has_pad_w(), param.pad_w()},
                                 kImageAxes, 0, 0));
  return window;
}

}  // namespace lathe::frontends::caffe
