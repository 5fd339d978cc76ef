#include <bit>
#include <iostream>
#include <random>

#include <gtest/gtest.h>

#include "builder.h"
#include "lathe/backends/onnx/export.h"
#include "lathe/frontends/onnx/import.h"
#include "lathe/ir/text/internal/literals.h"
#include "lathe/ir/text/parse.h"
#include "lathe/ir/text/print.h"
#include "lathe/ir/verifier.h"
#include "lathe/tests/support/fuzz_inputs.h"
#include "shared_models.h"

namespace lathe::ir {
namespace {

std::string Print(const Model& model, const PrintOptions& options = {}) {
  auto text = PrintModel(model, options);
  EXPECT_TRUE(text.ok()) << FormatError(text.status());
  return text.ok() ? *text : "";
}

std::string Bytes(const Model& model) {
  auto bytes = backends::SerializeOnnx(model);
  EXPECT_TRUE(bytes.ok()) << FormatError(bytes.status());
  return bytes.ok() ? *bytes : "";
}

// Print, parse, print: the same text, and the same model to the byte.
void ExpectRoundTrip(const Model& model) {
  const std::string text = Print(model);
  const auto parsed = ParseModel(text);
  ASSERT_TRUE(parsed.ok()) << FormatError(parsed.status()) << "\n" << text.substr(0, 5000);
  const Status verified = VerifyModel(**parsed);
  ASSERT_TRUE(verified.ok()) << FormatError(verified);
  EXPECT_TRUE(Print(**parsed) == text) << text.substr(0, 5000);
  EXPECT_TRUE(Bytes(**parsed) == Bytes(model)) << text.substr(0, 5000);
}

constexpr std::string_view kSmall = R"(model {
  ir_version 8
  import "" 17
}

graph "main"(%x : f32[N,3]) {
  init %w : f32[2] = f32[2] {1.0, -0.0}
  %y = Add(%x, %w) : f32[N,3] name "add"
  return %y
}
)";

std::string ErrorOf(std::string_view text) {
  const auto model = ParseModel(text);
  return model.ok() ? "" : FormatError(model.status());
}

// kSmall with one piece replaced.
std::string With(std::string_view piece, std::string_view by) {
  std::string text(kSmall);
  const size_t at = text.find(piece);
  EXPECT_NE(at, std::string::npos) << piece;
  return text.replace(at, piece.size(), by);
}

TEST(Text, PrintsWhatItParses) {
  const auto model = ParseModel(kSmall);
  ASSERT_TRUE(model.ok()) << FormatError(model.status());
  EXPECT_EQ(Print(**model), kSmall);
  EXPECT_TRUE(VerifyModel(**model).ok());
}

TEST(Text, NodeOnALine) {
  const auto model = ParseModel(kSmall);
  ASSERT_TRUE(model.ok());
  EXPECT_EQ(PrintNode(*(*model)->graph().first_node()),
            R"(%y = Add(%x, %w) : f32[N,3] name "add")");
}

TEST(Text, BodiesSeeValuesAroundThemWithoutListingThem) {
  const auto model = ParseModel(R"(model { ir_version 8 }
    graph "main"(%c : bool[], %x : f32[2]) {   // a comment
      %y = If(%c) {then_branch = graph "t"() {
        %i = If(%c) {then_branch = graph "u"() { return %x }, else_branch = graph "v"() { return %x }}
        return %i
      }, else_branch = graph "e"() { return %x }}
      return %y
    })");
  ASSERT_TRUE(model.ok()) << FormatError(model.status());
  EXPECT_TRUE(VerifyModel(**model).ok());
  EXPECT_EQ((*model)->graph().first_node()->captures().size(), 3u);
  ExpectRoundTrip(**model);
}

TEST(Text, OriginIsTheNameUnlessSaid) {
  const auto model = ParseModel(With("name \"add\"", "name \"add\" origin [\"b\", \"a\"]"));
  ASSERT_TRUE(model.ok());
  const Node& node = *(*model)->graph().first_node();
  EXPECT_EQ((*model)->OriginNames(node.origin()).size(), 2u);
  ExpectRoundTrip(**model);
  const auto plain = ParseModel(kSmall);
  EXPECT_EQ((*plain)->OriginNames((*plain)->graph().first_node()->origin()),
            std::vector<Name>{(*plain)->graph().first_node()->name()});
  const auto none = ParseModel(With("name \"add\"", "name \"add\" origin []"));
  EXPECT_EQ((*none)->graph().first_node()->origin(), Origin{});
  ExpectRoundTrip(**none);
}

