// Random small graphs compute the same, bit for bit, before and after the passes that compute,
// follow shapes and inline, for several extents of their free dimensions (0 among them).
// LATHE_FUZZ_ITERATIONS sets how many graphs are tried; the seed is fixed.
#include <algorithm>
#include <cstdlib>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "lathe/ir/text/print.h"
#include "lathe/tests/passes/interpreter.h"
#include "lathe/tests/passes/run_pass.h"
#include "lathe/tests/support/fuzz_inputs.h"

namespace lathe::passes {
namespace {

int Iterations() { return std::min(test::FuzzIterations(300), 3000); }

// The model's inputs: x: f32[N,3,M], z: f32[N,2], k: i64[3], flag: bool[].
std::vector<ir::Tensor> Inputs(int64_t n, int64_t m, bool flag) {
  const auto floats = [](std::vector<int64_t> dims, float first) {
    int64_t count = 1;
    for (const int64_t dim : dims) count *= dim;
    std::vector<float> values(static_cast<size_t>(count));
    for (size_t i = 0; i < values.size(); ++i) values[i] = first + static_cast<float>(i);
    return ir::Tensor::Of(std::move(dims), values);
  };
  return {floats({n, 3, m}, -2), floats({n, 2}, 1),
          ir::Tensor::Of({3}, std::vector<int64_t>{n, -1, 2}), ir::Tensor::Scalar(flag)};
}

class Generator {
 public:
  explicit Generator(uint32_t seed) : random_(seed), rewriter_(model_), runner_(model_) {
    rewriter_.MutableInfo().opset_imports = {{"", 17}, {"own", 1}};
    MakeFunction();
    using ir::Dim;
    const auto input = [&](const char* name, ir::ElementType type, ir::Shape shape) {
      return &rewriter_.AddGraphInput(model_.graph(), model_.Intern(name),
                                      model_.Intern(ir::Type::Tensor(type, std::move(shape))));
    };
    floats_ = {
        input("x", ir::ElementType::kFloat32, {Dim::Symbol("N"), Dim::Known(3), Dim::Symbol("M")}),
        input("z", ir::ElementType::kFloat32, {Dim::Symbol("N"), Dim::Known(2)})};
    integers_ = {input("k", ir::ElementType::kInt64, {Dim::Known(3)})};
    flag_ = input("flag", ir::ElementType::kBool, {});
    // Every node is tried on these inputs when it is made, and goes again if it cannot be run.
    const StatusOr<std::vector<ir::Tensor>> empty = runner_.Run(Inputs(2, 4, true));
    EXPECT_TRUE(empty.ok());
  }

  const ir::Model& Make() {
    const int count = Pick(5, 40);
    for (int i = 0; i < count; ++i) Step(model_.graph(), floats_, integers_, 2);
    for (int i = 0; i < 3; ++i) {
      rewriter_.AddGraphOutput(model_.graph(), floats_[Index(floats_)]);
      rewriter_.AddGraphOutput(model_.graph(), integers_[Index(integers_)]);
    }
    return model_;
  }

 private:
  using Values = std::vector<ir::Value*>;

  int Pick(int low, int high) { return std::uniform_int_distribution(low, high)(random_); }
  size_t Index(const Values& values) {
    // Late values more often, so that chains get long.
    const int last = static_cast<int>(values.size()) - 1;
    return static_cast<size_t>(Pick(0, 2) == 0 ? Pick(0, last) : Pick(std::max(0, last - 3), last));
  }

  void MakeFunction() {
    ir::Function& function =
        rewriter_.AddFunction(model_.Intern("own"), model_.Intern("Twice"), {});
    rewriter_.SetFunctionInterface(function, {}, {}, {{"", 17}});
    ir::Value& v =
        rewriter_.AddGraphInput(function.body(), model_.Intern("v"), model_.unknown_type());
    ir::NodeSpec spec;
    spec.op = "Add";
    spec.inputs = {&v, &v};
    ir::Node& node = rewriter_.CreateNode(function.body(), nullptr, std::move(spec));
    rewriter_.AddGraphOutput(function.body(), node.output());
  }

