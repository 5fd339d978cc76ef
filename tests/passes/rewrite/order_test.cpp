// The order in which nodes are looked at does not show in the result: a set of rules like those of
// a clean-up, on real models and generated graphs, shuffled in many ways.
#include <map>
#include <random>

#include <gtest/gtest.h>

#include "lathe/frontends/onnx/import.h"
#include "lathe/ir/verifier.h"
#include "lathe/passes/rewrite/rewrite.h"
#include "lathe/tests/ir/shared_models.h"
#include "lathe/tests/passes/graph_builder.h"

namespace lathe::passes {
namespace {

constexpr NodeHandle kInner{"inner"};
constexpr ValueHandle kX{"x"};

Status TakeInput(const Match& match, PassContext& context) {
  ir::Value& input = match[kX];
  if (input.type().kind == ir::Type::Kind::kUnknown) {
    context.rewriter().SetType(input, match.root().output()->type_ref());
  }
  context.rewriter().ReplaceAllUses(*match.root().output(), input);
  context.rewriter().Erase(match.root());
  return OkStatus();
}

// A graph output keeps its producer and with it its name.
bool IsInnerValue(const ir::Value& value) { return !value.is_graph_output(); }

bool IsDead(const ir::Node& node) {
  for (const ir::Value* output : node.outputs()) {
    if (output->has_uses()) return false;
  }
  return true;
}

Pattern TakesItsInput(std::string_view op) {
  return Op(op, {Any(kX)}).Returns(0, Any().Where("is inside", IsInnerValue));
}

std::vector<RewriteRule> CleanUpRules() {
  const Operand inside = Any().Where("is inside", IsInnerValue);
  const auto drop_dead = [](const Match& match, PassContext& context) {
    context.rewriter().Erase(match.root());
    return OkStatus();
  };
  return {
      {"identity", TakesItsInput("Identity"), TakeInput},
      {"relu-of-relu",
       OneOf({Op("Relu", {Any(kX).Where("is of a Relu",
                                        [](const ir::Value& value) {
                                          return value.producer() != nullptr &&
                                                 value.producer()->Is("Relu");
                                        })}),
              Op("Abs", {Op("Abs").Returns(0, Any(kX))})})
           .Returns(0, inside),
       TakeInput},
      {"double-neg", Op("Neg", {Op("Neg", {Any(kX)}).Bind(kInner)}).Returns(0, inside), TakeInput},
      {"times-one",
       Op("Mul", {Any(kX), Constant().ScalarEquals(1).OfRank(0)}).AnyOrder().Returns(0, inside),
       TakeInput},
      {"constant-to-initializer",
       Op("Constant")
           .Returns(0, Any(kX)
                           .Where("is inside", IsInnerValue)
                           .WhereConstant("is a tensor", [](const ir::Tensor&) { return true; })),
       [](const Match& match, PassContext& context) {
         ir::Value& constant = context.rewriter().CreateInitializer(
             *match.root().graph(), match[kX].name_text(), match.Constant(kX));
         context.rewriter().ReplaceAllUses(match[kX], constant);
         context.rewriter().Erase(match.root());
         return OkStatus();
       }},
      {"dead",
       Op({"Identity", "Relu", "Neg", "Abs", "Mul", "Add", "Constant", "Exp", "Shape", "Gather",
           "Unsqueeze", "Concat", "Cast"},
          {Rest(Optional(Any()))})
           .Where("is read by nobody", IsDead),
       drop_dead},
  };
}

// What a graph computes, node by node from its outputs, without the names of nodes and inner
// values: of two nodes that compute the same, one order may keep the first and one the second.
class Computation {
 public:
  static std::string Of(const ir::Graph& graph) {
    Computation computation;
    computation.AddGraph(graph);
    return computation.text_;
  }

 private:
  void AddGraph(const ir::Graph& graph) {
    std::vector<std::string> outputs;
    for (const ir::Use& use : graph.outputs()) outputs.push_back(NameOf(use.value()));
    text_ += fmt::format("return {}\n", fmt::join(outputs, ", "));
  }

  std::string NameOf(const ir::Value* value) {
    if (value == nullptr) return "-";
    value = value->Resolve();
    const ir::Node* node = value->producer();
    if (const ir::Tensor constant = value->ConstantTensor()) {
      return fmt::format("{}[{}]", ir::ElementTypeName(constant.element_type()),
                         fmt::join(constant.dims(), ", "));
    }
    if (node == nullptr) return std::string(value->name_text());
    if (!numbers_.contains(node)) AddNode(*node);
    return fmt::format("%{}.{}", numbers_[node], value->index());
  }