TEST(Text, AnnotationsStandAtTheirUse) {
  const auto model = ParseModel(With("(%x, %w)", "(%x {\"quant.activation:add\"}, %w)"));
  ASSERT_TRUE(model.ok());
  const Node& node = *(*model)->graph().first_node();
  EXPECT_EQ((*model)->Text(node.inputs()[0].annotation()), "quant.activation:add");
  EXPECT_TRUE(node.inputs()[1].annotation().empty());
  ExpectRoundTrip(**model);
}

TEST(Text, ElidedWeightsDoNotParse) {
  Model model;
  Rewriter rewriter(model);
  rewriter.CreateInitializer(model.graph(), "w", Tensor::Of<float>({20}, std::vector<float>(20)));
  const std::string text = Print(model, {.weights = WeightText::kElided});
  EXPECT_NE(text.find("f32[20] {...}"), std::string::npos);
  EXPECT_EQ(ErrorOf(text), "6:32: these weights were elided; print the model with its weights");
}

TEST(Text, FilesNeedLeave) {
  const std::string text = With("{1.0, -0.0}", "file(\"/dev/null\", 0)");
  EXPECT_EQ(ErrorOf(text), "7:29: weights from files are not allowed here");
  EXPECT_EQ(FormatError(ParseModel(text, {.allow_files = true}).status()),
            "7:22: /dev/null: is not a regular file");
}

TEST(Text, ErrorsSayWhereAndWhat) {
  EXPECT_EQ(ErrorOf(""), "1:1: expected 'model', found the end of the text");
  EXPECT_EQ(ErrorOf(With("(%x, %w)", "(%x, %z)")),
            "8:16: nothing before this defines the value 'z'");
  EXPECT_EQ(ErrorOf(With("(%x, %w)", "(%x %w)")), "8:15: expected ',' or ')', found the value 'w'");
  EXPECT_EQ(ErrorOf(With("%y = ", "%x = ")), "8:3: the name 'x' is given twice in one graph");
  EXPECT_EQ(ErrorOf(With("f32[N,3]", "f31[N,3]")), "6:19: expected a type, found 'f31'");
  EXPECT_EQ(ErrorOf(With("1.0, -0.0", "1, -0.0")),
            "7:30: expected a number with a point, an exponent, inf or nan, found '1'");
  EXPECT_EQ(ErrorOf(With("{1.0, -0.0}", "{1.0}")),
            "7:22: tensor data has 4 bytes, its shape needs 8");
  EXPECT_EQ(ErrorOf(With("{1.0, -0.0}", "blob 0")), "7:34: there is no blob 0");
  EXPECT_EQ(ErrorOf(With("{1.0, -0.0}", "base64 \"A\"")), "7:36: these bytes are no base64");
  EXPECT_EQ(ErrorOf(With("\"main\"", "\"main")), "6:7: a string is not closed on its line");
  EXPECT_EQ(ErrorOf(With("\"main\"", "\"\\q\"")),
            "6:8: a string has an escape other than \\\" \\\\ \\n \\t and \\xHH");
  EXPECT_EQ(ErrorOf(With("Add(%x, %w)", "Add(%x, %w) {a = 1, a = 2}")),
            "8:28: the attribute 'a' is given twice");
  EXPECT_EQ(ErrorOf(With("Add(%x, %w)", "Add(%x, %w) {a = []}")),
            "8:26: an empty list needs its kind before it: floats [], ints [], ...");
  EXPECT_EQ(ErrorOf(With("ir_version 8", "ir_version x")), "2:14: expected a version, found 'x'");
  EXPECT_EQ(ErrorOf(With("ir_version 8", "year 8")),
            "2:3: expected a field of the model or '}', found 'year'");
  EXPECT_EQ(ErrorOf(With("import \"\" 17", "import \"\" 99999999999999999999")),
            "3:13: expected a version, found '99999999999999999999'");
  EXPECT_EQ(ErrorOf(With("return %y", "return _")), "9:10: an output needs a value");
  EXPECT_EQ(ErrorOf(With("return %y", "value_info %z")),
            "9:14: nothing in this graph defines the value 'z'");
  EXPECT_EQ(ErrorOf(With("return %y", "default %w = f32[] {1.0}")),
            "9:11: 'w' is no input of this graph");
  EXPECT_EQ(ErrorOf(With("return %y", "return %y ;")),
            "9:13: the character ';' means nothing here");
  EXPECT_EQ(ErrorOf(std::string(kSmall) + "x"),
            "11:1: expected a function, blobs or the end of the text, found 'x'");
}