  ir::Value* Ints(ir::Graph& graph, std::vector<int64_t> numbers, bool scalar = false) {
    const ir::Tensor tensor = scalar
                                  ? ir::Tensor::Scalar(numbers[0])
                                  : ir::Tensor::Of({static_cast<int64_t>(numbers.size())}, numbers);
    return &rewriter_.CreateInitializer(graph, "c", tensor);
  }

  // Adds a node; null when it cannot be run, and then it is gone.
  ir::Node* Add(ir::Graph& graph, std::string op, Values inputs,
                std::vector<std::pair<std::string, ir::PlainAttribute>> attributes = {},
                size_t outputs = 1, std::string domain = "") {
    ir::NodeSpec spec;
    spec.op = std::move(op);
    spec.domain = std::move(domain);
    spec.name = "n";
    spec.inputs = std::move(inputs);
    spec.attributes = std::move(attributes);
    spec.outputs.assign(outputs, "");
    return Try(rewriter_.CreateNode(graph, nullptr, std::move(spec)));
  }
  ir::Node* Try(ir::Node& node) {
    bool fits = runner_.RunNode(node).ok();
    for (const ir::Value* output : node.outputs()) {
      fits = fits && runner_.Find(*output) && runner_.Find(*output).num_elements() <= 4096;
    }
    if (fits) return &node;
    rewriter_.Erase(node);
    return nullptr;
  }

  void Keep(ir::Node* node, Values& floats, Values& integers) {
    if (node == nullptr) return;
    for (ir::Value* output : node->outputs()) {
      const ir::ElementType type = runner_.Find(*output).element_type();
      if (type == ir::ElementType::kFloat32) floats.push_back(output);
      if (type == ir::ElementType::kInt64) integers.push_back(output);
    }
  }

  void Step(ir::Graph& graph, Values& floats, Values& integers, int depth) {
    const auto f = [&] { return floats[Index(floats)]; };
    const auto n = [&] { return integers[Index(integers)]; };
    const auto one = [&](int low, int high) { return Ints(graph, {Pick(low, high)}); };
    switch (Pick(0, depth > 0 ? 30 : 27)) {
      case 0: {
        const std::vector<float> values = {1, 2, 3, 4};
        floats.push_back(&rewriter_.CreateInitializer(graph, "w", ir::Tensor::Of({2, 2}, values)));
        return;
      }
      case 1:
        return Keep(Add(graph, "Constant", {}, {{"value_floats", std::vector<float>{5, 6}}}),
                    floats, integers);
      case 2:
        integers.push_back(Ints(graph, {Pick(-1, 4)}, Pick(0, 1) == 0));
        return;
      case 3:
      case 4:
      case 5:
        return Keep(Add(graph, "Shape", {f()}), floats, integers);
      case 6:
        return Keep(Add(graph, "Size", {f()}), floats, integers);
      case 7:
      case 8:
        return Keep(Add(graph, "Gather",
                        {n(), Pick(0, 1) == 0 ? one(-2, 2) : Ints(graph, {Pick(0, 2)}, true)}),
                    floats, integers);
      case 9:
        return Keep(Add(graph, "Slice", {n(), one(-3, 2), one(-1, 3)}), floats, integers);
      case 10:
      case 11:
        return Keep(Add(graph, "Concat", {n(), n()}, {{"axis", int64_t{0}}}), floats, integers);
      case 12:
        return Keep(Add(graph, "Unsqueeze", {n(), one(0, 0)}), floats, integers);
      case 13:
        return Keep(Add(graph, "Squeeze", {n(), one(0, 0)}), floats, integers);
      case 14:
      case 15: {
        const char* ops[] = {"Add", "Sub", "Mul", "Div", "Mod", "Min", "Max"};
        return Keep(Add(graph, ops[Pick(0, 6)], {n(), n()}), floats, integers);
      }
      case 16:
        return Keep(Add(graph, "ReduceProd", {n()}, {{"keepdims", int64_t{Pick(0, 1)}}}), floats,
                    integers);
      case 17: {
        ir::Node* equal = Add(graph, "Equal", {n(), n()});
        if (equal == nullptr) return;
        return Keep(Add(graph, "Where", {equal->output(), n(), n()}), floats, integers);
      }
      case 18:
        return Keep(Add(graph, "Split", {n()}, {}, 2), floats, integers);
      case 19:
      case 20:
      case 21:
        return Keep(Add(graph, "Reshape", {f(), n()}, {{"allowzero", int64_t{Pick(0, 4) == 0}}}),
                    floats, integers);
      case 22:
        return Keep(Add(graph, "Expand", {f(), n()}), floats, integers);
      case 23:
        return Keep(Add(graph, "Slice", {f(), one(0, 1), n(), one(0, 1)}), floats, integers);
      case 24: {
        const char* ops[] = {"Add", "Sub", "Mul"};
        return Keep(Add(graph, ops[Pick(0, 2)], {f(), f()}), floats, integers);
      }
      case 25: {
        const char* ops[] = {"Neg", "Abs", "Relu", "Identity", "Transpose"};
        return Keep(Add(graph, ops[Pick(0, 4)], {f()}), floats, integers);
      }
      case 26:
        return Keep(Add(graph, "Identity", {n()}), floats, integers);
      case 27:
        return Keep(Add(graph, "Twice", {Pick(0, 1) == 0 ? f() : n()}, {}, 1, "own"), floats,
                    integers);
      case 28:
      case 29:
        return Keep(MakeIf(graph, floats, integers, depth), floats, integers);
      default:
        return Keep(MakeLoop(graph, floats, integers, depth), floats, integers);
    }
  }

