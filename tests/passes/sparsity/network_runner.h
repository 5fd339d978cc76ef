// Runs small networks on the interpreter, with the layers that the evaluator does not know in plain
// loops.
#pragma once

#include <cmath>

#include "lathe/tests/passes/interpreter.h"

namespace lathe::passes {

class NetworkRunner {
 public:
  explicit NetworkRunner(const ir::Model& model) : model_(model), interpreter_(model) {}

  StatusOr<std::vector<ir::Tensor>> Run(const ir::Tensor& input) {
    interpreter_.Set(*model_.graph().inputs()[0], input);
    for (const ir::Node& node : model_.graph().nodes()) {
      LATHE_RETURN_IF_ERROR(WithContext(RunNode(node), ErrorContext::kNode, node.display_name()));
    }
    std::vector<ir::Tensor> outputs;
    for (const ir::Use& use : model_.graph().outputs()) {
      outputs.push_back(interpreter_.Find(*use.value()));
    }
    return outputs;
  }

 private:
  struct Array {
    std::vector<int64_t> dims;
    std::vector<float> values;
  };

  StatusOr<Array> In(const ir::Node& node, size_t i) {
    const ir::Tensor tensor = interpreter_.Find(*node.input(i));
    if (!tensor) return NotFound("input {} has no value", i);
    Array array;
    array.dims.assign(tensor.dims().begin(), tensor.dims().end());
    LATHE_ASSIGN_OR_RETURN(array.values, tensor.ValuesAsFloat());
    return array;
  }

  Status RunNode(const ir::Node& node) {
    StatusOr<Array> result = Array();
    if (node.Is("Conv")) {
      result = Conv(node);
    } else if (node.Is("Gemm") || node.Is("MatMul")) {
      result = Product(node);
    } else if (node.Is("BatchNormalization")) {
      result = BatchNorm(node);
    } else if (node.Is("GlobalAveragePool")) {
      result = GlobalAverage(node);
    } else if (node.Is("Sigmoid")) {
      result = In(node, 0);
      if (result.ok()) {
        for (float& value : result->values) value = 1 / (1 + std::exp(-value));
      }
    } else if (node.Is("PRelu")) {
      result = PRelu(node);
    } else {
      return interpreter_.RunNode(node);
    }
    LATHE_RETURN_IF_ERROR(result.status());
    interpreter_.Set(*node.output(), ir::Tensor::Of(result->dims, result->values));
    return OkStatus();
  }

  // Stride and dilation 1, as much padding as keeps the extent.
  StatusOr<Array> Conv(const ir::Node& node) {
    LATHE_ASSIGN_OR_RETURN(const Array x, In(node, 0));
    LATHE_ASSIGN_OR_RETURN(const Array w, In(node, 1));
    Array bias;
    if (node.input(2) != nullptr) {
      LATHE_ASSIGN_OR_RETURN(bias, In(node, 2));
    }
    const int64_t group = node.IntAttribute("group", 1);
    const int64_t cout = w.dims[0], cin = w.dims[1], k = w.dims[2], h = x.dims[2], v = x.dims[3];
    const bool fits = x.dims[1] == cin * group && cout % group == 0 &&
                      (node.input(2) == nullptr || bias.dims[0] == cout);
    if (!fits) return InvalidInput("shapes do not fit");
    Array y{{x.dims[0], cout, h, v}, {}};
    for (int64_t n = 0; n < x.dims[0]; ++n) {
      for (int64_t o = 0; o < cout; ++o) {
        for (int64_t i = 0; i < h * v; ++i) {
          double sum = bias.values.empty() ? 0 : bias.values[o];
          for (int64_t c = 0; c < cin; ++c) {
            const int64_t channel = o / (cout / group) * cin + c;
            for (int64_t t = 0; t < k * k; ++t) {
              const int64_t row = i / v + t / k - k / 2;
              const int64_t column = i % v + t % k - k / 2;
              if (row < 0 || row >= h || column < 0 || column >= v) continue;
              sum += static_cast<double>(w.values[(o * cin + c) * k * k + t]) *
                     x.values[((n * x.dims[1] + channel) * h + row) * v + column];
            }
          }
          y.values.push_back(static_cast<float>(sum));
        }
      }
    }
    return y;
  }