TEST(Text, DeepNestingIsAnError) {
  std::string types;
  for (int i = 0; i < 200; ++i) types += "seq(";
  EXPECT_EQ(ErrorOf(With("f32[N,3]", types)), "6:423: types are nested too deeply");
  std::string bodies = "model {} graph \"\"() {";
  for (int i = 0; i < 200; ++i) bodies += " X() {b = graph \"\"() {";
  EXPECT_NE(ErrorOf(bodies).find("graphs are nested too deeply"), std::string::npos);
}

TEST(Text, OddNames) {
  Model model;
  Rewriter rewriter(model);
  Graph& graph = model.graph();
  rewriter.SetGraphText(graph, "g \"q\"\n", "doc\t\x01", {{"k", "v\\"}, {"", ""}}, kEmptyDoc);
  std::vector<Value*> inputs;
  for (const std::string_view name :
       {"a b", "0", "_", "-", "a:b", "ü", "\xff\x80", "%x", "\"", "a/b.c$d-e", "..."}) {
    inputs.push_back(&rewriter.AddGraphInput(graph, model.Intern(name), model.unknown_type()));
  }
  for (const std::string_view op :
       {"init", "return", "name", "doc", "metadata", "A b", "value_info"}) {
    NodeSpec spec;
    spec.op = op;
    spec.domain = op == "init" ? "" : op == "doc" ? "metadata" : "a.b-c";
    spec.inputs = inputs;
    spec.inputs.insert(spec.inputs.begin(), nullptr);
    spec.attributes = {{"doc", int64_t{1}}, {"a b", std::string("\xff")}, {"spelling", 1.0f}};
    spec.outputs = {};
    Node& node = rewriter.CreateNode(graph, nullptr, spec);
    NodeNotes notes;
    notes.doc = "x\ny";
    notes.metadata = {{"k", "v"}};
    notes.device_configurations = {"\x01\x02"};
    notes.spelling = kEmptyName | kEmptyDomain;
    rewriter.SetNotes(node, notes);
    rewriter.SetOverload(node, model.Intern("o"));
    rewriter.AddOutput(node, {}, model.unknown_type());
  }
  ExpectRoundTrip(model);
}

TEST(Text, EveryElementType) {
  Model model;
  Rewriter rewriter(model);
  Graph& graph = model.graph();
  std::mt19937 random(1);
  for (int i = 1; i <= kLastElementType; ++i) {
    const auto type = static_cast<ElementType>(i);
    for (const int64_t count : {0, 1, 5, 40}) {
      TensorNotes notes;
      if (count == 5) {
        notes.doc = "d";
        notes.typed_field = type != ElementType::kString;
        notes.metadata = {{"a", "b"}};
      }
      Tensor tensor;
      if (type == ElementType::kString) {
        tensor = Tensor::OfStrings({count}, std::vector<std::string>(static_cast<size_t>(count),
                                                                     std::string("\0\xff", 2)))
                     .WithNotes(notes);
      } else {
        std::vector<std::byte> bytes(ElementBytes(type, static_cast<size_t>(count)));
        for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
        tensor = *Tensor::FromVector(type, {count}, bytes, notes);
      }
      Value& value = rewriter.CreateInitializer(graph, "w", tensor);
      if (count == 1) rewriter.SetType(value, model.unknown_type());
      NodeSpec spec;
      spec.op = "Constant";
      spec.attributes = {{"value", tensor.WithNotes({})}};
      rewriter.CreateNode(graph, nullptr, spec);
    }
  }
  const std::string text = Print(model);
  const auto parsed = ParseModel(text);
  ASSERT_TRUE(parsed.ok()) << FormatError(parsed.status());
  EXPECT_EQ(Print(**parsed), text);
  const auto ours = model.graph().initializers();
  const auto theirs = (*parsed)->graph().initializers();
  ASSERT_EQ(ours.size(), theirs.size());
  for (size_t i = 0; i < ours.size(); ++i) {
    EXPECT_TRUE(*ours[i]->tensor().EqualContents(theirs[i]->tensor())) << i;
  }
  EXPECT_TRUE(Bytes(**parsed) == Bytes(model));
}