  // A body that captures some values of the graph around, computes a little and returns a float
  // (and takes `first` as its own).
  void FillBody(ir::Graph& body, const Values& floats, const Values& integers, int depth,
                ir::Value* first) {
    Values inner_floats, inner_integers;
    for (int i = 0; i < 2; ++i) {
      inner_floats.push_back(&rewriter_.Capture(body, *floats[Index(floats)]));
      inner_integers.push_back(&rewriter_.Capture(body, *integers[Index(integers)]));
    }
    if (first != nullptr) inner_floats.push_back(first);
    const int count = Pick(0, 5);
    for (int i = 0; i < count; ++i) Step(body, inner_floats, inner_integers, depth - 1);
    ir::Value* last = inner_floats.back();
    if (last->kind() != ir::Value::Kind::kNodeOutput) {
      last = Add(body, "Identity", {last})->output();
    }
    rewriter_.AddGraphOutput(body, last);
  }

  ir::Node* MakeIf(ir::Graph& graph, const Values& floats, const Values& integers, int depth) {
    ir::Value* condition =
        Pick(0, 3) == 0 && graph.owner() == nullptr
            ? flag_
            : &rewriter_.CreateInitializer(graph, "b", ir::Tensor::Scalar(Pick(0, 1) == 0));
    ir::Node& node =
        rewriter_.InsertNode(graph, nullptr, model_.Intern("If"), {}, model_.UniqueNodeName("if"));
    const Values inputs = {condition};
    rewriter_.SetInputs(node, inputs);
    for (const char* name : {"then_branch", "else_branch"}) {
      FillBody(rewriter_.AddBody(node, model_.Intern(name), false), floats, integers, depth,
               nullptr);
    }
    rewriter_.AddOutput(node, model_.UniqueValueName("r"), model_.unknown_type());
    return Try(node);
  }

