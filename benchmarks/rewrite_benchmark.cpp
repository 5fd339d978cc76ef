// Cost of trying many rules on a graph, and of the drivers at 1e4 to 1e6 nodes. items_per_second
// counts nodes.
#include <memory>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "lathe/ir/rewriter.h"
#include "lathe/passes/rewrite/rewrite.h"

namespace lathe::passes {
namespace {

constexpr ValueHandle kInput{"input"};
constexpr NodeHandle kInner{"inner"};

ir::Value* Apply(ir::Rewriter& rewriter, const char* op, std::vector<ir::Value*> inputs) {
  ir::NodeSpec spec;
  spec.op = op;
  spec.inputs = std::move(inputs);
  return rewriter.CreateNode(rewriter.model().graph(), nullptr, std::move(spec)).output();
}

ir::Value* AddInput(ir::Rewriter& rewriter, const char* name) {
  return &rewriter.AddGraphInput(rewriter.model().graph(), rewriter.model().Intern(name),
                                 rewriter.model().unknown_type());
}

constexpr const char* kUnary[] = {"Relu", "Neg", "Abs", "Exp", "Sqrt", "Tanh", "Sigmoid", "Floor"};
constexpr const char* kBinary[] = {"Add", "Mul", "Sub", "Div"};

// Alternates one-operand and two-operand nodes, in a pattern that repeats after 96.
std::unique_ptr<ir::Model> MixedGraph(int64_t nodes) {
  auto model = std::make_unique<ir::Model>();
  ir::Rewriter rewriter(*model);
  rewriter.MutableInfo().opset_imports = {{"", 13}};
  ir::Value* value = AddInput(rewriter, "x");
  ir::Value* other = AddInput(rewriter, "y");
  for (int64_t i = 0; i < nodes; ++i) {
    if (i % 3 == 2) {
      ir::Value* sum = Apply(rewriter, kBinary[i % 4], {value, other});
      other = value;
      value = sum;
    } else {
      value = Apply(rewriter, kUnary[i % 8], {value});
    }
  }
  rewriter.AddGraphOutput(model->graph(), value);
  return model;
}

// Two or three nodes each, on the operators of the graph, none of which fits: the last node of the
// chain is an operator that the graph does not have.
std::vector<RewriteRule> RulesThatNeverFit(size_t count, std::vector<std::string>& names) {
  names.clear();
  for (size_t i = 0; i < count; ++i) names.push_back("rule" + std::to_string(i));
  std::vector<RewriteRule> rules;
  for (size_t i = 0; i < count; ++i) {
    const std::string leaf = "Leaf" + std::to_string(i / 24);
    const Pattern inner = Op(kUnary[i % 8], {Op(leaf, {Any()})});
    const Pattern root = i % 3 == 0 ? Op(kBinary[i % 4], {inner, Any()})
                                    : Op(kUnary[(i / 3) % 8], {Op(leaf, {Any(kInput)})});
    rules.push_back({names[i], root, [](const Match&, PassContext&) { return OkStatus(); }});
  }
  return rules;
}

StatusOr<RewriteResult> Run(ir::Model& model, const RuleSet& rules, RewriteOptions options) {
  ir::Rewriter rewriter(model);
  const OptionValues values;
  const Resources resources;
  PassContext context(
      rewriter, values, resources, [](const Remark&) {}, [](std::string_view, int64_t) {},
      "benchmark");
  options.remarks = RewriteOptions::Remarks::kNone;
  return ApplyRules(rules, context, options);
}

// {rules}: 20,000 nodes, tried by each rule whose root operator they have.
void BM_TryRules(benchmark::State& state) {
  constexpr int64_t kNodes = 20000;
  const auto model = MixedGraph(kNodes);
  std::vector<std::string> names;
  const std::vector<RewriteRule> list =
      RulesThatNeverFit(static_cast<size_t>(state.range(0)), names);
  const RuleSet rules = *RuleSet::Compile(list);
  for (auto _ : state) {
    const StatusOr<RewriteResult> result = Run(*model, rules, {});
    if (!result.ok() || result->changed()) state.SkipWithError("a rule fitted");
  }
  state.SetItemsProcessed(state.iterations() * kNodes);
}

RewriteRule DropPair() {
  return {"drop-pair", Op("Neg", {Op("Neg", {Any(kInput)}).Bind(kInner).OnlyConsumerIsMatch()}),
          [](const Match& match, PassContext& context) {
            context.rewriter().ReplaceNode(match.root(), match[kInput]);
            context.rewriter().Erase(match[kInner]);
            return OkStatus();
          }};
}

RewriteRule DropIdentity() {
  return {"drop-identity", Op("Identity", {Any(kInput)}),
          [](const Match& match, PassContext& context) {
            context.rewriter().ReplaceNode(match.root(), match[kInput]);
            return OkStatus();
          }};
}

// A chain of Neg, Identity and Relu, half of which goes.
std::unique_ptr<ir::Model> ChainToShrink(int64_t nodes) {
  auto model = std::make_unique<ir::Model>();
  ir::Rewriter rewriter(*model);
  ir::Value* value = AddInput(rewriter, "x");
  constexpr const char* kOps[] = {"Neg", "Identity", "Neg", "Relu", "Exp", "Relu"};
  for (int64_t i = 0; i < nodes; ++i) value = Apply(rewriter, kOps[i % 6], {value});
  rewriter.AddGraphOutput(model->graph(), value);
  return model;
}

// One value read by every other node, and the readers go one by one: walks over all readers after
// each edit would be quadratic.
std::unique_ptr<ir::Model> StarToShrink(int64_t nodes) {
  auto model = std::make_unique<ir::Model>();
  ir::Rewriter rewriter(*model);
  ir::Value* center = Apply(rewriter, "Exp", {AddInput(rewriter, "x")});
  for (int64_t i = 1; i < nodes; i += 2) {
    ir::Value* copy = Apply(rewriter, "Identity", {center});
    rewriter.AddGraphOutput(model->graph(), Apply(rewriter, "Relu", {copy}));
  }
  return model;
}

void Shrink(benchmark::State& state, std::unique_ptr<ir::Model> (*make)(int64_t),
            RewriteOptions options) {
  const std::vector<RewriteRule> list = {DropPair(), DropIdentity()};
  const RuleSet rules = *RuleSet::Compile(list);
  for (auto _ : state) {
    state.PauseTiming();
    auto model = make(state.range(0));
    state.ResumeTiming();
    const StatusOr<RewriteResult> result = Run(*model, rules, options);
    if (!result.ok() || !result->changed()) state.SkipWithError("nothing was rewritten");
    state.PauseTiming();
    model.reset();
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void BM_FixedPointChain(benchmark::State& state) {
  Shrink(state, ChainToShrink, {.to_fixed_point = true});
}
void BM_FixedPointChainBackward(benchmark::State& state) {
  Shrink(state, ChainToShrink, {.to_fixed_point = true, .backward = true});
}
void BM_FixedPointStar(benchmark::State& state) {
  Shrink(state, StarToShrink, {.to_fixed_point = true});
}
void BM_WalkForward(benchmark::State& state) { Shrink(state, ChainToShrink, {}); }
void BM_WalkBackward(benchmark::State& state) { Shrink(state, ChainToShrink, {.backward = true}); }

void Sizes(benchmark::internal::Benchmark* each) {
  each->Arg(10000)->Arg(100000)->Arg(1000000)->Unit(benchmark::kMillisecond);
}
BENCHMARK(BM_TryRules)->Arg(20)->Arg(200)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_FixedPointChain)->Apply(Sizes);
BENCHMARK(BM_FixedPointChainBackward)->Apply(Sizes);
BENCHMARK(BM_FixedPointStar)->Apply(Sizes);
BENCHMARK(BM_WalkForward)->Apply(Sizes);
BENCHMARK(BM_WalkBackward)->Apply(Sizes);

}  // namespace
}  // namespace lathe::passes