TEST(Text, EveryFloat) {
  Model model;
  Rewriter rewriter(model);
  std::vector<float> floats;
  std::vector<double> doubles;
  std::mt19937_64 random(2);
  for (const uint32_t bits : {0u, 0x80000000u, 0x7f800000u, 0xff800000u, 0x7fc00000u, 0xffc00000u,
                              0x7fc00001u, 0x7f800001u, 1u, 0x7f7fffffu, 0x00800000u}) {
    floats.push_back(std::bit_cast<float>(bits));
    doubles.push_back(std::bit_cast<double>(static_cast<uint64_t>(bits) << 32 | 1));
  }
  for (int i = 0; i < 5000; ++i) {
    floats.push_back(std::bit_cast<float>(static_cast<uint32_t>(random())));
    doubles.push_back(std::bit_cast<double>(random()));
  }
  NodeSpec spec;
  spec.op = "X";
  spec.attributes = {{"floats", floats},
                     {"single", std::bit_cast<float>(0xff800001u)},
                     {"doubles", Tensor::Of({static_cast<int64_t>(doubles.size())}, doubles)}};
  rewriter.CreateNode(model.graph(), nullptr, spec);
  const std::string text = Print(model, {.inline_elements = 1 << 20});
  const auto parsed = ParseModel(text);
  ASSERT_TRUE(parsed.ok()) << FormatError(parsed.status());
  EXPECT_TRUE(Bytes(**parsed) == Bytes(model));
}

TEST(Text, EveryKindOfTypeAndAttribute) {
  Model model;
  Rewriter rewriter(model);
  Graph& graph = model.graph();
  Type tensor = Type::Tensor(ElementType::kFloat32,
                             Shape{Dim::Known(3), Dim::Symbol("a b"), Dim(), Dim::Symbol("N")});
  tensor.shape->at(0).set_denotation("DATA_BATCH");
  tensor.denotation = "IMAGE";
  Type sparse = Type::Tensor(ElementType::kInt64);
  sparse.kind = Type::Kind::kSparseTensor;
  std::vector<const Type*> types = {model.unknown_type(), model.Intern(tensor),
                                    model.Intern(sparse),
                                    model.Intern(Type::Tensor(ElementType::kUndefined))};
  for (const Type::Kind kind : {Type::Kind::kSequence, Type::Kind::kOptional, Type::Kind::kMap}) {
    for (const Type* nested : {static_cast<const Type*>(nullptr), types[1], types[2]}) {
      Type type;
      type.kind = kind;
      type.nested = nested;
      if (kind == Type::Kind::kMap) type.element = ElementType::kString;
      types.push_back(model.Intern(type));
    }
  }
  Type opaque;
  opaque.kind = Type::Kind::kOpaque;
  opaque.opaque_domain = "d";
  opaque.opaque_name = "n";
  types.push_back(model.Intern(opaque));
  for (size_t i = 0; i < types.size(); ++i) {
    Value& input = rewriter.AddGraphInput(graph, model.Intern(fmt::format("x{}", i)), types[i]);
    if (i == 1) rewriter.SetNotes(input, {"doc", {{"k", "v"}}, kEmptyType});
  }
  const SparseTensor values = {Tensor::Of<float>({1}, std::vector<float>{2}),
                               Tensor::Of<int64_t>({1}, std::vector<int64_t>{4}),
                               {9}};
  rewriter.AddSparseInitializer(graph, model.Intern("s"), values);
  Node& node = rewriter.InsertNode(graph, nullptr, model.Intern("X"), {}, {});
  const auto add = [&](const std::string& name, AttributeValue value) {
    Attribute attribute;
    attribute.name = model.Intern(name);
    attribute.doc = model.Intern(name == "int" ? "doc" : "");
    attribute.value = std::move(value);
    rewriter.AddAttribute(node, std::move(attribute));
  };
  add("int", int64_t{-3});
  add("float", 0.1f);
  add("string", std::string("a\"b"));
  add("tensor", Tensor::Scalar(1.5f));
  add("sparse", values);
  add("type", types[5]);
  add("ints", std::vector<int64_t>{1, 2});
  add("floats", std::vector<float>{1, 0.5f});
  add("strings", std::vector<std::string>{"a", ""});
  add("tensors", std::vector<Tensor>{Tensor::Scalar(1.5f), Tensor::OfStrings({1}, {"x"})});
  add("sparses", std::vector<SparseTensor>{values, values});
  add("types", types);
  add("no_ints", std::vector<int64_t>());
  add("no_floats", std::vector<float>());
  add("no_strings", std::vector<std::string>());
  add("no_tensors", std::vector<Tensor>());
  add("no_graphs", std::vector<GraphPtr>());
  for (int i = 0; i < 2; ++i) {
    Graph& body = rewriter.AddBody(node, model.Intern("graphs"), true);
    Value& captured = rewriter.Capture(body, *graph.inputs()[static_cast<size_t>(i)]);
    rewriter.SetAnnotation(*captured.captured(), model.Intern("note"));
    rewriter.AddGraphOutput(body, &captured);
  }
  rewriter.SetDefault(*graph.inputs()[1], Tensor::Scalar(1.0f));
  rewriter.AddValueInfo(graph, {graph.inputs()[0], {}, types[0], nullptr});
  rewriter.AddValueInfo(graph, {nullptr, model.Intern("stray"), types[1],
                                std::make_shared<ValueNotes>(ValueNotes{"d", {}, 0})});
  rewriter.AddQuantizationAnnotation(graph, "\x01\x02");
  ExpectRoundTrip(model);
}