  StatusOr<Array> Product(const ir::Node& node) {
    LATHE_ASSIGN_OR_RETURN(const Array x, In(node, 0));
    LATHE_ASSIGN_OR_RETURN(const Array w, In(node, 1));
    const bool transposed = node.IntAttribute("transB", 0) != 0;
    const int64_t in = w.dims[transposed ? 1 : 0], out = w.dims[transposed ? 0 : 1];
    if (x.dims.back() != in) return InvalidInput("shapes do not fit");
    Array bias;
    if (node.Is("Gemm") && node.input(2) != nullptr) {
      LATHE_ASSIGN_OR_RETURN(bias, In(node, 2));
      if (bias.dims.back() != out) return InvalidInput("the bias does not fit");
    }
    Array y{x.dims, {}};
    y.dims.back() = out;
    for (size_t row = 0; row < x.values.size(); row += static_cast<size_t>(in)) {
      for (int64_t o = 0; o < out; ++o) {
        double sum = bias.values.empty() ? 0 : bias.values[o];
        for (int64_t c = 0; c < in; ++c) {
          sum += static_cast<double>(w.values[transposed ? o * in + c : c * out + o]) *
                 x.values[row + c];
        }
        y.values.push_back(static_cast<float>(sum));
      }
    }
    return y;
  }

  StatusOr<Array> BatchNorm(const ir::Node& node) {
    LATHE_ASSIGN_OR_RETURN(Array x, In(node, 0));
    std::vector<Array> parameters;
    for (size_t i = 1; i < 5; ++i) {
      LATHE_ASSIGN_OR_RETURN(parameters.emplace_back(), In(node, i));
      if (parameters.back().dims[0] != x.dims[1]) return InvalidInput("shapes do not fit");
    }
    ForEach(x, [&](float& value, int64_t c) {
      value = (value - parameters[2].values[c]) / std::sqrt(parameters[3].values[c] + 1e-5f) *
                  parameters[0].values[c] +
              parameters[1].values[c];
    });
    return x;
  }

  StatusOr<Array> PRelu(const ir::Node& node) {
    LATHE_ASSIGN_OR_RETURN(Array x, In(node, 0));
    LATHE_ASSIGN_OR_RETURN(const Array slope, In(node, 1));
    if (slope.dims[0] != x.dims[1]) return InvalidInput("shapes do not fit");
    ForEach(x, [&](float& value, int64_t c) { value *= value < 0 ? slope.values[c] : 1; });
    return x;
  }

  StatusOr<Array> GlobalAverage(const ir::Node& node) {
    LATHE_ASSIGN_OR_RETURN(const Array x, In(node, 0));
    Array y{{x.dims[0], x.dims[1], 1, 1}, {}};
    const size_t size = static_cast<size_t>(x.dims[2] * x.dims[3]);
    for (size_t begin = 0; begin < x.values.size(); begin += size) {
      double sum = 0;
      for (size_t i = begin; i < begin + size; ++i) sum += x.values[i];
      y.values.push_back(static_cast<float>(sum / static_cast<double>(size)));
    }
    return y;
  }

  // Of axis 1.
  template <typename Visit>
  static void ForEach(Array& x, const Visit& visit) {
    int64_t inner = 1;
    for (size_t i = 2; i < x.dims.size(); ++i) inner *= x.dims[i];
    for (size_t i = 0; i < x.values.size(); ++i) {
      visit(x.values[i], static_cast<int64_t>(i) / inner % x.dims[1]);
    }
  }

  const ir::Model& model_;
  Interpreter interpreter_;
};

}  // namespace lathe::passes