  ir::Node* MakeLoop(ir::Graph& graph, const Values& floats, const Values& integers, int depth) {
    ir::Value* start = floats[Index(floats)];
    ir::Node& node = rewriter_.InsertNode(graph, nullptr, model_.Intern("Loop"), {},
                                          model_.UniqueNodeName("loop"));
    const Values inputs = {Ints(graph, {Pick(0, 2)}, true), nullptr, start};
    rewriter_.SetInputs(node, inputs);
    ir::Graph& body = rewriter_.AddBody(node, model_.Intern("body"), false);
    const auto input = [&](const char* name, const ir::Type* type) {
      return &rewriter_.AddGraphInput(body, model_.UniqueValueName(name), type);
    };
    ir::Value* number = input(
        "i", model_.Intern(ir::Type::Tensor(ir::ElementType::kInt64, std::vector<int64_t>{})));
    ir::Value* go = input(
        "go", model_.Intern(ir::Type::Tensor(ir::ElementType::kBool, std::vector<int64_t>{})));
    ir::Value* variable = input("v", model_.Intern(ir::Type::Tensor(ir::ElementType::kFloat32)));
    // For nodes that are tried before the loop itself is.
    runner_.Set(*number, ir::Tensor::Scalar<int64_t>(0));
    runner_.Set(*go, ir::Tensor::Scalar(true));
    runner_.Set(*variable, runner_.Find(*start));
    ir::Node* same = Add(body, "Identity", {go});
    rewriter_.AddGraphOutput(body, same->output());
    FillBody(body, floats, integers, depth, variable);
    rewriter_.AddOutput(node, model_.UniqueValueName("r"), model_.unknown_type());
    return Try(node);
  }

  std::mt19937 random_;
  ir::Model model_;
  ir::Rewriter rewriter_;
  Interpreter runner_;
  Values floats_, integers_;
  ir::Value* flag_ = nullptr;
};

void ExpectEqual(const std::vector<ir::Tensor>& a, const std::vector<ir::Tensor>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    const StatusOr<bool> equal = a[i].EqualContents(b[i]);
    EXPECT_TRUE(equal.ok() && *equal) << "output " << i;
  }
}

TEST(FoldingFuzz, GraphsComputeTheSame) {
  const std::vector<std::vector<ir::Tensor>> inputs = {Inputs(2, 4, true), Inputs(1, 5, false),
                                                       Inputs(0, 3, true), Inputs(3, 1, false)};
  std::vector<std::string> passes = {"fold-constants", "fold-shapes",      "inline-if",
                                     "inline-loop",    "inline-functions", "infer-shapes"};
  int runs = 0, changes = 0;
  for (int seed = 0; seed < Iterations() && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    Generator generator(static_cast<uint32_t>(seed));
    const ir::Model& original = generator.Make();
    const auto folded = original.Clone();
    std::mt19937 random(static_cast<uint32_t>(seed));
    // To a fixed point, in any order.
    bool changed = true;
    for (int round = 0; changed; ++round) {
      ASSERT_LT(round, 12) << "no fixed point";
      changed = false;
      std::ranges::shuffle(passes, random);
      const StatusOr<PipelineReport> report =
          RunWith(*folded, fmt::format("{}", fmt::join(passes, ",")), {});
      ASSERT_TRUE(report.ok()) << FormatError(report.status());
      for (const PassReport& pass : report->passes) {
        changed |= pass.changed;
        changes += pass.changed;
      }
    }
    for (const std::vector<ir::Tensor>& given : inputs) {
      const StatusOr<std::vector<ir::Tensor>> expected = Interpreter(original).Run(given);
      if (!expected.ok()) continue;
      const StatusOr<std::vector<ir::Tensor>> actual = Interpreter(*folded).Run(given);
      ASSERT_TRUE(actual.ok()) << FormatError(actual.status());
      ExpectEqual(*expected, *actual);
      ++runs;
    }
    for (size_t i = 0; i < original.graph().outputs().size(); ++i) {
      EXPECT_EQ(original.graph().outputs()[i].value()->name_text(),
                folded->graph().outputs()[i].value()->name_text());
    }
    if (testing::Test::HasFailure()) {
      ADD_FAILURE() << *ir::PrintModel(original) << "\nbecame\n" << *ir::PrintModel(*folded);
    }
  }
  // The graphs are not trivial.
  EXPECT_GT(runs, Iterations());
  EXPECT_GT(changes, 2 * Iterations());
}

}  // namespace
}  // namespace lathe::passes