TEST(Text, FunctionsAndInfo) {
  Model model;
  Rewriter rewriter(model);
  ModelInfo& info = rewriter.MutableInfo();
  info.opset_imports = {{"", 17, kEmptyDomain}, {"a.b", 1, 0}};
  info.has_producer_name = true;
  info.doc = "line\nline";
  info.metadata = {{"k", "v"}};
  info.training_info = {"\n\x02xy"};
  Function& function =
      rewriter.AddFunction(model.Intern("d"), model.Intern("f g"), model.Intern("o"));
  Attribute given;
  given.name = model.Intern("beta");
  given.value = 2.0f;
  std::vector<Attribute> defaults;
  defaults.push_back(std::move(given));
  rewriter.SetFunctionInterface(function, {model.Intern("alpha")}, std::move(defaults),
                                {{"", 17, 0}});
  rewriter.SetGraphText(function.body(), "", "doc", {{"k", "v"}}, kEmptyDomain);
  Value& x = rewriter.AddGraphInput(function.body(), model.Intern("x"), model.unknown_type());
  Node& node = Op(rewriter, function.body(), "Elu", "elu", {&x});
  Attribute reference;
  reference.name = model.Intern("alpha");
  reference.reference = reference.name;
  reference.reference_kind = AttributeKind::kFloat;
  rewriter.AddAttribute(node, std::move(reference));
  rewriter.AddGraphOutput(function.body(), node.output());
  ExpectRoundTrip(model);
}

TEST(Text, Base64) {
  for (size_t size = 0; size < 20; ++size) {
    std::string bytes;
    for (size_t i = 0; i < size; ++i) bytes += static_cast<char>(i * 37 + 200);
    const std::string encoded = text::Base64(std::as_bytes(std::span(bytes)));
    EXPECT_EQ(text::ParseBase64(encoded), bytes);
  }
  const std::string man = "Man";
  EXPECT_EQ(text::Base64(std::as_bytes(std::span(man))), "TWFu");
  for (const std::string_view bad :
       {"A", "AA", "AAA", "AA=A", "====", "A===", "AAAA====", "AB==", "AAB="}) {
    EXPECT_EQ(text::ParseBase64(bad), std::nullopt) << bad;
  }
}

TEST(TextModels, RoundTripIsExact) {
  const auto paths = SharedModels();
  if (paths.empty()) GTEST_SKIP() << "no models: " << SharedFolder() << " is missing";
  for (const auto& path : paths) {
    SCOPED_TRACE(path);
    const auto model = frontends::ImportOnnx(path);
    ASSERT_TRUE(model.ok()) << FormatError(model.status());
    ExpectRoundTrip(**model);
    EXPECT_TRUE(Bytes(*(*model)->Clone()) == Bytes(**model)) << "the clone differs";
    if (HasFailure()) return;
  }
  std::cout << paths.size() << " models\n";
}

TEST(TextModels, FileReferencesRoundTrip) {
  const auto paths = SharedModels();
  if (paths.empty()) GTEST_SKIP() << "no models: " << SharedFolder() << " is missing";
  const auto model = frontends::ImportOnnx(paths.front());
  ASSERT_TRUE(model.ok());
  const std::string text = Print(**model, {.weights = WeightText::kFile});
  EXPECT_NE(text.find(" file(\""), std::string::npos);
  const auto parsed = ParseModel(text, {.allow_files = true});
  ASSERT_TRUE(parsed.ok()) << FormatError(parsed.status());
  EXPECT_TRUE(Bytes(**parsed) == Bytes(**model));
}