  void AddNode(const ir::Node& node) {
    std::vector<std::string> operands;
    for (const ir::Use& use : node.inputs()) operands.push_back(NameOf(use.value()));
    for (const ir::Graph* body : node.bodies()) AddGraph(*body);
    const size_t number = numbers_.size();
    numbers_[&node] = number;
    text_ += fmt::format("%{} = {}({}) with {} attributes\n", number, node.op_text(),
                         fmt::join(operands, ", "), node.attributes().size());
  }

  std::map<const ir::Node*, size_t> numbers_;
  std::string text_;
};

Status CleanUp(ir::Model& model, std::optional<uint64_t> seed, int64_t* applied) {
  ir::Rewriter rewriter(model);
  const OptionValues values;
  const Resources resources;
  PassContext context(
      rewriter, values, resources, [](Remark) {}, [](std::string_view, int64_t) {}, "test");
  LATHE_ASSIGN_OR_RETURN(
      const RewriteResult result,
      ApplyRules(CleanUpRules(), context, {.to_fixed_point = true, .shuffle_seed = seed}));
  *applied = result.applied;
  return ir::VerifyModel(model);
}

// Whatever the seed; returns the number of applications.
int64_t ExpectSameForEverySeed(const ir::Model& model, uint64_t seeds, const std::string& name) {
  const auto in_order = model.Clone();
  int64_t applied = 0;
  const Status status = CleanUp(*in_order, std::nullopt, &applied);
  EXPECT_TRUE(status.ok()) << name << ": " << FormatError(status);
  const std::string wanted = Computation::Of(in_order->graph());
  for (uint64_t seed = 0; seed < seeds; ++seed) {
    const auto shuffled = model.Clone();
    int64_t shuffled_applied = 0;
    const Status shuffled_status = CleanUp(*shuffled, seed, &shuffled_applied);
    EXPECT_TRUE(shuffled_status.ok()) << name << ": " << FormatError(shuffled_status);
    EXPECT_EQ(Computation::Of(shuffled->graph()), wanted) << name << ", seed " << seed;
    if (testing::Test::HasFailure()) break;
    // And nothing is left for another run.
    EXPECT_TRUE(CleanUp(*shuffled, std::nullopt, &shuffled_applied).ok());
    EXPECT_EQ(shuffled_applied, 0) << name << ", seed " << seed;
  }
  return applied;
}

TEST(Order, GeneratedGraphs) {
  constexpr const char* kOps[] = {"Identity", "Relu", "Neg", "Abs", "Mul", "Add", "Exp"};
  int64_t applied = 0;
  for (uint32_t seed = 0; seed < 20; ++seed) {
    std::mt19937 random(seed);
    GraphBuilder net;
    std::vector<ir::Value*> values = {net.Input("x"), net.Input("y")};
    ir::Value* one =
        &net.rewriter().CreateInitializer(net.graph(), "one", ir::Tensor::Scalar(1.0f));
    for (int i = 0; i < 200; ++i) {
      const std::string op = kOps[random() % 7];
      const auto any = [&] {
        return values[values.size() - 1 - random() % std::min<size_t>(values.size(), 8)];
      };
      std::vector<ir::Value*> operands = {any()};
      if (op == "Mul" || op == "Add") operands.push_back(random() % 2 == 0 ? one : any());
      if (operands.size() == 2 && random() % 2 == 0) std::swap(operands[0], operands[1]);
      values.push_back(net.Op(op, "n" + std::to_string(i), operands));
    }
    net.Output(values.back());
    net.Output(values[values.size() / 2]);
    applied += ExpectSameForEverySeed(net.model(), 20, "graph " + std::to_string(seed));
  }
  EXPECT_GT(applied, 1000);
}

TEST(Order, SharedModels) {
  const std::filesystem::path folder = ir::SharedFolder() / "models";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "no models at " << folder;
  int64_t applied = 0;
  for (const std::filesystem::path& path : ir::SharedModels()) {
    if (path.string().find("/models/") == std::string::npos) continue;
    const StatusOr<std::unique_ptr<ir::Model>> model = frontends::ImportOnnx(path.string());
    ASSERT_TRUE(model.ok()) << FormatError(model.status());
    applied += ExpectSameForEverySeed(**model, 20, path.filename().string());
  }
  EXPECT_GT(applied, 100);
}

}  // namespace
}  // namespace lathe::passes
