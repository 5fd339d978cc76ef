#include "lathe/frontends/data/batches.h"

#include <png.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "files.h"
#include "lathe/backends/data/npy_writer.h"

namespace lathe::frontends {
namespace {

using ir::Dim;
using ir::ElementType;
using ir::InputSpec;
using ir::Tensor;
using test::TemporaryFolder;
using ::testing::ElementsAre;

const InputSpec kImage{"image", ElementType::kFloat32,
                       ir::Shape{Dim::Symbol("batch"), Dim::Known(2)}};
const InputSpec kLengths{"lengths", ElementType::kInt64, ir::Shape{Dim::Symbol("batch")}};

class Batches : public ::testing::Test {
 protected:
  std::string Floats(std::string_view name, std::vector<int64_t> dims, float first = 0) {
    std::vector<float> values;
    int64_t count = 1;
    for (const int64_t dim : dims) count *= dim;
    for (int64_t i = 0; i < count; ++i) values.push_back(first + static_cast<float>(i));
    EXPECT_TRUE(backends::WriteNpy(folder_.File(name), Tensor::Of<float>(dims, values)).ok());
    return folder_.File(name);
  }
  std::string Ints(std::string_view name, std::vector<int64_t> values) {
    EXPECT_TRUE(
        backends::WriteNpy(folder_.File(name),
                           Tensor::Of<int64_t>({static_cast<int64_t>(values.size())}, values))
            .ok());
    return folder_.File(name);
  }
  StatusOr<std::unique_ptr<BatchSource>> Open(std::vector<std::string> arguments,
                                              std::vector<InputSpec> inputs = {kImage}) {
    return OpenBatches({std::move(arguments), std::nullopt}, inputs);
  }
  std::string Error(std::vector<std::string> arguments, std::vector<InputSpec> inputs = {kImage}) {
    const auto source = Open(std::move(arguments), std::move(inputs));
    return source.ok() ? "no error" : FormatError(source.status());
  }
  TemporaryFolder folder_;
};

TEST_F(Batches, NpyFilesInTheOrderGiven) {
  const std::string a = Floats("a.npy", {2, 2}, 10), b = Floats("b.npy", {1, 2}, 20);
  const auto source = Open({b, a});
  ASSERT_TRUE(source.ok()) << source.status();
  ASSERT_EQ((*source)->num_batches(), 2u);
  EXPECT_THAT(*(*(*source)->Load(0))[0].Values<float>(), ElementsAre(20, 21));
  EXPECT_THAT(*(*(*source)->Load(1))[0].Values<float>(), ElementsAre(10, 11, 12, 13));
  EXPECT_THAT((*source)->shapes(0), ElementsAre(ElementsAre(1, 2)));
  EXPECT_THAT((*source)->shapes(1), ElementsAre(ElementsAre(2, 2)));
}

TEST_F(Batches, NpzHoldsArraysByInput) {
  const std::string image = test::ReadAll(Floats("i.npy", {2, 2}, 5));
  const std::string lengths = test::ReadAll(Ints("l.npy", {8, 9}));
  const std::string path = folder_.Write(
      "batch.npz",
      test::Zip({{"lengths.npy", lengths}, {"labels.npy", lengths}, {"image.npy", image}}, {true}));
  const auto source = Open({path}, {kImage, kLengths});
  ASSERT_TRUE(source.ok()) << source.status();
  const auto batch = (*source)->Load(0);
  ASSERT_TRUE(batch.ok()) << batch.status();
  EXPECT_THAT(*(*batch)[0].Values<float>(), ElementsAre(5, 6, 7, 8));
  EXPECT_THAT(*(*batch)[1].Values<int64_t>(), ElementsAre(8, 9));
  EXPECT_EQ((*source)->samples(0), 2);
}

TEST_F(Batches, GlobsByInputSortedByName) {
  Floats("image_2.npy", {1, 2}, 2);
  Floats("image_10.npy", {1, 2}, 10);
  Ints("len_a.npy", {1});
  Ints("len_b.npy", {2});
  const auto source =
      Open({"lengths=" + folder_.File("len_*.npy"), "image=" + folder_.File("image_*.npy")},
           {kImage, kLengths});
  ASSERT_TRUE(source.ok()) << source.status();
  ASSERT_EQ((*source)->num_batches(), 2u);
  const auto batch = (*source)->Load(0);
  EXPECT_THAT(*(*batch)[0].Values<float>(), ElementsAre(10, 11));
  EXPECT_THAT(*(*batch)[1].Values<int64_t>(), ElementsAre(1));
}

TEST_F(Batches, ErrorsComeBeforeAnyWork) {
  const std::string good = Floats("good.npy", {1, 2});
  const std::string rank = Floats("rank.npy", {2});
  const std::string extent = Floats("extent.npy", {1, 3});
  const std::string ints = Ints("ints.npy", {1, 2});
  EXPECT_EQ(Error({}), "no data is given");
  EXPECT_EQ(Error({good}, {}), "the model has no input to feed data to");
  EXPECT_EQ(Error({good, rank}),
            rank + ": input 'image': shape [2] has rank 1, the model wants [batch,2]");
  EXPECT_EQ(Error({extent}), extent +
                                 ": input 'image': shape [1,3] has extent 3 in dimension 1, "
                                 "the model wants [batch,2]");
  EXPECT_EQ(Error({ints}), ints + ": input 'image': element type is i64, the model wants f32");
  EXPECT_EQ(Error({folder_.File("x.bin")}),
            "data '" + folder_.File("x.bin") +
                "' is no .npy or .npz file, nor NAME=GLOB with NAME one of 'image'");
  EXPECT_EQ(Error({good}, {kImage, kLengths}),
            "data '" + good +
                "': the model has 2 inputs ('image', 'lengths'); give NAME=GLOB for each, or .npz "
                "files with arrays of these names");
  EXPECT_EQ(Error({"image=" + good}, {kImage, kLengths}), "no data for input 'lengths'");
  EXPECT_EQ(Error({"image=" + good, "image=" + good}), "data for input 'image' is given twice");
  EXPECT_EQ(Error({"image=" + good, good}),
            "data '" + good + "': NAME=GLOB cannot be mixed with plain files");
  EXPECT_EQ(Error({"image=" + folder_.File("no*.npy")}),
            "no file matches '" + folder_.File("no*.npy") + "'");
  Floats("two_1.npy", {1, 2});
  Floats("two_2.npy", {1, 2});
  EXPECT_EQ(Error({"image=" + folder_.File("two*"), "lengths=" + ints}, {kImage, kLengths}),
            "input 'image' has 2 files (" + folder_.File("two*") + "), input 'lengths' has 1 (" +
                ints + ")");
  EXPECT_EQ(Error({"image=" + good, "lengths=" + ints}, {kImage, kLengths}),
            ints + ": input 'lengths': dimension 'batch' is 2, but 1 in input 'image'");
  const std::string npz = folder_.Write("a.npz", test::Zip({{"arr_0.npy", test::ReadAll(good)}}));
  EXPECT_EQ(Error({npz}), npz + ": no array for input 'image' (arrays: 'arr_0')");
}

TEST_F(Batches, AFileThatChangedIsAnErrorAtLoad) {
  const std::string path = Floats("a.npy", {1, 2});
  const auto source = Open({path});
  ASSERT_TRUE(source.ok());
  Floats("a.npy", {1, 3});
  EXPECT_EQ(FormatError((*source)->Load(0).status()),
            path +
                ": input 'image': shape [1,3] has extent 3 in dimension 1, the model wants "
                "[batch,2]");
}

class ImageBatches : public ::testing::Test {
 protected:
  void SetUp() override {
    for (int i = 0; i < 3; ++i) {
      png_image png{};
      png.version = PNG_IMAGE_VERSION;
      png.width = png.height = 1;
      png.format = PNG_FORMAT_RGB;
      const uint8_t samples[] = {static_cast<uint8_t>(i), 50, 100};
      const std::string path = folder_.File(std::string(1, static_cast<char>('a' + i)) + ".png");
      ASSERT_TRUE(png_image_write_to_file(&png, path.c_str(), 0, samples, 0, nullptr));
    }
  }
  StatusOr<std::unique_ptr<BatchSource>> Open(const std::vector<Dim>& shape, int64_t batch = 0,
                                              ElementType type = ElementType::kFloat32) {
    ImageOptions images;
    images.directory = folder_.path();
    images.normalization = {{0, 50, 100}, {1, 1, 2}};
    images.batch = batch;
    const InputSpec spec{"image", type, ir::Shape(shape)};
    return OpenBatches({{}, images}, std::span(&spec, 1));
  }
  const Dim one_ = Dim::Known(1), two_ = Dim::Known(2), three_ = Dim::Known(3);
  TemporaryFolder folder_;
};

TEST_F(ImageBatches, LastBatchMayBeShort) {
  const auto source = Open({Dim::Symbol("n"), three_, one_, two_}, 2);
  ASSERT_TRUE(source.ok()) << source.status();
  ASSERT_EQ((*source)->num_batches(), 2u);
  EXPECT_EQ((*source)->samples(0), 2);
  EXPECT_EQ((*source)->samples(1), 1);
  const auto first = (*source)->Load(0), last = (*source)->Load(1);
  ASSERT_TRUE(first.ok() && last.ok());
  EXPECT_THAT((*first)[0].dims(), ElementsAre(2, 3, 1, 2));
  EXPECT_THAT(*(*first)[0].Values<float>(), ElementsAre(0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0));
  EXPECT_THAT((*last)[0].dims(), ElementsAre(1, 3, 1, 2));
  EXPECT_THAT(*(*last)[0].Values<float>(), ElementsAre(2, 2, 0, 0, 0, 0));
}

TEST_F(ImageBatches, HalfPrecision) {
  const auto source = Open({one_, three_, one_, one_}, 0, ElementType::kFloat16);
  ASSERT_TRUE(source.ok()) << source.status();
  EXPECT_THAT(*(*(*source)->Load(2))[0].ValuesAsFloat(), ElementsAre(2, 0, 0));
}

TEST_F(ImageBatches, Errors) {
  const auto error = [](const StatusOr<std::unique_ptr<BatchSource>>& source) {
    return source.ok() ? "no error" : FormatError(source.status());
  };
  EXPECT_EQ(error(Open({two_, three_, one_, one_})),
            folder_.path() + ": 3 images do not fill batches of 2, which input 'image' wants");
  EXPECT_EQ(error(Open({one_, three_, one_, one_}, 3)),
            "input 'image': batches of 3 images were asked for, the model wants [1,3,1,1]");
  EXPECT_EQ(error(Open({one_, two_, one_, one_})),
            "input 'image': no image in NCHW layout has the shape [1,2,1,1]");
  EXPECT_EQ(error(Open({one_, three_, Dim::Symbol("h"), Dim()})),
            "input 'image': the model leaves height and width free: [1,3,h,?]; fix them with "
            "--shape");
  EXPECT_EQ(error(Open({one_, three_})),
            "input 'image': images have four dimensions, the model wants [1,3]");
  EXPECT_EQ(error(Open({one_, three_, one_, one_}, 0, ElementType::kInt64)),
            "input 'image': images become f32 or f16, the model wants i64");
}

}  // namespace
}  // namespace lathe::frontends