// Mutated text is an error or a well-formed model, never a crash.
TEST(TextFuzz, MutatedText) {
  std::vector<std::string> seeds = {std::string(kSmall)};
  seeds.push_back(R"(model { ir_version 3 import "" 7 producer_name "p" metadata {"a" = "b"} }
graph "m" spelling 1(%c : bool[], %x : f32[2,N/"D"] notes(doc "d")) {
  doc "text"
  init %w : f32[2] = f32[2] blob 0 notes(typed_field, name "w")
  init %s : sparse f32[9] = sparse_tensor (f32[1] {1.0}, i64[1] {3}, [9])
  default %x = f32[2,1] {1.0, nan(0x7fc00001)}
  %y, _ = If(%c {"note"}) {then_branch doc "d" = graph "t"() captures (%x {"n"}) {
    %z = d::F@o(%x, _) {a = [1, 2], b = [1.5], c = ["s"], d = ints [], t = type seq(map(str, f32[...]))}
    return %z
  }, gs = graphs [graph "a"() { return %w }, graph "b"(%p : ?) { return %p }]} : f32[...], ? name "if" origin ["q"] doc "d"
  return %y {"out"}
  value_info %y
  value_info "stray" : optional(opaque("a", "b"))
  quantization_annotation base64 "AQI="
}
function d::F@o(%a : ?, %b : ?) { import "" 17 attribute k attribute l = 2.0
  %r = Elu(%a) {alpha = ref "k" : float}
  return %r
}

blobs {
  0 base64 "AACAPwAAgD8="
}
)");
  for (const std::string& seed : seeds) {
    ASSERT_EQ(ErrorOf(seed), "");
    ExpectRoundTrip(**ParseModel(seed));
  }
  const int iterations = test::FuzzIterations(30000);
  std::mt19937 random(3);
  const auto below = [&](size_t count) {
    return std::uniform_int_distribution<size_t>(0, count - 1)(random);
  };
  constexpr std::string_view kPieces[] = {"{",
                                          "}",
                                          "(",
                                          ")",
                                          "[",
                                          "]",
                                          ",",
                                          "%x",
                                          "%y",
                                          "_",
                                          "=",
                                          ":",
                                          "\"",
                                          "graph \"q\"() {",
                                          "captures (",
                                          "return ",
                                          "99999999999999999999",
                                          "-1",
                                          "blob 0",
                                          "f32[2]",
                                          "name \"x\"",
                                          "init ",
                                          "default ",
                                          "\nblobs {",
                                          "...",
                                          "nan",
                                          "?"};
  size_t accepted = 0;
  for (int i = 0; i < iterations; ++i) {
    std::string text = seeds[below(seeds.size())];
    for (size_t edits = below(3) + 1; edits > 0 && !text.empty(); --edits) {
      const size_t at = below(text.size());
      const size_t length = below(std::min<size_t>(text.size() - at, 12) + 1);
      switch (below(5)) {
        case 0:
          text.erase(at, length);
          break;
        case 1:
          text.insert(at, kPieces[below(std::size(kPieces))]);
          break;
        case 2:
          text[at] = static_cast<char>(random());
          break;
        case 3:
          text.insert(below(text.size()), text.substr(at, length));
          break;
        default:
          text.resize(at);
      }
    }
    const auto model = ParseModel(text);
    if (!model.ok()) {
      const std::string message(model.status().message());
      ASSERT_TRUE(message.find(':') != std::string::npos && message[0] >= '1' && message[0] <= '9')
          << message << "\n"
          << text;
      continue;
    }
    ++accepted;
    const Status verified = VerifyModel(**model);
    ASSERT_TRUE(verified.ok()) << FormatError(verified) << "\n" << text;
    const std::string printed = Print(**model);
    const auto again = ParseModel(printed);
    ASSERT_TRUE(again.ok()) << FormatError(again.status()) << "\n" << text << "\n" << printed;
    ASSERT_EQ(Print(**again), printed);
  }
  EXPECT_GT(accepted, static_cast<size_t>(iterations) / 100);
}

}  // namespace
}  // namespace lathe::ir
