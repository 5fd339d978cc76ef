// Blobs: how they are stored, found, shaped and shared.
#include <malloc.h>

#include "lathe/tests/frontends/caffe/nets.h"

namespace lathe::test {
namespace {

using testing::ElementsAre;

// Inner products of x[1, 2], each by a [1, 2] weight.
std::string Net(const std::string& first = "", const std::string& second = "") {
  const auto product = [](const std::string& name, const std::string& bottom,
                          const std::string& more) {
    return "layer { name: '" + name + "' type: 'InnerProduct' bottom: '" + bottom + "' top: '" +
           name + "' inner_product_param { num_output: 2 bias_term: false } " + more + " }\n";
  };
  return "input: 'x' input_shape { dim: 1 dim: 2 }\n" + product("one", "x", first) +
         product("two", "one", second);
}

std::string Blobs(const std::string& name, const std::string& blobs) {
  return "layer { name: '" + name + "' " + blobs + " }";
}

constexpr const char* kFour = "blobs { shape { dim: 2 dim: 2 } data: [1, 2, 3, 4] }";

TEST(CaffeWeights, EveryWayToStoreThem) {
  for (const std::string blobs :
       {"blobs { shape { dim: 2 dim: 2 } data: [1, 2, 3, 4] diff: [9, 9, 9, 9] }",
        "blobs { num: 1 channels: 1 height: 2 width: 2 data: [1, 2, 3, 4] }",
        "blobs { shape { dim: 1 dim: 1 dim: 2 dim: 2 } data: [1, 2, 3, 4] }",
        "blobs { shape { dim: 2 dim: 2 } double_data: [1, 2, 3, 4] }"}) {
    const auto model = ImportNet(Net(), Blobs("one", blobs) + Blobs("two", kFour));
    ASSERT_TRUE(model.ok()) << FormatError(model.status());
    const ir::Value* weight = (*model)->graph().first_node()->input(1);
    EXPECT_EQ(weight->name_text(), "one.weight");
    EXPECT_THAT(*weight->tensor().Values<float>(), ElementsAre(1, 2, 3, 4)) << blobs;
    EXPECT_THAT(weight->tensor().dims(), ElementsAre(2, 2));
  }
}

TEST(CaffeWeights, InPieces) {
  // Of field 5: a run of one value, a single value, a run of two.
  const auto number = [](float value) {
    return std::string(reinterpret_cast<const char*>(&value), sizeof(value));
  };
  const auto message = [](const std::string& tag, const std::string& bytes) {
    return tag + static_cast<char>(bytes.size()) + bytes;
  };
  const std::string shape = message("\x3a", message("\x0a", "\x02\x02"));
  const std::string blob = shape + message("\x2a", number(1)) + "\x2d" + number(2) +
                           message("\x2a", number(3) + number(4));
  const NetFiles files;
  files.Write(Net(), CaffeModelOf(Blobs("two", kFour)) +
                         message("\xa2\x06", message("\x0a", "one") + message("\x3a", blob)));
  const auto model = files.Import();
  ASSERT_TRUE(model.ok()) << FormatError(model.status());
  const ir::Tensor weight = (*model)->graph().first_node()->input(1)->tensor();
  EXPECT_THAT(*weight.Values<float>(), ElementsAre(1, 2, 3, 4));
}

TEST(CaffeWeights, TheyStayInTheFile) {
  const auto model = ImportNet(Net(), Blobs("one", kFour) + Blobs("two", kFour));
  ASSERT_TRUE(model.ok()) << FormatError(model.status());
  EXPECT_TRUE((*model)->graph().first_node()->input(1)->tensor().file_range().has_value());
}

TEST(CaffeWeights, LayersOnlyTheCaffemodelHasDoNotMatter) {
  const auto model =
      ImportNet(Net(), Blobs("x_split_0", "blobs { data: 1 }") + Blobs("one", kFour) +
                           Blobs("two", kFour) + Blobs("loss", ""));
  EXPECT_TRUE(model.ok()) << FormatError(model.status());
}

TEST(CaffeWeights, SharedByName) {
  for (const std::string second : {kFour, ""}) {
    // The second layer's own blobs, if it has any, are the first's.
    const auto model =
        ImportNet(Net("param { name: 'w' }", "param { name: 'w' lr_mult: 2 }"),
                  Blobs("one", kFour) + (second.empty() ? "" : Blobs("two", second)));
    ASSERT_TRUE(model.ok()) << FormatError(model.status());
    const ir::Node& first = *(*model)->graph().first_node();
    EXPECT_EQ(first.input(1), first.next()->input(1));
  }
  EXPECT_EQ(ImportError(Net("param { name: 'w' }", "param { name: 'v' }"), Blobs("one", kFour)),
            "NET: line 3, layer 'two': has no weights in WEIGHTS");
}

TEST(CaffeWeights, SharedInAnotherShape) {
  const std::string net =
      "input: 'x' input_shape { dim: 1 dim: 2 }\n"
      "layer { name: 'one' type: 'InnerProduct' bottom: 'x' top: 'one' param { name: 'w' } "
      "inner_product_param { num_output: 2 bias_term: false } }\n"
      "layer { name: 'two' type: 'Parameter' top: 'two' param { name: 'w' share_mode: ";
  const std::string rest = " } parameter_param { shape { dim: 4 } } }";
  EXPECT_EQ(ImportError(net + "PERMISSIVE" + rest, Blobs("one", kFour)), "");
  EXPECT_EQ(ImportError(net + "STRICT" + rest, Blobs("one", kFour)),
            "NET: line 3, layer 'two': blob 0 in WEIGHTS has shape [2,2], the net asks for [4]");
}

TEST(CaffeWeights, MissingOnesAreNamed) {
  EXPECT_EQ(ImportError(Net(), Blobs("one", kFour) + Blobs("tow", kFour)),
            "NET: line 3, layer 'two': has no weights in WEIGHTS (did you mean 'tow'?)");
  std::string with_bias = Net();
  with_bias.replace(with_bias.rfind("bias_term: false"), 16, "");
  EXPECT_EQ(ImportError(with_bias, Blobs("one", kFour) + Blobs("two", kFour)),
            "NET: line 3, layer 'two': needs blob 1 and has 1 in WEIGHTS");
  EXPECT_EQ(ImportError(Net(), Blobs("one", std::string(kFour) + kFour) + Blobs("two", kFour)),
            "NET: line 2, layer 'one': takes 1 blobs and has 2 in WEIGHTS");
}

TEST(CaffeWeights, ShapesMustFit) {
  EXPECT_EQ(
      ImportError(Net(), Blobs("one", "blobs { shape { dim: 4 dim: 1 } data: [1, 2, 3, 4] }")),
      "NET: line 2, layer 'one': blob 0 in WEIGHTS has shape [4,1], the net asks for [2,2]");
  EXPECT_EQ(ImportError(Net(), Blobs("one", "blobs { shape { dim: 2 dim: 2 } data: [1, 2, 3] }")),
            "WEIGHTS: line 2, layer 'one': layer 'one', blob 0: shape [2,2] asks for 4 values, "
            "there are 3");
  EXPECT_EQ(ImportError(Net(), Blobs("one",
                                     "blobs { shape { dim: -2 dim: -2 } data: [1, 2, 3, 4] "
                                     "}")),
            "WEIGHTS: line 2, layer 'one': layer 'one', blob 0: extent -2 is negative");
}

TEST(CaffeWeights, IntegersAreOfAQuantisedNet) {
  EXPECT_EQ(ImportError(Net(), Blobs("one", "blobs { shape { dim: 2 dim: 2 } int8_data: 'abcd' }")),
            "WEIGHTS: line 2, layer 'one': layer 'one', blob 0: holds integers: the net is "
            "quantised already (start from the float model)");
}

size_t HeapInUse() {
  const struct mallinfo2 info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
}

TEST(CaffeWeights, FortyMegabytesAddLittleHeap) {
  const NetFiles files;
  {
    LatheCaffe::NetParameter net;
    LatheCaffe::LayerParameter& layer = *net.add_layer();
    layer.set_name("ip");
    LatheCaffe::BlobProto& blob = *layer.add_blobs();
    blob.mutable_shape()->add_dim(1000);
    blob.mutable_shape()->add_dim(10'000);
    blob.mutable_data()->Resize(10'000'000, 0.5F);
    files.Write(
        "input: 'x' input_shape { dim: 1 dim: 10000 }"
        "layer { name: 'ip' type: 'InnerProduct' bottom: 'x' top: 'y' "
        "inner_product_param { num_output: 1000 bias_term: false } }",
        net.SerializeAsString());
  }
  const size_t before = HeapInUse();
  const auto model = files.Import();
  ASSERT_TRUE(model.ok()) << FormatError(model.status());
  EXPECT_LT(HeapInUse() - before, 1'000'000u);
  EXPECT_EQ((*model)->graph().first_node()->input(1)->tensor().num_elements(), 10'000'000);
}

}  // namespace
}  // namespace lathe::test
